// needs: visibility.cu
// needs: fragments.cu
//
// Attention of attention.cu (formulas, operands and spans there) on tensor cores, for bfloat16
// activations and head dims up to 128: scores and weighted sums are products of 16 x 16 by 16 x 8
// tiles with float sums (mma.sync m16n8k16), probabilities are rounded to bfloat16 between the two,
// as in FlashAttention 2 (Dao 2023), gradients of scores are kept to twice that.
//
// A block has 4 warps; a warp owns 16 rows. Tiles lie in shared memory with rows padded by 8
// elements: the 32 lanes of a fragment's load then meet 32 banks.
//
// Bound by shared memory and tensor cores alike: per mma (4,096 FLOP) two loads of 128 bytes, both two
// clocks of a multiprocessor; at half of the tensor cores' dense rate that is about 250 TFLOP/s on an
// H100, ten times the float pipes. 4 c FLOP per visible pair forward; backward 10 c, 4 c computed again by
// both gradients and 4 c for the second products of fine weights. One sequence of 4,096 rows and 32 heads
// of 128: 137 GFLOP forward, 0.55 ms; 619 GFLOP backward, 2.5 ms.
//
// Occupancy by registers, which hold a warp's 16 x D sums; blocks of 4 warps. D = 128: forward 176 and key
// gradients 232 registers, two blocks (53 and 73 KB of shared memory), 8 warps of 64; query gradients 168,
// three (62 KB), 12 warps. D = 64: forward 128, four; query gradients 136 and key gradients 168, three. D =
// 32: forward 248, two; gradients of queries 128, four, of keys 168, three. So few warps hide little
// latency: staging is not overlapped with products, and the rates above are an upper bound.

#define WARPS 4
#define BLOCK_ROWS (16 * WARPS)
#define PADDING 8
#define LOG2_E 1.44269504088896341f
#define LN_2 0.69314718055994531f

// Rows first .. first + count - 1 of one head to shared memory: as they are, and transposed if
// asked; zeros beyond end and beyond column c. Neighbouring lanes take neighbouring rows. Returns
// whether any value is not finite.
template <int D>
__device__ __forceinline__ bool stage(const bf16* from, i64 row_stride, int c, int first, int count,
                                      int end, int whole, bf16* to, bf16* transposed) {
  bool bad = false;
  for (int i = threadIdx.x; i < count * (D / PACK); i += 32 * WARPS) {
    int r = i % count, col = i / count * PACK;
    float v[PACK];
    bool inside = first + r < end && col < c;
    if (inside) {
      load_pack(from + (i64)(first + r) * row_stride, col, c, whole, v);
    } else {
#pragma unroll
      for (int k = 0; k < PACK; k++) v[k] = 0.f;
    }
#pragma unroll
    for (int k = 0; k < PACK; k++) bad |= v[k] - v[k] != 0.f;
    if (to) store_words(to + r * (D + PADDING) + col, v);
    if (transposed) {
#pragma unroll
      for (int k = 0; k < PACK; k++) transposed[(col + k) * (count + PADDING) + r] = to_bf16(v[k]);
    }
  }
  return bad;
}

// sums[16, 8 B] = own[16, D] tile[8 B, D]^T
template <int D, int B>
__device__ __forceinline__ void scores(const bf16* own, const bf16* tile, int lane,
                                       float sums[B][4]) {
  constexpr int stride = D + PADDING;
#pragma unroll
  for (int b = 0; b < B; b++) sums[b][0] = sums[b][1] = sums[b][2] = sums[b][3] = 0.f;
#pragma unroll
  for (int k = 0; k < D; k += 16) {
    u32 a[4];
    load_rows(own, stride, k, lane, a);
#pragma unroll
    for (int b = 0; b < B; b++) {
      const bf16* row = tile + (8 * b + lane / 4) * stride + k + lane % 4 * 2;
      mma(sums[b], a, word(row), word(row + 8));
    }
  }
}

