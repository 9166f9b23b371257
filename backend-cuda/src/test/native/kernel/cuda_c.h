// CUDA C for g++: the vocabulary of kernels, included before a kernel source. Threads are fibers
// of one OS thread (fibers.h), so nothing here is thread-local and plain statics are shared memory.
#pragma once
#define CUDA_EMU 1
#include <algorithm>
#include <cfloat>
#include <climits>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <type_traits>
#include <utility>

#include "launch_table.h"

namespace emulation {

// In .data: .bss belongs to shared variables.
__attribute__((section(".data"))) static Block block{};

inline const Services& services() { return *block.services; }
inline unsigned lane() { return block.thread->linear & 31; }

template <class T>
inline T* dynamic_shared() {
  return reinterpret_cast<T*>(block.dynamic_shared);
}

template <class... P, size_t... I>
inline void apply(void (*kernel)(P...), void** arguments, std::index_sequence<I...>) {
  kernel(*static_cast<std::remove_cv_t<P>*>(arguments[I])...);
}

template <auto kernel, class Signature = decltype(kernel)>
struct Entry;

template <auto kernel, class... P>
struct Entry<kernel, void (*)(P...)> {
  static void call(void** arguments) {
    apply(kernel, arguments, std::index_sequence_for<P...>{});
  }
  static constexpr size_t sizes[sizeof...(P) + 1] = {sizeof(P)..., 0};
  static constexpr Kernel describe(const char* name, unsigned most_threads = 1024) {
    return {name, call, sizes, sizeof...(P), most_threads};
  }
};

}  // namespace emulation

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline __attribute__((always_inline))
#define __noinline__ __attribute__((noinline))
#define __launch_bounds__(...)
#define __restrict__ __restrict
#define __align__(n) alignas(n)
#define __constant__ static const
#define __shared__ static
#define __grid_constant__
#define DYN_SHARED(type, name) type* name = emulation::dynamic_shared<type>()
#define threadIdx (emulation::block.thread->index)
#define blockIdx (emulation::block.index)
#define blockDim (emulation::block.size)
#define gridDim (emulation::block.grid)
#define warpSize 32
#define __builtin_assume(condition) ((void)0)
#define __launch_bounds(...)

#include "vectors.h"
#include "warps.h"
#include "arithmetic.h"
