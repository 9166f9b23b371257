// Barriers, fences, warp primitives and atomics.
#pragma once

inline void __syncthreads() { emulation::services().barrier(); }
inline int __syncthreads_or(int value) {
  return emulation::services().barrier_reduce(emulation::Reduction::any, value);
}
inline int __syncthreads_and(int value) {
  return emulation::services().barrier_reduce(emulation::Reduction::all, value);
}
inline int __syncthreads_count(int value) {
  return emulation::services().barrier_reduce(emulation::Reduction::count, value);
}
inline void __threadfence() {}
inline void __threadfence_block() {}
inline void __threadfence_system() {}
inline void __nanosleep(unsigned) {}
inline void __trap() { emulation::services().fail("__trap()"); }

namespace emulation {

// The lane that a shuffle within segments of `width` lanes reads; its own where there is none.
inline unsigned within(unsigned target, unsigned width) {
  return target / width == lane() / width && target < 32 ? target : lane();
}

template <class T>
inline T from_lane(unsigned mask, T value, unsigned source) {
  static_assert(sizeof(T) <= 16, "a shuffle moves at most 16 bytes");
  services().exchange(mask, &value, sizeof(T), source);
  return value;
}

}  // namespace emulation

template <class T>
inline T __shfl_sync(unsigned mask, T value, int source, int width = 32) {
  unsigned first = emulation::lane() & ~(width - 1);
  return emulation::from_lane(mask, value, first | (source & (width - 1)));
}
template <class T>
inline T __shfl_xor_sync(unsigned mask, T value, int lanes, int width = 32) {
  // lower segments may be read, higher ones not: as the hardware does
  unsigned self = emulation::lane(), target = self ^ lanes;
  bool legal = target / width <= self / width && target < 32;
  return emulation::from_lane(mask, value, legal ? target : self);
}
template <class T>
inline T __shfl_down_sync(unsigned mask, T value, unsigned delta, int width = 32) {
  return emulation::from_lane(mask, value, emulation::within(emulation::lane() + delta, width));
}
template <class T>
inline T __shfl_up_sync(unsigned mask, T value, unsigned delta, int width = 32) {
  unsigned self = emulation::lane();
  return emulation::from_lane(
      mask, value, delta > self ? self : emulation::within(self - delta, width));
}
inline unsigned __ballot_sync(unsigned mask, int predicate) {
  return emulation::services().ballot(mask, predicate);
}
inline int __any_sync(unsigned mask, int predicate) { return __ballot_sync(mask, predicate) != 0; }
inline int __all_sync(unsigned mask, int predicate) { return __ballot_sync(mask, !predicate) == 0; }
inline void __syncwarp(unsigned mask = 0xffffffffu) { (void)__ballot_sync(mask, 0); }

template <class T, class Combine>
inline T emulated_warp_reduce(unsigned mask, T value, Combine combine) {
  T total = value;
  bool first = true;
  for (unsigned source = 0; source < 32; source++) {
    if (mask >> source & 1) {
      T other = emulation::from_lane(mask, value, source);
      total = first ? other : combine(total, other);
      first = false;
    }
  }
  return total;
}
template <class T>
inline T __reduce_add_sync(unsigned mask, T value) {
  return emulated_warp_reduce(mask, value, [](T a, T b) { return a + b; });
}
template <class T>
inline T __reduce_max_sync(unsigned mask, T value) {
  return emulated_warp_reduce(mask, value, [](T a, T b) { return std::max(a, b); });
}
template <class T>
inline T __reduce_min_sync(unsigned mask, T value) {
  return emulated_warp_reduce(mask, value, [](T a, T b) { return std::min(a, b); });
}

// Fibers change only inside the services, so plain reads and writes are atomic.
template <class T, class U>
inline T atomicAdd(T* address, U value) {
  T old = *address;
  *address = old + static_cast<T>(value);
  return old;
}
template <class T, class U>
inline T atomicSub(T* address, U value) {
  T old = *address;
  *address = old - static_cast<T>(value);
  return old;
}
template <class T, class U>
inline T atomicMax(T* address, U value) {
  T old = *address;
  *address = std::max(old, static_cast<T>(value));
  return old;
}
template <class T, class U>
inline T atomicMin(T* address, U value) {
  T old = *address;
  *address = std::min(old, static_cast<T>(value));
  return old;
}
template <class T, class U>
inline T atomicOr(T* address, U value) {
  T old = *address;
  *address = old | static_cast<T>(value);
  return old;
}
template <class T, class U>
inline T atomicAnd(T* address, U value) {
  T old = *address;
  *address = old & static_cast<T>(value);
  return old;
}
template <class T, class U>
inline T atomicExch(T* address, U value) {
  T old = *address;
  *address = static_cast<T>(value);
  return old;
}
template <class T, class U, class V>
inline T atomicCAS(T* address, U expected, V value) {
  T old = *address;
  if (old == static_cast<T>(expected)) *address = static_cast<T>(value);
  return old;
}
inline unsigned atomicInc(unsigned* address, unsigned limit) {
  unsigned old = *address;
  *address = old >= limit ? 0 : old + 1;
  return old;
}
