// Before every group of kernels: types, conversions, vector access, reductions. No header is
// included, so that NVRTC needs no include path. The same source also compiles as C++ against an
// emulator of CUDA threads (CUDA_EMU), which has no inline assembly.
//
// Parameters named varying_... point to numbers that change from step to step, so that a recorded step
// stays right.
//
// act is the type of activations and of the operands of products: bfloat16, or float where
// ACTIVATION_BF16 is 0. Sums are float or double throughout.
//
// Budgets in comments are for bfloat16 on an H100 SXM, worked out on paper: 3.35 TB/s, 989 TFLOP/s on
// tensor cores, 60 on the float pipes (a multiply-add counts as two). Occupancy is the share of the 64
// warps that each of its 132 multiprocessors can hold, by registers (65,536; kernel-check/KERNELS.md
// counts them) and shared memory (228 KB, of which each block costs 1 KB more than it asks for).

typedef unsigned char u8;
typedef unsigned short bf16;
typedef unsigned int u32;
typedef long long i64;
typedef unsigned long long u64;

#if ACTIVATION_BF16
typedef bf16 act;
#else
typedef float act;
#endif

#ifndef CUDA_EMU
#define DYN_SHARED(T, name)                                        \
  extern __shared__ __align__(16) unsigned char dynamic_shared[]; \
  T* name = reinterpret_cast<T*>(dynamic_shared)
#define INFINITE __int_as_float(0x7f800000)
#else
#define INFINITE __builtin_huge_valf()
#endif

#define ALL_LANES 0xffffffffu

// Elements that a thread reads or writes with one or two 16-byte accesses.
#define PACK 8

struct __align__(16) Words4 {
  u32 x, y, z, w;
};

__device__ __forceinline__ float to_float(float v) { return v; }
__device__ __forceinline__ float to_float(bf16 v) { return __uint_as_float((u32)v << 16); }

// Nearest bfloat16, ties to even.
__device__ __forceinline__ bf16 to_bf16(float v) {
#ifndef CUDA_EMU
  bf16 bits;
  asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(bits) : "f"(v));
  return bits;
#else
  u32 bits = __float_as_uint(v);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return 0x7fff;
  return (bf16)((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
#endif
}

__device__ __forceinline__ void put(float* p, float v) { *p = v; }
__device__ __forceinline__ void put(bf16* p, float v) { *p = to_bf16(v); }

// The value that act holds of v.
__device__ __forceinline__ float rounded(float v) {
#if ACTIVATION_BF16
  return to_float(to_bf16(v));
#else
  return v;
#endif
}

__device__ __forceinline__ void load_words(const float* p, float* v) {
  Words4 a = reinterpret_cast<const Words4*>(p)[0];
  Words4 b = reinterpret_cast<const Words4*>(p)[1];
  v[0] = __uint_as_float(a.x), v[1] = __uint_as_float(a.y);
  v[2] = __uint_as_float(a.z), v[3] = __uint_as_float(a.w);
  v[4] = __uint_as_float(b.x), v[5] = __uint_as_float(b.y);
  v[6] = __uint_as_float(b.z), v[7] = __uint_as_float(b.w);
}

__device__ __forceinline__ void load_words(const bf16* p, float* v) {
  Words4 a = *reinterpret_cast<const Words4*>(p);
  v[0] = __uint_as_float(a.x << 16), v[1] = __uint_as_float(a.x & 0xffff0000u);
  v[2] = __uint_as_float(a.y << 16), v[3] = __uint_as_float(a.y & 0xffff0000u);
  v[4] = __uint_as_float(a.z << 16), v[5] = __uint_as_float(a.z & 0xffff0000u);
  v[6] = __uint_as_float(a.w << 16), v[7] = __uint_as_float(a.w & 0xffff0000u);
}

__device__ __forceinline__ void store_words(float* p, const float* v) {
  Words4 a = {__float_as_uint(v[0]), __float_as_uint(v[1]), __float_as_uint(v[2]),
              __float_as_uint(v[3])};
  Words4 b = {__float_as_uint(v[4]), __float_as_uint(v[5]), __float_as_uint(v[6]),
              __float_as_uint(v[7])};
  reinterpret_cast<Words4*>(p)[0] = a;
  reinterpret_cast<Words4*>(p)[1] = b;
}

__device__ __forceinline__ u32 bf16_pair(float low, float high) {
  return (u32)to_bf16(low) | (u32)to_bf16(high) << 16;
}

__device__ __forceinline__ void store_words(bf16* p, const float* v) {
  Words4 a = {bf16_pair(v[0], v[1]), bf16_pair(v[2], v[3]), bf16_pair(v[4], v[5]),
              bf16_pair(v[6], v[7])};
  *reinterpret_cast<Words4*>(p) = a;
}

// v = p[at .. at + PACK) as far as they lie below end, 0 beyond. whole: p + at is aligned to 16
// bytes and at + PACK <= end wherever at < end.
template <class T>
__device__ __forceinline__ void load_pack(const T* p, i64 at, i64 end, int whole, float* v) {
  if (whole) {
    load_words(p + at, v);
    return;
  }
#pragma unroll
  for (int i = 0; i < PACK; i++) v[i] = at + i < end ? to_float(p[at + i]) : 0.f;
}

template <class T>
__device__ __forceinline__ void store_pack(T* p, i64 at, i64 end, int whole, const float* v) {
  if (whole) {
    store_words(p + at, v);
    return;
  }
#pragma unroll
  for (int i = 0; i < PACK; i++)
    if (at + i < end) put(p + at + i, v[i]);
}

template <class T>
__device__ __forceinline__ T warp_sum(T v) {
  for (int lane = 16; lane > 0; lane >>= 1) v += __shfl_xor_sync(ALL_LANES, v, lane);
  return v;
}

// The sum over the block, in a fixed tree, known to every thread. The block has whole warps.
// partial: one element per warp, in shared memory.
template <class T>
__device__ __forceinline__ T block_sum(T v, T* partial) {
  int warps = (blockDim.x + 31) / 32;
  v = warp_sum(v);
  __syncthreads();
  if (threadIdx.x % 32 == 0) partial[threadIdx.x / 32] = v;
  __syncthreads();
  T sum = 0;
  for (int i = 0; i < warps; i++) sum += partial[i];
  return sum;
}

// Index of this thread in a one-dimensional grid.
__device__ __forceinline__ i64 thread_index() {
  return (i64)blockIdx.x * blockDim.x + threadIdx.x;
}
