// Runs kernels on the CPU: each CUDA thread of a block is a fiber, blocks run one after another.
#pragma once
#include <string>
#include <vector>

#include "../kernel/launch_table.h"

namespace emulation {

// In which order runnable threads and blocks run. A kernel without races gives the same in each.
struct Order {
  enum Kind { forward, reverse, shuffled } kind = forward;
  unsigned seed = 0;
};

struct Launch {
  const KernelTable* module;
  const Kernel* kernel;
  uint3 grid, block;
  unsigned dynamic_shared_bytes;
  void** arguments;
};

struct LaunchFault {
  bool bad_address;  // otherwise a failed check: divergence, stack overflow, __trap()
  std::string message;
};

// Runs the launch to its end. False, with `fault` filled, if the kernel broke a rule.
bool run_kernel(const Launch& launch, Order order, bool poison_shared_memory, LaunchFault& fault);

// What is known of an address that a kernel must not touch; defined by the memory of the device.
std::string describe_address(const void* address);

}  // namespace emulation