// sums[16, D] += weights[16, 8 B] tile[8 B, D], the tile transposed in shared memory. fine: with what
// rounding the weights loses, in a second product; gradients of scores cancel in their sum, so that
// they need it. guarded: rows of weight 0 take no part, even where they hold NaN or infinity.
template <int D, int B, bool fine>
__device__ __forceinline__ void weigh(float weights[B][4], const bf16* transposed, bool guarded,
                                      int lane, float sums[D / 8][4]) {
  constexpr int stride = 8 * B + PADDING;
  if (!guarded) {
#pragma unroll
    for (int b = 0; b < B; b += 2) {
      u32 a[4], rest[4];
      from_sums(weights[b], weights[b + 1], a);
      if (fine) {
        float left[4], right[4];
        remainders(weights[b], left);
        remainders(weights[b + 1], right);
        from_sums(left, right, rest);
      }
#pragma unroll
      for (int o = 0; o < D / 8; o++) {
        const bf16* column = transposed + (8 * o + lane / 4) * stride + 8 * b + lane % 4 * 2;
        u32 b0 = word(column), b1 = word(column + 8);
        mma(sums[o], a, b0, b1);
        if (fine) mma(sums[o], rest, b0, b1);
      }
    }
    return;
  }
#pragma unroll
  for (int b = 0; b < B; b++) {
#pragma unroll
    for (int e = 0; e < 2; e++) {
      for (int q = 0; q < 4; q++) {
        float upper = __shfl_sync(ALL_LANES, weights[b][e], lane / 4 * 4 + q);
        float lower = __shfl_sync(ALL_LANES, weights[b][2 + e], lane / 4 * 4 + q);
        int row = 8 * b + 2 * q + e;
#pragma unroll
        for (int o = 0; o < D / 8; o++) {
#pragma unroll
          for (int f = 0; f < 2; f++) {
            float v = to_float(transposed[(8 * o + lane % 4 * 2 + f) * stride + row]);
            if (upper != 0.f) sums[o][f] += upper * v;
            if (lower != 0.f) sums[o][2 + f] += lower * v;
          }
        }
      }
    }
  }
}

// Rows g and g+8 behind `first`, below end = sums times the row's factor.
template <int D>
__device__ __forceinline__ void store_rows(bf16* to, i64 row_stride, int c, int first, int end,
                                           int lane, float sums[D / 8][4], const float* factor) {
#pragma unroll
  for (int h = 0; h < 2; h++) {
    int row = first + lane / 4 + 8 * h;
    if (row >= end) continue;
#pragma unroll
    for (int o = 0; o < D / 8; o++)
#pragma unroll
      for (int e = 0; e < 2; e++) {
        int col = 8 * o + lane % 4 * 2 + e;
        if (col < c) put(to + (i64)row * row_stride + col, sums[o][2 * h + e] * factor[h]);
      }
  }
}

// out and lse, as attention.cu's forward. Shared: queries [64, D], keys [64, D], values [D, 64].
template <int D>
__device__ __forceinline__ void forward(const bf16* q, const bf16* k, const bf16* v, const int* spans,
                                        bf16* out, float* lse, int n, int keys, int past, int heads,
                                        int group, int c, int window, float scale, int whole) {
  constexpr int B = 8;
  __shared__ int bounds[2];
  DYN_SHARED(bf16, shared);
  int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  int head = blockIdx.y, first_row = (gridDim.x - 1 - blockIdx.x) * BLOCK_ROWS;
  int own = first_row + 16 * warp;
  i64 q_stride = (i64)heads * c, k_stride = (i64)(heads / group) * c;
  bf16* queries = shared;
  bf16* key_tile = queries + BLOCK_ROWS * (D + PADDING);
  bf16* value_tile = key_tile + 8 * B * (D + PADDING);
  k += head / group * c;
  v += head / group * c;

  stage<D>(q + head * c, q_stride, c, first_row, BLOCK_ROWS, n, whole, queries, 0);
  int from, to;
  block_bounds(spans, first_row, BLOCK_ROWS, n, past, window, 8 * B, bounds, &from, &to);

  Visible visible[2];
  float largest[2], sums[2], values[D / 8][4];
#pragma unroll
  for (int h = 0; h < 2; h++) {
    visible[h] = visible_rows(spans, (i64)own + lane / 4 + 8 * h, n, past, window);
    largest[h] = -INFINITE, sums[h] = 0.f;
  }
#pragma unroll
  for (int o = 0; o < D / 8; o++) values[o][0] = values[o][1] = values[o][2] = values[o][3] = 0.f;
  for (int j0 = from; j0 < to; j0 += 8 * B) {
    bool needed = visible[0].overlaps(j0, j0 + 8 * B) || visible[1].overlaps(j0, j0 + 8 * B);
    if (!__syncthreads_or(needed)) continue;
    stage<D>(k, k_stride, c, j0, 8 * B, keys, whole, key_tile, 0);
    bool bad = stage<D>(v, k_stride, c, j0, 8 * B, keys, whole, 0, value_tile);
    bool guarded = __syncthreads_or(bad);
    if (__ballot_sync(ALL_LANES, needed) == 0) continue;
    float p[B][4];
    scores<D, B>(queries + 16 * warp * (D + PADDING), key_tile, lane, p);
#pragma unroll
    for (int h = 0; h < 2; h++) {
      float now = largest[h];
#pragma unroll
      for (int b = 0; b < B; b++)
#pragma unroll
        for (int e = 0; e < 2; e++)
          if (visible[h].sees(j0 + 8 * b + lane % 4 * 2 + e))
            now = fmaxf(now, p[b][2 * h + e] * (scale * LOG2_E));
      now = quad_max(now);
      float shrink = largest[h] == now ? 1.f : exp2f(largest[h] - now);
      largest[h] = now;
      float sum = 0.f;
#pragma unroll
      for (int b = 0; b < B; b++)
#pragma unroll
        for (int e = 0; e < 2; e++) {
          float& score = p[b][2 * h + e];
          bool seen = visible[h].sees(j0 + 8 * b + lane % 4 * 2 + e);
          score = seen ? exp2f(score * (scale * LOG2_E) - now) : 0.f;
          sum += score;
        }
      sums[h] = sums[h] * shrink + sum;
#pragma unroll
      for (int o = 0; o < D / 8; o++) values[o][2 * h] *= shrink, values[o][2 * h + 1] *= shrink;
    }
    weigh<D, B, false>(p, value_tile, guarded, lane, values);
  }
  float inverse[2];
#pragma unroll
  for (int h = 0; h < 2; h++) {
    float sum = quad_sum(sums[h]);
    inverse[h] = 1.f / sum;
    int t = own + lane / 4 + 8 * h;
    if (lse && lane % 4 == 0 && t < n)
      lse[(i64)t * heads + head] = (largest[h] + log2f(sum)) * LN_2;
  }
  store_rows<D>(out + head * c, q_stride, c, own, n, lane, values, inverse);
}

