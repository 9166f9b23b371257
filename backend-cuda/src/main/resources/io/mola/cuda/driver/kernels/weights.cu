// Frozen weights in their file encoding (ggml's block layouts; io.mola.core.quant is the definition
// and has the formulas): decoding to act, rows of an embedding, and a search for damage.
//
// Rows are runs of whole blocks and lie in logical order, so a matrix is one run of blocks and
// element e of it is element e % LENGTH of block e / LENGTH.

// IEEE half to float.
__device__ __forceinline__ float half_to_float(u32 h) {
#ifndef CUDA_EMU
  float v;
  asm("cvt.f32.f16 %0, %1;" : "=f"(v) : "h"((unsigned short)h));
  return v;
#else
  u32 sign = (h & 0x8000u) << 16, exponent = (h >> 10) & 31u, mantissa = h & 0x3ffu;
  if (exponent == 31u) return __uint_as_float(sign | 0x7f800000u | mantissa << 13);
  if (exponent != 0u) return __uint_as_float(sign | (exponent + 112u) << 23 | mantissa << 13);
  float v = mantissa * (1.f / 16777216.f);
  return sign ? -v : v;
#endif
}

__device__ __forceinline__ float half_at(const u8* p) {
  return half_to_float((u32)p[0] | (u32)p[1] << 8);
}

__device__ __forceinline__ u32 word_at(const u8* p) {
  return (u32)p[0] | (u32)p[1] << 8 | (u32)p[2] << 16 | (u32)p[3] << 24;
}

// Each type: LENGTH elements in BYTES bytes; pack() decodes elements i .. i + PACK - 1 of a block, i
// a multiple of PACK, so that they share a sub-block. Sums and products in the order of the
// definition.

struct Q4_0 {
  enum { LENGTH = 32, BYTES = 18 };
  static __device__ __forceinline__ void pack(const u8* b, int i, float* v) {
    float d = half_at(b);
#pragma unroll
    for (int k = 0; k < PACK; k++) v[k] = ((b[2 + i % 16 + k] >> (i / 16 * 4) & 15) - 8) * d;
  }
};

struct Q4_1 {
  enum { LENGTH = 32, BYTES = 20 };
  static __device__ __forceinline__ void pack(const u8* b, int i, float* v) {
    float d = half_at(b), m = half_at(b + 2);
#pragma unroll
    for (int k = 0; k < PACK; k++) v[k] = (b[4 + i % 16 + k] >> (i / 16 * 4) & 15) * d + m;
  }
};

struct Q5_0 {
  enum { LENGTH = 32, BYTES = 22 };
  static __device__ __forceinline__ void pack(const u8* b, int i, float* v) {
    float d = half_at(b);
    u32 high = word_at(b + 2) >> i;
#pragma unroll
    for (int k = 0; k < PACK; k++) {
      int q = (b[6 + i % 16 + k] >> (i / 16 * 4) & 15) | (high >> k & 1u) << 4;
      v[k] = (q - 16) * d;
    }
  }
};

struct Q5_1 {
  enum { LENGTH = 32, BYTES = 24 };
  static __device__ __forceinline__ void pack(const u8* b, int i, float* v) {
    float d = half_at(b), m = half_at(b + 2);
    u32 high = word_at(b + 4) >> i;
#pragma unroll
    for (int k = 0; k < PACK; k++) {
      int q = (b[8 + i % 16 + k] >> (i / 16 * 4) & 15) | (high >> k & 1u) << 4;
      v[k] = q * d + m;
    }
  }
};

struct Q8_0 {
  enum { LENGTH = 32, BYTES = 34 };
  static __device__ __forceinline__ void pack(const u8* b, int i, float* v) {
    float d = half_at(b);
#pragma unroll
    for (int k = 0; k < PACK; k++) v[k] = (signed char)b[2 + i + k] * d;
  }
};

// 6-bit scale of sub-block j of Q4_K and Q5_K, p at the 12 packed bytes.
__device__ __forceinline__ int packed_scale(const u8* p, int j) {
  return j < 4 ? p[j] & 63 : (p[j + 4] & 15) | (p[j - 4] >> 6) << 4;
}

// 6-bit minimum of sub-block j.
__device__ __forceinline__ int packed_minimum(const u8* p, int j) {
  return j < 4 ? p[j + 4] & 63 : (p[j + 4] >> 4) | (p[j] >> 6) << 4;
}

