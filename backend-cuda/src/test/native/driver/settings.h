// How the fakes behave, from the environment when the library is loaded and changed by tests.
#pragma once
#include <cstddef>

#include "fibers.h"

namespace emulation {

struct Settings {
  Order order;           // EMU_ORDER: 0 forward, 1 reverse, else the seed of a shuffle
  bool guard = false;    // EMU_GUARD=1: allocations end at an unmapped page, memory starts as NaN
  bool late = true;      // EMU_LATE=0: queued work runs at once instead of when it is waited for
  size_t memory = 0;     // EMU_MEMORY: bytes of the device, default 8 GiB
};

Settings& settings();

}  // namespace emulation
