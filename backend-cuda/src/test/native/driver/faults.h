// While a FaultScope lives, an illegal address on its thread ends the kernel and not the process.
#pragma once
#include <signal.h>

namespace emulation {

class FaultScope {
 public:
  FaultScope();
  ~FaultScope();
  FaultScope(const FaultScope&) = delete;
  FaultScope& operator=(const FaultScope&) = delete;

 private:
  stack_t before_;
};

[[noreturn]] void fail_at_address(const void* address);

}  // namespace emulation