struct Q4_K {
  enum { LENGTH = 256, BYTES = 144 };
  static __device__ __forceinline__ void pack(const u8* b, int i, float* v) {
    int j = i / 32;
    float scale = half_at(b) * packed_scale(b + 4, j);
    float minimum = half_at(b + 2) * packed_minimum(b + 4, j);
#pragma unroll
    for (int k = 0; k < PACK; k++)
      v[k] = scale * (b[16 + 32 * (j / 2) + i % 32 + k] >> (j % 2 * 4) & 15) - minimum;
  }
};

struct Q5_K {
  enum { LENGTH = 256, BYTES = 176 };
  static __device__ __forceinline__ void pack(const u8* b, int i, float* v) {
    int j = i / 32;
    float scale = half_at(b) * packed_scale(b + 4, j);
    float minimum = half_at(b + 2) * packed_minimum(b + 4, j);
#pragma unroll
    for (int k = 0; k < PACK; k++) {
      int q = (b[48 + 32 * (j / 2) + i % 32 + k] >> (j % 2 * 4) & 15) |
              (b[16 + i % 32 + k] >> j & 1) << 4;
      v[k] = scale * q - minimum;
    }
  }
};

struct Q6_K {
  enum { LENGTH = 256, BYTES = 210 };
  static __device__ __forceinline__ void pack(const u8* b, int i, float* v) {
    float scale = half_at(b + 208) * (signed char)b[192 + i / 16];
    int half = i / 128, run = i / 32 % 4;
    const u8* low = b + 64 * half + 32 * (run % 2) + i % 32;
    const u8* high = b + 128 + 32 * half + i % 32;
#pragma unroll
    for (int k = 0; k < PACK; k++) {
      int q = (low[k] >> (run / 2 * 4) & 15) | (high[k] >> (2 * run) & 3) << 4;
      v[k] = scale * (q - 32);
    }
  }
};

// Plain types: one element per block.

struct F32 {
  enum { LENGTH = 1, BYTES = 4 };
  static __device__ __forceinline__ float one(const u8* p) { return __uint_as_float(word_at(p)); }
};

struct F16 {
  enum { LENGTH = 1, BYTES = 2 };
  static __device__ __forceinline__ float one(const u8* p) { return half_at(p); }
};

struct BF16 {
  enum { LENGTH = 1, BYTES = 2 };
  static __device__ __forceinline__ float one(const u8* p) {
    return __uint_as_float((u32)p[0] << 16 | (u32)p[1] << 24);
  }
};

// Elements that a block of threads decodes: 64 blocks of 32 or 8 of 256, whose bytes are a multiple
// of 16 for every type.
#define RUN 2048
#define RUN_THREADS (RUN / PACK)
#define LARGEST_RUN_BYTES (RUN / 32 * 34)

// The PACK elements of this thread within its run, decoded from bytes that the block of threads
// first brings to shared memory 16 at a time; from is aligned to 16 bytes, staged holds
// LARGEST_RUN_BYTES. The first element's index is returned.
template <class T>
__device__ __forceinline__ i64 decode_run(const u8* from, i64 elements, Words4* staged, float* v) {
  i64 first = (i64)blockIdx.x * RUN;
  const u8* run = from + first / T::LENGTH * T::BYTES;
  i64 left = (elements - first) / T::LENGTH * T::BYTES;
  int bytes = left < RUN / T::LENGTH * T::BYTES ? (int)left : RUN / T::LENGTH * T::BYTES;
  u8* shared = reinterpret_cast<u8*>(staged);
  for (int i = threadIdx.x * 16; i < bytes; i += RUN_THREADS * 16) {
    if (i + 16 <= bytes) {
      staged[i / 16] = *reinterpret_cast<const Words4*>(run + i);
    } else {
      for (int k = i; k < bytes; k++) shared[k] = run[k];
    }
  }
  __syncthreads();
  int at = threadIdx.x * PACK;
  if (first + at < elements) T::pack(shared + at / T::LENGTH * T::BYTES, at % T::LENGTH, v);
  return first + at;
}

template <class T>
__device__ __forceinline__ i64 decode_plain(const u8* from, i64 elements, float* v) {
  i64 first = thread_index() * PACK;
#pragma unroll
  for (int k = 0; k < PACK; k++)
    v[k] = first + k < elements ? T::one(from + (first + k) * T::BYTES) : 0.f;
  return first;
}