// dq, as attention.cu's query_gradients. Shared: queries and their gradients [64, D], keys and values
// [32, D], keys transposed.
template <int D>
__device__ __forceinline__ void query_gradients(const bf16* d_out, const bf16* q, const bf16* k,
                                                const bf16* v, const float* lse, const float* delta,
                                                const int* spans, bf16* dq, int n, int heads,
                                                int group, int c, int window, float scale,
                                                int whole) {
  constexpr int B = 4;
  __shared__ int bounds[2];
  DYN_SHARED(bf16, shared);
  int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  int head = blockIdx.y, first_row = (gridDim.x - 1 - blockIdx.x) * BLOCK_ROWS;
  int own = first_row + 16 * warp;
  i64 q_stride = (i64)heads * c, k_stride = (i64)(heads / group) * c;
  bf16* queries = shared;
  bf16* gradients = queries + BLOCK_ROWS * (D + PADDING);
  bf16* key_tile = gradients + BLOCK_ROWS * (D + PADDING);
  bf16* value_tile = key_tile + 8 * B * (D + PADDING);
  bf16* transposed = value_tile + 8 * B * (D + PADDING);
  k += head / group * c;
  v += head / group * c;

  stage<D>(q + head * c, q_stride, c, first_row, BLOCK_ROWS, n, whole, queries, 0);
  stage<D>(d_out + head * c, q_stride, c, first_row, BLOCK_ROWS, n, whole, gradients, 0);
  int from, to;
  block_bounds(spans, first_row, BLOCK_ROWS, n, 0, window, 8 * B, bounds, &from, &to);

  Visible visible[2];
  float logs[2], means[2], sums[D / 8][4], one[2] = {1.f, 1.f};
#pragma unroll
  for (int h = 0; h < 2; h++) {
    i64 t = (i64)own + lane / 4 + 8 * h;
    visible[h] = visible_rows(spans, t, n, 0, window);
    logs[h] = t < n ? lse[t * heads + head] * LOG2_E : 0.f;
    means[h] = t < n ? delta[t * heads + head] : 0.f;
  }
#pragma unroll
  for (int o = 0; o < D / 8; o++) sums[o][0] = sums[o][1] = sums[o][2] = sums[o][3] = 0.f;
  for (int j0 = from; j0 < to; j0 += 8 * B) {
    bool needed = visible[0].overlaps(j0, j0 + 8 * B) || visible[1].overlaps(j0, j0 + 8 * B);
    if (!__syncthreads_or(needed)) continue;
    bool bad = stage<D>(k, k_stride, c, j0, 8 * B, n, whole, key_tile, transposed);
    stage<D>(v, k_stride, c, j0, 8 * B, n, whole, value_tile, 0);
    bool guarded = __syncthreads_or(bad);
    if (__ballot_sync(ALL_LANES, needed) == 0) continue;
    float s[B][4], dp[B][4];
    scores<D, B>(queries + 16 * warp * (D + PADDING), key_tile, lane, s);
    scores<D, B>(gradients + 16 * warp * (D + PADDING), value_tile, lane, dp);
#pragma unroll
    for (int b = 0; b < B; b++)
#pragma unroll
      for (int i = 0; i < 4; i++) {
        int h = i / 2, j = j0 + 8 * b + lane % 4 * 2 + i % 2;
        float p = exp2f(s[b][i] * (scale * LOG2_E) - logs[h]);
        s[b][i] = visible[h].sees(j) ? scale * p * (dp[b][i] - means[h]) : 0.f;
      }
    weigh<D, B, true>(s, transposed, guarded, lane, sums);
  }
  store_rows<D>(dq + head * c, q_stride, c, own, n, lane, sums, one);
}

