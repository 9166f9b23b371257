// While a FaultScope lives, an illegal address on its thread ends the kernel and not the process.
#pragma once

namespace emulation {

class FaultScope {
 public:
  FaultScope();
  ~FaultScope();
};

[[noreturn]] void fail_at_address(const void* address);

}  // namespace emulation