// Numbers of the types: their ids in GGUF files.
__device__ __forceinline__ i64 decode_pack(int type, const u8* from, i64 elements, float* v) {
  __shared__ Words4 staged[LARGEST_RUN_BYTES / 16];
  switch (type) {
    case 0: return decode_plain<F32>(from, elements, v);
    case 1: return decode_plain<F16>(from, elements, v);
    case 2: return decode_run<Q4_0>(from, elements, staged, v);
    case 3: return decode_run<Q4_1>(from, elements, staged, v);
    case 6: return decode_run<Q5_0>(from, elements, staged, v);
    case 7: return decode_run<Q5_1>(from, elements, staged, v);
    case 8: return decode_run<Q8_0>(from, elements, staged, v);
    case 12: return decode_run<Q4_K>(from, elements, staged, v);
    case 13: return decode_run<Q5_K>(from, elements, staged, v);
    case 14: return decode_run<Q6_K>(from, elements, staged, v);
    default: return decode_plain<BF16>(from, elements, v);
  }
}

// to[e] = element e of the matrix, rounded to act.
//
// Bound by memory: for Q4_K 0.56 bytes read and 2 written per element, so that a [4096, 4096] matrix
// takes 13 us at 3.35 TB/s, against 140 us and more for its product with 4,096 rows. Some 10
// instructions per element, where the multiprocessors issue some 24 in that time. 2.2 KB of shared
// memory, 256 threads of 32 registers: full occupancy.
extern "C" __global__ void decode(int type, const u8* from, i64 elements, act* to) {
  float v[PACK];
  i64 at = decode_pack(type, from, elements, v);
  if (at < elements) store_pack(to, at, elements, at + PACK <= elements, v);
}

// *found = 1 if an element is not finite: 0 * v is NaN exactly there. Every writer writes the same.
//
// Bound by memory: the file bytes once, at load; registers and shared memory as decode.
extern "C" __global__ void find_not_finite(int type, const u8* from, i64 elements, int* found) {
  float v[PACK];
  i64 at = decode_pack(type, from, elements, v);
  float sum = 0.f;
#pragma unroll
  for (int k = 0; k < PACK; k++)
    if (at + k < elements) sum += 0.f * v[k];
  if (sum != 0.f) *found = 1;
}

template <class T>
__device__ __forceinline__ void row_pack(const u8* row, int col, int in, float* v) {
  T::pack(row + (i64)(col / T::LENGTH) * T::BYTES, col % T::LENGTH, v);
}

template <class T>
__device__ __forceinline__ void row_plain(const u8* row, int col, int in, float* v) {
#pragma unroll
  for (int k = 0; k < PACK; k++) v[k] = col + k < in ? T::one(row + (i64)(col + k) * T::BYTES) : 0.f;
}

// y[t, :] = row ids[t] of the table [.., in], of row_bytes bytes a row; one thread per PACK elements.
//
// Bound by latency: a few thousand rows of some KB, 2 bytes written per element (4,096 rows of 4,096: 10
// us); nothing beside the products. 256 threads of 32 registers: full occupancy.
extern "C" __global__ void embed(int type, const u8* table, i64 row_bytes, const int* ids, act* y,
                                 int tokens, int in, int whole) {
  int packs = (in + PACK - 1) / PACK;
  i64 index = thread_index();
  if (index >= (i64)tokens * packs) return;
  i64 t = index / packs;
  int col = (int)(index % packs) * PACK;
  const u8* row = table + ids[t] * row_bytes;
  float v[PACK];
  switch (type) {
    case 0: row_plain<F32>(row, col, in, v); break;
    case 1: row_plain<F16>(row, col, in, v); break;
    case 2: row_pack<Q4_0>(row, col, in, v); break;
    case 3: row_pack<Q4_1>(row, col, in, v); break;
    case 6: row_pack<Q5_0>(row, col, in, v); break;
    case 7: row_pack<Q5_1>(row, col, in, v); break;
    case 8: row_pack<Q8_0>(row, col, in, v); break;
    case 12: row_pack<Q4_K>(row, col, in, v); break;
    case 13: row_pack<Q5_K>(row, col, in, v); break;
    case 14: row_pack<Q6_K>(row, col, in, v); break;
    default: row_plain<BF16>(row, col, in, v); break;
  }
  store_pack(y + t * in, col, in, whole, v);
}