// dk and dv, as attention.cu's key_gradients. Shared: keys and values [64, D]; queries and their
// gradients [32, D], both also transposed; what each query sees, its lse and its delta.
template <int D>
__device__ __forceinline__ void key_gradients(const bf16* d_out, const bf16* q, const bf16* k,
                                              const bf16* v, const float* lse, const float* delta,
                                              const int* spans, bf16* dk, bf16* dv, int n, int heads,
                                              int group, int c, int window, float scale, int whole) {
  constexpr int B = 4;
  __shared__ int ends;
  __shared__ Visible seen_by[8 * B];
  __shared__ float logs[8 * B], means[8 * B];
  DYN_SHARED(bf16, shared);
  int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  int key_head = blockIdx.y, first_row = blockIdx.x * BLOCK_ROWS, own = first_row + 16 * warp;
  i64 q_stride = (i64)heads * c, k_stride = (i64)(heads / group) * c;
  bf16* keys = shared;
  bf16* values = keys + BLOCK_ROWS * (D + PADDING);
  bf16* query_tile = values + BLOCK_ROWS * (D + PADDING);
  bf16* gradient_tile = query_tile + 8 * B * (D + PADDING);
  bf16* queries_transposed = gradient_tile + 8 * B * (D + PADDING);
  bf16* gradients_transposed = queries_transposed + D * (8 * B + PADDING);

  stage<D>(k + key_head * c, k_stride, c, first_row, BLOCK_ROWS, n, whole, keys, 0);
  stage<D>(v + key_head * c, k_stride, c, first_row, BLOCK_ROWS, n, whole, values, 0);
  if (threadIdx.x < 32) {
    int end = 0;
    for (int r = threadIdx.x; r < BLOCK_ROWS && first_row + r < n; r += 32)
      end = max(end, spans[4 * ((i64)first_row + r) + 3]);
    end = warp_max(end);
    if (threadIdx.x == 0) ends = end;
  }
  __syncthreads();
  int to = min(ends, n), last_row = min(first_row + BLOCK_ROWS, n);

  float d_keys[D / 8][4], d_values[D / 8][4], one[2] = {1.f, 1.f};
#pragma unroll
  for (int o = 0; o < D / 8; o++)
#pragma unroll
    for (int i = 0; i < 4; i++) d_keys[o][i] = d_values[o][i] = 0.f;
  for (int head = key_head * group; head < (key_head + 1) * group; head++) {
    for (int t0 = first_row / (8 * B) * (8 * B); t0 < to; t0 += 8 * B) {
      i64 t = (i64)t0 + lane;
      Visible visible = visible_rows(spans, t, n, 0, window);
      if (!__syncthreads_or(visible.overlaps(first_row, last_row))) continue;
      if (warp == 0) {
        seen_by[lane] = visible;
        logs[lane] = t < n ? lse[t * heads + head] * LOG2_E : 0.f;
        means[lane] = t < n ? delta[t * heads + head] : 0.f;
      }
      bool bad = stage<D>(q + head * c, q_stride, c, t0, 8 * B, n, whole, query_tile,
                          queries_transposed);
      bad |= stage<D>(d_out + head * c, q_stride, c, t0, 8 * B, n, whole, gradient_tile,
                      gradients_transposed);
      bool guarded = __syncthreads_or(bad);
      if (__ballot_sync(ALL_LANES, visible.overlaps(own, min(own + 16, n))) == 0) continue;
      float p[B][4], ds[B][4];
      scores<D, B>(keys + 16 * warp * (D + PADDING), query_tile, lane, p);
      scores<D, B>(values + 16 * warp * (D + PADDING), gradient_tile, lane, ds);
#pragma unroll
      for (int b = 0; b < B; b++)
#pragma unroll
        for (int i = 0; i < 4; i++) {
          int j = own + lane / 4 + i / 2 * 8, column = 8 * b + lane % 4 * 2 + i % 2;
          bool seen = j < n && seen_by[column].sees(j);
          p[b][i] = seen ? exp2f(p[b][i] * (scale * LOG2_E) - logs[column]) : 0.f;
          ds[b][i] = p[b][i] == 0.f ? 0.f : scale * p[b][i] * (ds[b][i] - means[column]);
        }
      weigh<D, B, false>(p, gradients_transposed, guarded, lane, d_values);
      weigh<D, B, true>(ds, queries_transposed, guarded, lane, d_keys);
    }
  }
  store_rows<D>(dk + key_head * c, k_stride, c, own, n, lane, d_keys, one);
  store_rows<D>(dv + key_head * c, k_stride, c, own, n, lane, d_values, one);
}

