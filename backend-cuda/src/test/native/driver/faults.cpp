#include "faults.h"

#include <signal.h>
#include <ucontext.h>

#include <cstddef>

namespace emulation {
namespace {

thread_local bool in_kernel __attribute__((tls_model("initial-exec"))) = false;
thread_local void* bad_address __attribute__((tls_model("initial-exec"))) = nullptr;
struct sigaction before_segv, before_bus;
constexpr size_t stack_bytes = 64 * 1024;
// The handler's stack, since a fiber may have used up its own; and the one to leave the kernel from.
alignas(16) char handler_stack[stack_bytes], landing_stack[stack_bytes];

void landing() { fail_at_address(bad_address); }

// The Java machine uses these signals too; what is not a kernel's goes on to it.
void pass_on(int signal, siginfo_t* info, void* context) {
  const struct sigaction& before = signal == SIGSEGV ? before_segv : before_bus;
  if (before.sa_flags & SA_SIGINFO) {
    before.sa_sigaction(signal, info, context);
  } else if (before.sa_handler != SIG_DFL && before.sa_handler != SIG_IGN) {
    before.sa_handler(signal);
  } else {
    ::signal(signal, SIG_DFL);  // the instruction faults again and ends the process
  }
}

void handle(int signal, siginfo_t* info, void* context) {
  if (!in_kernel) {
    pass_on(signal, info, context);
    return;
  }
  bad_address = info->si_addr;
  auto& registers = static_cast<ucontext_t*>(context)->uc_mcontext.gregs;
  registers[REG_RSP] = reinterpret_cast<greg_t>(landing_stack + stack_bytes - 8);  // as after a call
  registers[REG_RIP] = reinterpret_cast<greg_t>(landing);
}

void install(int signal, struct sigaction& before) {
  struct sigaction current;
  sigaction(signal, nullptr, &current);
  if ((current.sa_flags & SA_SIGINFO) && current.sa_sigaction == handle) return;
  before = current;
  struct sigaction ours {};
  ours.sa_sigaction = handle;
  ours.sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK;
  ours.sa_mask = current.sa_mask;
  sigaction(signal, &ours, nullptr);
}

}  // namespace

FaultScope::FaultScope() {
  stack_t ours {};
  ours.ss_sp = handler_stack;
  ours.ss_size = stack_bytes;
  sigaltstack(&ours, &before_);
  install(SIGSEGV, before_segv);
  install(SIGBUS, before_bus);
  in_kernel = true;
}

FaultScope::~FaultScope() {
  in_kernel = false;
  sigaltstack(&before_, nullptr);
}

}  // namespace emulation
