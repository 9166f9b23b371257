// Products on tensor cores: mma.sync m16n8k16 with bfloat16 factors and float sums, and its fragments.
// Lane 4 g + t of a warp holds, of a 16 x 8 sum, columns 2t, 2t+1 of rows g and g+8; of a 16 x 16
// factor, columns 2t, 2t+1, 2t+8, 2t+9 of these rows; of a 16 x 8 factor, these rows of column g.

struct Pair {
  u32 x, y;
};

__device__ __forceinline__ float low_half(u32 w) { return __uint_as_float(w << 16); }
__device__ __forceinline__ float high_half(u32 w) { return __uint_as_float(w & 0xffff0000u); }

__device__ __forceinline__ u32 word(const bf16* p) { return *reinterpret_cast<const u32*>(p); }

// sum[16, 8] += a[16, 16] b[16, 8], fragments over the lanes of a warp.
__device__ __forceinline__ void mma(float* sum, const u32* a, u32 b0, u32 b1) {
#ifndef CUDA_EMU
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, "
      "{%8, %9}, {%0, %1, %2, %3};"
      : "+f"(sum[0]), "+f"(sum[1]), "+f"(sum[2]), "+f"(sum[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
#else
  int lane = threadIdx.x % 32;
  Words4 mine = {a[0], a[1], a[2], a[3]};
  Pair other = {b0, b1};
  for (int q = 0; q < 4; q++) {
    // columns 2q, 2q+1, 2q+8, 2q+9 of a's rows g and g+8, and these rows of b
    Words4 w = __shfl_sync(ALL_LANES, mine, lane / 4 * 4 + q);
    for (int e = 0; e < 2; e++) {
      Pair b = __shfl_sync(ALL_LANES, other, 4 * (lane % 4 * 2 + e) + q);
      sum[e] += low_half(w.x) * low_half(b.x) + high_half(w.x) * high_half(b.x) +
                low_half(w.z) * low_half(b.y) + high_half(w.z) * high_half(b.y);
      sum[2 + e] += low_half(w.y) * low_half(b.x) + high_half(w.y) * high_half(b.x) +
                    low_half(w.w) * low_half(b.y) + high_half(w.w) * high_half(b.y);
    }
  }
#endif
}

// The fragment of rows g, g+8 and columns k .. k+15 of 16 rows in shared memory.
__device__ __forceinline__ void load_rows(const bf16* rows, int stride, int k, int lane, u32* a) {
  const bf16* p = rows + lane / 4 * stride + k + lane % 4 * 2;
  a[0] = word(p);
  a[1] = word(p + 8 * stride);
  a[2] = word(p + 8);
  a[3] = word(p + 8 * stride + 8);
}

// The fragment of two neighbouring 16 x 8 sums as one 16 x 16 factor.
__device__ __forceinline__ void from_sums(const float* left, const float* right, u32* a) {
  a[0] = bf16_pair(left[0], left[1]);
  a[1] = bf16_pair(left[2], left[3]);
  a[2] = bf16_pair(right[0], right[1]);
  a[3] = bf16_pair(right[2], right[3]);
}

// What from_sums loses of one sum.
__device__ __forceinline__ void remainders(const float* sums, float* rest) {
#pragma unroll
  for (int i = 0; i < 4; i++) rest[i] = sums[i] - to_float(to_bf16(sums[i]));
}

__device__ __forceinline__ float quad_max(float v) {
  v = fmaxf(v, __shfl_xor_sync(ALL_LANES, v, 1));
  return fmaxf(v, __shfl_xor_sync(ALL_LANES, v, 2));
}

__device__ __forceinline__ float quad_sum(float v) {
  v += __shfl_xor_sync(ALL_LANES, v, 1);
  return v + __shfl_xor_sync(ALL_LANES, v, 2);
}
