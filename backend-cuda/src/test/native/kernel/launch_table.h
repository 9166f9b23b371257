// What a kernel library and the emulator know of each other. A kernel library exports one
// `KernelTable emulated_module`; the emulator fills the `Block` it points to and calls the kernels.
#pragma once
#include <cstddef>

struct uint3 {
  unsigned x, y, z;
};

namespace emulation {

// A CUDA thread as its own code sees it.
struct Thread {
  uint3 index;      // threadIdx
  unsigned linear;  // x fastest; the lane is linear % 32
};

enum class Reduction { any, all, count };

// Services for the running thread. A call may let other threads of the block run before it returns.
struct Services {
  void (*barrier)();
  int (*barrier_reduce)(Reduction, int value);
  // value of this lane in, value of lane `source` out; at most 16 bytes
  void (*exchange)(unsigned mask, void* value, size_t bytes, unsigned source);
  unsigned (*ballot)(unsigned mask, int predicate);
  // ends the launch with this message
  void (*fail)(const char* message);
};

// State of the running block; each kernel library has one. Blocks run one after another.
struct Block {
  Thread* thread;
  uint3 index, size, grid;
  unsigned char* dynamic_shared;
  const Services* services;
};

struct Kernel {
  const char* name;
  void (*call)(void** arguments);
  const size_t* parameter_sizes;
  unsigned parameters;
  unsigned most_threads;  // __launch_bounds__, or 1024
};

struct KernelTable {
  Block* block;
  const Kernel* kernels;
  unsigned count;
  // the library's zero-initialised data, which holds its __shared__ variables and nothing else
  char* shared_begin;
  char* shared_end;
};

}  // namespace emulation