#define FORWARD_PARAMETERS                                                                    \
  const bf16 *q, const bf16 *k, const bf16 *v, const int *spans, bf16 *out, float *lse, int n, \
      int keys, int past, int heads, int group, int c, int window, float scale, int whole
#define FORWARD_ARGUMENTS \
  q, k, v, spans, out, lse, n, keys, past, heads, group, c, window, scale, whole

extern "C" __global__ void __launch_bounds__(128, 1) tensor_forward_32(FORWARD_PARAMETERS) {
  forward<32>(FORWARD_ARGUMENTS);
}
extern "C" __global__ void __launch_bounds__(128, 1) tensor_forward_64(FORWARD_PARAMETERS) {
  forward<64>(FORWARD_ARGUMENTS);
}
extern "C" __global__ void __launch_bounds__(128, 1) tensor_forward_128(FORWARD_PARAMETERS) {
  forward<128>(FORWARD_ARGUMENTS);
}

#define QUERY_PARAMETERS                                                                      \
  const bf16 *d_out, const bf16 *q, const bf16 *k, const bf16 *v, const float *lse,           \
      const float *delta, const int *spans, bf16 *dq, int n, int heads, int group, int c,     \
      int window, float scale, int whole
#define QUERY_ARGUMENTS \
  d_out, q, k, v, lse, delta, spans, dq, n, heads, group, c, window, scale, whole

extern "C" __global__ void __launch_bounds__(128, 1) tensor_query_gradients_32(QUERY_PARAMETERS) {
  query_gradients<32>(QUERY_ARGUMENTS);
}
extern "C" __global__ void __launch_bounds__(128, 1) tensor_query_gradients_64(QUERY_PARAMETERS) {
  query_gradients<64>(QUERY_ARGUMENTS);
}
extern "C" __global__ void __launch_bounds__(128, 1) tensor_query_gradients_128(QUERY_PARAMETERS) {
  query_gradients<128>(QUERY_ARGUMENTS);
}

#define KEY_PARAMETERS                                                                        \
  const bf16 *d_out, const bf16 *q, const bf16 *k, const bf16 *v, const float *lse,           \
      const float *delta, const int *spans, bf16 *dk, bf16 *dv, int n, int heads, int group,  \
      int c, int window, float scale, int whole
#define KEY_ARGUMENTS \
  d_out, q, k, v, lse, delta, spans, dk, dv, n, heads, group, c, window, scale, whole

extern "C" __global__ void __launch_bounds__(128, 1) tensor_key_gradients_32(KEY_PARAMETERS) {
  key_gradients<32>(KEY_ARGUMENTS);
}
extern "C" __global__ void __launch_bounds__(128, 1) tensor_key_gradients_64(KEY_PARAMETERS) {
  key_gradients<64>(KEY_ARGUMENTS);
}
extern "C" __global__ void __launch_bounds__(128, 1) tensor_key_gradients_128(KEY_PARAMETERS) {
  key_gradients<128>(KEY_ARGUMENTS);
}
