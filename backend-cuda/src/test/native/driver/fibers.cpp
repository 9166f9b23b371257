#include "fibers.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <memory>
#include <random>

#include "faults.h"

// Saves the callee-saved registers and the stack pointer at *save, and goes on at `to`.
extern "C" void emulation_switch(void** save, void* to);
asm(R"(
.text
.globl emulation_switch
.hidden emulation_switch
.type emulation_switch,@function
emulation_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp,(%rdi)
  movq %rsi,%rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
)");

namespace emulation {
namespace {

constexpr unsigned most_threads = 1024;
constexpr unsigned words = most_threads / 64;
constexpr size_t stack_bytes = 64 * 1024;  // the lowest page faults
constexpr size_t page = 4096;

struct Fiber : Thread {
  void* stack_pointer;
  char* stack;  // null before the thread starts and after it ended
  unsigned position;  // in the order of running
};

enum class Meeting { none, exchange, ballot };

// What a lane brings to a warp primitive; the last lane to arrive serves all.
struct Request {
  Meeting meeting;
  unsigned mask;
  void* value;
  size_t bytes;
  unsigned source;
  unsigned result;
};

struct Warp {
  unsigned live, arrived;
  Request lanes[32];
};

// A set of positions; finding the next one costs a few instructions however many threads wait.
struct Positions {
  uint64_t bits[words];
  void clear() { memset(bits, 0, sizeof bits); }
  void add(unsigned p) { bits[p / 64] |= 1ull << (p % 64); }
  void remove(unsigned p) { bits[p / 64] &= ~(1ull << (p % 64)); }
  int next(unsigned from) const {
    for (unsigned i = 0; i <= words; i++) {
      unsigned w = (from / 64 + i) % words;
      uint64_t b = bits[w];
      if (i == 0) b &= ~0ull << (from % 64);
      if (i == words) b &= (1ull << (from % 64)) - 1;
      if (b) return static_cast<int>(w * 64 + __builtin_ctzll(b));
    }
    return -1;
  }
};

// The one running block. Kernels reach it through free functions, since a fiber has no `this`.
struct Scheduler {
  Fiber fibers[most_threads];
  unsigned order[most_threads];  // position -> fiber
  Warp warps[most_threads / 32];
  Positions ready, at_barrier;
  unsigned threads, alive, waiting;
  int votes[2][3];
  unsigned generation;
  void* main_stack_pointer;
  char* slab = nullptr;
  std::vector<char*> stacks;
  std::vector<char> dynamic_shared;
  const Launch* launch;
  Block* block;
  Fiber* running;
  bool failed;
  LaunchFault* fault;
};
Scheduler s;

void reset_stacks() {
  s.stacks.clear();
  for (unsigned i = most_threads; i-- > 0;) s.stacks.push_back(s.slab + i * stack_bytes);
}

void make_stacks() {
  void* slab = mmap(nullptr, most_threads * stack_bytes, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (slab == MAP_FAILED) {
    perror("emulation: no memory for fiber stacks");
    abort();
  }
  s.slab = static_cast<char*>(slab);
  for (unsigned i = 0; i < most_threads; i++) mprotect(s.slab + i * stack_bytes, page, PROT_NONE);
  reset_stacks();
}

std::string place() {
  char text[200];
  const Thread& t = *s.running;
  snprintf(text, sizeof text, "kernel %s, block (%u,%u,%u), thread (%u,%u,%u)",
           s.launch->kernel->name, s.block->index.x, s.block->index.y, s.block->index.z, t.index.x,
           t.index.y, t.index.z);
  return text;
}

// Ends the launch from whatever fiber runs; never returns to it.
[[noreturn]] void fail(bool bad_address, const std::string& what) {
  s.failed = true;
  *s.fault = {bad_address, place() + ": " + what};
  void* abandoned;
  emulation_switch(&abandoned, s.main_stack_pointer);
  __builtin_unreachable();
}

void thread_entry();

void give_stack(Fiber& f) {
  f.stack = s.stacks.back();
  s.stacks.pop_back();
  size_t index = (f.stack - s.slab) / stack_bytes;
  // tops are staggered, or all fibers' frames would share a few cache sets
  char* top = f.stack + stack_bytes - 64 - (index * 5 * 64) % 4096;
  void** sp = reinterpret_cast<void**>(top);
  *--sp = nullptr;  // keeps the entry's frame aligned as after a call
  *--sp = reinterpret_cast<void*>(thread_entry);
  sp -= 6;
  memset(sp, 0, 6 * sizeof(void*));
  f.stack_pointer = sp;
}

void become(Fiber& f) {
  s.running = &f;
  s.block->thread = &f;
}

std::string deadlock() {
  return "deadlock: " + std::to_string(s.waiting) + " threads wait at __syncthreads, " +
         std::to_string(s.alive - s.waiting) + " at a warp primitive that others never reach";
}

Fiber* pick(unsigned from) {
  int p = s.ready.next(from);
  return p < 0 ? nullptr : &s.fibers[s.order[p]];
}

// Another thread runs; returns when this one is chosen again.
void yield(unsigned from) {
  Fiber* self = s.running;
  Fiber* next = pick(from);
  if (!next) fail(false, deadlock());
  if (next == self) return;
  if (!next->stack) give_stack(*next);
  become(*next);
  emulation_switch(&self->stack_pointer, next->stack_pointer);
}

void release_barrier() {
  for (unsigned w = 0; w < words; w++) s.ready.bits[w] |= s.at_barrier.bits[w];
  s.at_barrier.clear();
  s.waiting = 0;
  s.generation++;
  int* next = s.votes[s.generation & 1];
  next[0] = 0, next[1] = 1, next[2] = 0;
}

void barrier() {
  s.ready.remove(s.running->position);
  s.at_barrier.add(s.running->position);
  if (++s.waiting == s.alive) {
    release_barrier();
    yield(0);  // from the start of the order, so that every phase runs in the same one
    return;
  }
  yield(s.running->position);
}

int barrier_reduce(Reduction reduction, int value) {
  int* votes = s.votes[s.generation & 1];
  votes[0] |= value != 0;
  votes[1] &= value != 0;
  votes[2] += value != 0;
  barrier();
  return votes[static_cast<int>(reduction)];
}

void serve_exchange(Warp& warp, unsigned group) {
  char values[32][16];
  for (unsigned l = 0; l < 32; l++) {
    if (group >> l & 1) memcpy(values[l], warp.lanes[l].value, warp.lanes[l].bytes);
  }
  for (unsigned l = 0; l < 32; l++) {
    if (!(group >> l & 1)) continue;
    Request& r = warp.lanes[l];
    if (!(group >> r.source & 1)) {
      fail(false, "lane " + std::to_string(l) + " reads lane " + std::to_string(r.source) +
                      ", which does not take part in the shuffle");
    }
    memcpy(r.value, values[r.source], r.bytes);
  }
}

void serve_ballot(Warp& warp, unsigned group) {
  unsigned votes = 0;
  for (unsigned l = 0; l < 32; l++) {
    if ((group >> l & 1) && warp.lanes[l].source) votes |= 1u << l;
  }
  for (unsigned l = 0; l < 32; l++) {
    if (group >> l & 1) warp.lanes[l].result = votes;
  }
}

unsigned position_of_lane(unsigned warp, unsigned lane) {
  return s.fibers[warp * 32 + lane].position;
}

// If all live lanes of the mask have come: serves them, makes them ready, and says so.
bool complete(unsigned index, unsigned mask) {
  Warp& warp = s.warps[index];
  unsigned group = mask & warp.live;
  if ((warp.arrived & mask) != group || group == 0) return false;
  const Request& first = warp.lanes[__builtin_ctz(group)];
  for (unsigned l = 0; l < 32; l++) {
    if (!(group >> l & 1)) continue;
    const Request& r = warp.lanes[l];
    if (r.mask != mask) fail(false, "lanes of a warp met with different masks");
    if (r.meeting != first.meeting || r.bytes != first.bytes) {
      fail(false, "lanes of a warp met in different primitives");
    }
  }
  if (first.meeting == Meeting::exchange) {
    serve_exchange(warp, group);
  } else {
    serve_ballot(warp, group);
  }
  warp.arrived &= ~group;
  for (unsigned l = 0; l < 32; l++) {
    if (group >> l & 1) s.ready.add(position_of_lane(index, l));
  }
  return true;
}

unsigned meet(const Request& request) {
  unsigned linear = s.running->linear, warp = linear / 32, lane = linear % 32;
  if (!(request.mask >> lane & 1)) {
    fail(false, "lane " + std::to_string(lane) + " is not in the mask it names");
  }
  s.warps[warp].lanes[lane] = request;
  s.warps[warp].arrived |= 1u << lane;
  s.ready.remove(s.running->position);
  complete(warp, request.mask);
  yield(s.running->position);
  return s.warps[warp].lanes[lane].result;
}

void exchange(unsigned mask, void* value, size_t bytes, unsigned source) {
  meet({Meeting::exchange, mask, value, bytes, source, 0});
}

unsigned ballot(unsigned mask, int predicate) {
  return meet({Meeting::ballot, mask, nullptr, 0, predicate != 0, 0});
}

void fail_from_kernel(const char* message) { fail(false, message); }

const Services kernel_services = {barrier, barrier_reduce, exchange, ballot, fail_from_kernel};

// Exited threads are not waited for, as on the hardware since Volta.
void end_thread(Fiber& f) {
  s.ready.remove(f.position);
  s.alive--;
  unsigned index = f.linear / 32;
  Warp& warp = s.warps[index];
  warp.live &= ~(1u << (f.linear % 32));
  for (unsigned left = warp.arrived; left; left &= left - 1) {
    unsigned lane = __builtin_ctz(left);
    if (warp.arrived >> lane & 1) complete(index, warp.lanes[lane].mask);
  }
  if (s.alive && s.waiting == s.alive) release_barrier();
}

// A stack's first frame. When its thread ends, the stack runs the next thread that has not begun.
void thread_entry() {
  for (;;) {
    s.launch->kernel->call(s.launch->arguments);
    Fiber& self = *s.running;
    end_thread(self);
    Fiber* next = pick(self.position);
    if (next && !next->stack) {
      next->stack = self.stack;
      self.stack = nullptr;
      become(*next);
      continue;
    }
    s.stacks.push_back(self.stack);
    self.stack = nullptr;
    void* ended;
    if (next) {
      become(*next);
      emulation_switch(&ended, next->stack_pointer);
    }
    if (s.alive) fail(false, deadlock());
    emulation_switch(&ended, s.main_stack_pointer);
  }
}

void set_order(Order order, std::mt19937* random) {
  unsigned n = s.threads;
  for (unsigned i = 0; i < n; i++) s.order[i] = order.kind == Order::reverse ? n - 1 - i : i;
  if (random) std::shuffle(s.order, s.order + n, *random);
  for (unsigned p = 0; p < n; p++) s.fibers[s.order[p]].position = p;
}

// What does not change from block to block.
void name_threads() {
  uint3 index{0, 0, 0};
  const uint3 size = s.launch->block;
  for (unsigned i = 0; i < s.threads; i++) {
    Fiber& f = s.fibers[i];
    f.index = index;
    f.linear = i;
    f.stack = nullptr;
    if (++index.x == size.x) {
      index.x = 0;
      if (++index.y == size.y) index.y = 0, index.z++;
    }
  }
}

void prepare_threads() {
  unsigned n = s.threads;
  s.alive = n;
  s.waiting = 0;
  s.ready.clear();
  s.at_barrier.clear();
  for (unsigned w = 0; w < n / 64; w++) s.ready.bits[w] = ~0ull;
  if (n % 64) s.ready.bits[n / 64] = (1ull << (n % 64)) - 1;
  for (unsigned w = 0; w * 32 < n; w++) {
    unsigned lanes = n - w * 32;
    s.warps[w].live = lanes >= 32 ? ~0u : (1u << lanes) - 1;
    s.warps[w].arrived = 0;
  }
  s.generation = 0;
  for (int* votes : s.votes) votes[0] = 0, votes[1] = 1, votes[2] = 0;
}

void run_block(bool poison) {
  prepare_threads();
  const KernelTable& module = *s.launch->module;
  if (poison) {  // 0xff is not a number in every floating type
    memset(module.shared_begin, 0xff, module.shared_end - module.shared_begin);
    memset(s.dynamic_shared.data(), 0xff, s.dynamic_shared.size());
  }
  Fiber& first = *pick(0);
  give_stack(first);
  become(first);
  emulation_switch(&s.main_stack_pointer, first.stack_pointer);
}

std::vector<unsigned> shuffled_blocks(unsigned blocks, std::mt19937& random) {
  std::vector<unsigned> result(blocks);
  for (unsigned i = 0; i < blocks; i++) result[i] = i;
  std::shuffle(result.begin(), result.end(), random);
  return result;
}

}  // namespace

// The fault handler lands here, on a stack of its own.
[[noreturn]] void fail_at_address(const void* address) {
  auto* byte = static_cast<const char*>(address);
  if (byte >= s.slab && byte < s.slab + most_threads * stack_bytes) {
    fail(false, "the stack of 60 KiB overflowed");
  }
  char text[32];
  snprintf(text, sizeof text, "%p", address);
  fail(true, std::string("illegal address ") + text + " (" + describe_address(address) + ")");
}

bool run_kernel(const Launch& launch, Order order, bool poison, LaunchFault& fault) {
  if (!s.slab) make_stacks();
  Block& block = *launch.module->block;
  s.launch = &launch;
  s.block = &block;
  s.fault = &fault;
  s.failed = false;
  s.threads = launch.block.x * launch.block.y * launch.block.z;
  if (s.dynamic_shared.size() < launch.dynamic_shared_bytes + 128) {
    s.dynamic_shared.resize(launch.dynamic_shared_bytes + 128);
  }
  uintptr_t dynamic = reinterpret_cast<uintptr_t>(s.dynamic_shared.data());
  block.dynamic_shared = reinterpret_cast<unsigned char*>((dynamic + 127) & ~uintptr_t{127});
  block.size = launch.block;
  block.grid = launch.grid;
  block.services = &kernel_services;

  unsigned blocks = launch.grid.x * launch.grid.y * launch.grid.z;
  static unsigned shuffles = 0;  // another shuffle for each launch
  std::unique_ptr<std::mt19937> random;
  std::vector<unsigned> shuffled;
  if (order.kind == Order::shuffled) {
    random = std::make_unique<std::mt19937>(order.seed + 977 * shuffles++);
    shuffled = shuffled_blocks(blocks, *random);
  }
  name_threads();
  set_order(order, random.get());
  FaultScope faults;
  for (unsigned i = 0; i < blocks; i++) {
    unsigned b = random ? shuffled[i] : order.kind == Order::reverse ? blocks - 1 - i : i;
    block.index = {b % launch.grid.x, b / launch.grid.x % launch.grid.y,
                   b / (launch.grid.x * launch.grid.y)};
    if (random) set_order(order, random.get());
    run_block(poison);
    if (s.failed) {
      reset_stacks();
      return false;
    }
  }
  return true;
}

}  // namespace emulation
