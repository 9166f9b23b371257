// needs: visibility.cu
//
// Causal attention over a ragged batch on the float pipes, without an n x n matrix (online softmax:
// Milakov, Gimelshein 2018; tiles and recomputation: Dao et al. 2022).
//
// q, out [n, heads c] act; k, v [keys, heads / group c] act; lse, delta [n, heads] float. Query head
// h reads key head h / group. Row t of spans [n, 4] is (prefix_start, prefix_end, start,
// readers_end): t sees [prefix_start, prefix_end) and [start, t], less than a window away; row j is
// read by rows [j, readers_end) only.
//
// A warp owns ROWS rows and works through tiles of 32 rows of the other side: lane i takes the scores
// of tile row i with its ROWS rows, then all lanes share the columns of the weighted sums. Operands lie
// as floats in shared memory. Bound by FLOP of the float pipes: 8 shared loads of up to 16 bytes per
// 16 multiply-adds keep them about half busy, so some 30 TFLOP/s; 4 c FLOP per visible pair forward, 10 c
// backward and 4 c more that both gradients compute again. One sequence of 4,096 rows and 32 heads of 128:
// 137 GFLOP forward, 5 ms; 481 GFLOP backward, 16 ms. Rows are read from memory once per 32 rows of the
// other side, mostly from the L2 cache: less than 1 ms.
//
// Occupancy by registers, which hold sums of 4 rows; blocks of 8 warps, at c = 128 54 KB of shared memory
// forward and 75 KB backward: forward and query gradients two blocks, 16 warps of 64, key gradients one (up
// to c = 64 two). c = 256 has blocks of 4 and 2 warps and 85 KB: 8 and 4 warps. Latency is hidden within a
// warp, by 16 independent sums per lane and more.

#define ROWS 4
#define TILE 32

// Shared memory of a block: columns are padded with zeros to a multiple of 4; rows of tiles have an
// odd stride, so that lanes that read one column of 32 rows meet 32 banks.
struct Layout {
  int padded, stride;
  __device__ __forceinline__ Layout(int c) : padded((c + 3) / 4 * 4), stride((c + 3) / 4 * 4 + 1) {}
};

// to[r, :] = rows first .. first + count - 1 of one head; zeros beyond end. Returns whether any value
// is not finite.
__device__ __forceinline__ bool stage(const act* from, i64 row_stride, int c, int first, int count,
                                      int end, int padded, int stride, float* to) {
  bool bad = false;
  for (int i = threadIdx.x; i < count * padded; i += blockDim.x) {
    int r = i / padded, col = i % padded;
    float v = first + r < end && col < c ? to_float(from[(i64)(first + r) * row_stride + col]) : 0.f;
    bad |= v - v != 0.f;
    to[r * stride + col] = v;
  }
  return bad;
}

// s[r] = row r of own . row `lane` of tile
__device__ __forceinline__ void dots(const float* own, const float* tile, Layout at, int lane,
                                     float* s) {
#pragma unroll
  for (int r = 0; r < ROWS; r++) s[r] = 0.f;
  const float* other = tile + lane * at.stride;
  for (int i = 0; i < at.padded; i += 4) {
    float a = other[i], b = other[i + 1], c = other[i + 2], d = other[i + 3];
#pragma unroll
    for (int r = 0; r < ROWS; r++) {
      float4 q = *reinterpret_cast<const float4*>(own + r * at.padded + i);
      s[r] += q.x * a + q.y * b + q.z * c + q.w * d;
    }
  }
}

// sum[r][m] += sum_j w[j].r tile[j, lane + 32 m]. guarded: rows of weight 0 take no part, even where
// they hold NaN or infinity. Columns beyond c read what lies behind and are never stored.
template <int COLUMNS>
__device__ __forceinline__ void weigh(const float4* w, const float* tile, Layout at, int lane,
                                      bool guarded, float sum[ROWS][COLUMNS]) {
  for (int j = 0; j < TILE; j++) {
    float4 p = w[j];
    const float* row = tile + j * at.stride + lane;
#pragma unroll
    for (int m = 0; m < COLUMNS; m++) {
      float v = row[32 * m];
      if (guarded) {
        if (p.x != 0.f) sum[0][m] += p.x * v;
        if (p.y != 0.f) sum[1][m] += p.y * v;
        if (p.z != 0.f) sum[2][m] += p.z * v;
        if (p.w != 0.f) sum[3][m] += p.w * v;
      } else {
        sum[0][m] += p.x * v;
        sum[1][m] += p.y * v;
        sum[2][m] += p.z * v;
        sum[3][m] += p.w * v;
      }
    }
  }
}

// Rows first .. first + ROWS - 1 below end = sums, one head.
template <int COLUMNS>
__device__ __forceinline__ void store_rows(act* to, i64 row_stride, int c, int first, int end,
                                           int lane, float sum[ROWS][COLUMNS], const float* factor) {
#pragma unroll
  for (int r = 0; r < ROWS; r++) {
    if (first + r >= end) continue;
#pragma unroll
    for (int m = 0; m < COLUMNS; m++)
      if (lane + 32 * m < c) put(to + (i64)(first + r) * row_stride + lane + 32 * m, sum[r][m] * factor[r]);
  }
}

// out[t] = sum_j softmax_j(scale q[t].k[j]) v[j] over the rows j that t sees, lse[t] = log sum_j
// exp(score). Grid: tiles of rows x heads; the last rows, which see most, start first. past: position
// of row 0 where there are no spans, else 0.
template <int COLUMNS>
__device__ __forceinline__ void forward(const act* q, const act* k, const act* v, const int* spans,
                                        act* out, float* lse, int n, int keys, int past, int heads,
                                        int group, int c, int window, float scale) {
  __shared__ int bounds[2];
  DYN_SHARED(float, shared);
  Layout at(c);
  int warps = blockDim.x / 32, warp = threadIdx.x / 32, lane = threadIdx.x % 32, rows = warps * ROWS;
  int head = blockIdx.y, first_row = (gridDim.x - 1 - blockIdx.x) * rows;
  i64 q_stride = (i64)heads * c, k_stride = (i64)(heads / group) * c;
  float* queries = shared;
  float4* weights = reinterpret_cast<float4*>(queries + rows * at.padded) + warp * TILE;
  float* key_tile = queries + rows * at.padded + rows * TILE;
  float* value_tile = key_tile + TILE * at.stride;
  k += head / group * c;
  v += head / group * c;

  stage(q + head * c, q_stride, c, first_row, rows, n, at.padded, at.padded, queries);
  int from, to;
  block_bounds(spans, first_row, rows, n, past, window, TILE, bounds, &from, &to);

  Visible visible[ROWS];
  float largest[ROWS], sums[ROWS], values[ROWS][COLUMNS];
#pragma unroll
  for (int r = 0; r < ROWS; r++) {
    visible[r] = visible_rows(spans, (i64)first_row + warp * ROWS + r, n, past, window);
    largest[r] = -INFINITE, sums[r] = 0.f;
#pragma unroll
    for (int m = 0; m < COLUMNS; m++) values[r][m] = 0.f;
  }
  for (int j0 = from; j0 < to; j0 += TILE) {
    bool needed = false;
#pragma unroll
    for (int r = 0; r < ROWS; r++) needed |= visible[r].overlaps(j0, j0 + TILE);
    if (!__syncthreads_or(needed)) continue;
    stage(k, k_stride, c, j0, TILE, keys, at.padded, at.stride, key_tile);
    bool bad = stage(v, k_stride, c, j0, TILE, keys, at.padded, at.stride, value_tile);
    bool guarded = __syncthreads_or(bad);
    if (!needed) continue;
    float s[ROWS], p[ROWS];
    dots(queries + warp * ROWS * at.padded, key_tile, at, lane, s);
#pragma unroll
    for (int r = 0; r < ROWS; r++) {
      bool seen = visible[r].sees(j0 + lane);
      float score = seen ? s[r] * scale : -INFINITE;
      float now = fmaxf(largest[r], warp_max(score));
      float shrink = largest[r] == now ? 1.f : expf(largest[r] - now);
      p[r] = seen ? expf(score - now) : 0.f;
      sums[r] = sums[r] * shrink + p[r];
      largest[r] = now;
#pragma unroll
      for (int m = 0; m < COLUMNS; m++) values[r][m] *= shrink;
    }
    float4 column = {p[0], p[1], p[2], p[3]};
    weights[lane] = column;
    __syncwarp();
    weigh<COLUMNS>(weights, value_tile, at, lane, guarded, values);
  }
  float inverse[ROWS];
#pragma unroll
  for (int r = 0; r < ROWS; r++) {
    float sum = warp_sum(sums[r]);
    inverse[r] = 1.f / sum;
    int t = first_row + warp * ROWS + r;
    if (lse && lane == 0 && t < n) lse[(i64)t * heads + head] = largest[r] + logf(sum);
  }
  store_rows<COLUMNS>(out + head * c, q_stride, c, first_row + warp * ROWS, n, lane, values, inverse);
}

// delta[t, head] = d_out[t, head] . out[t, head].  One warp each. Bound by memory: 4 bytes and 2 FLOP per
// bfloat16 column, [4096, 4096] in 20 us. 256 threads of 32 registers: full occupancy.
extern "C" __global__ void attention_delta(const act* d_out, const act* out, float* delta, i64 count,
                                           int c) {
  i64 index = thread_index() / 32;
  if (index >= count) return;
  float sum = 0.f;
  for (int i = threadIdx.x % 32; i < c; i += 32)
    sum += to_float(d_out[index * c + i]) * to_float(out[index * c + i]);
  sum = warp_sum(sum);
  if (threadIdx.x % 32 == 0) delta[index] = sum;
}

// With p = exp(scale q.k - lse), ds = scale p (d_out.v - delta):  dq[t] = sum_j ds[t,j] k[j]. As
// forward, with twice the scores.
template <int COLUMNS>
__device__ __forceinline__ void query_gradients(const act* d_out, const act* q, const act* k,
                                                const act* v, const float* lse, const float* delta,
                                                const int* spans, act* dq, int n, int heads,
                                                int group, int c, int window, float scale) {
  __shared__ int bounds[2];
  DYN_SHARED(float, shared);
  Layout at(c);
  int warps = blockDim.x / 32, warp = threadIdx.x / 32, lane = threadIdx.x % 32, rows = warps * ROWS;
  int head = blockIdx.y, first_row = (gridDim.x - 1 - blockIdx.x) * rows;
  i64 q_stride = (i64)heads * c, k_stride = (i64)(heads / group) * c;
  float* queries = shared;
  float* gradients = queries + rows * at.padded;
  float4* weights = reinterpret_cast<float4*>(gradients + rows * at.padded) + warp * TILE;
  float* key_tile = gradients + rows * at.padded + rows * TILE;
  float* value_tile = key_tile + TILE * at.stride;
  k += head / group * c;
  v += head / group * c;

  stage(q + head * c, q_stride, c, first_row, rows, n, at.padded, at.padded, queries);
  stage(d_out + head * c, q_stride, c, first_row, rows, n, at.padded, at.padded, gradients);
  int from, to;
  block_bounds(spans, first_row, rows, n, 0, window, TILE, bounds, &from, &to);

  Visible visible[ROWS];
  float logs[ROWS], means[ROWS], sums[ROWS][COLUMNS], one[ROWS];
#pragma unroll
  for (int r = 0; r < ROWS; r++) {
    i64 t = (i64)first_row + warp * ROWS + r;
    visible[r] = visible_rows(spans, t, n, 0, window);
    logs[r] = t < n ? lse[t * heads + head] : 0.f;
    means[r] = t < n ? delta[t * heads + head] : 0.f;
    one[r] = 1.f;
#pragma unroll
    for (int m = 0; m < COLUMNS; m++) sums[r][m] = 0.f;
  }
  for (int j0 = from; j0 < to; j0 += TILE) {
    bool needed = false;
#pragma unroll
    for (int r = 0; r < ROWS; r++) needed |= visible[r].overlaps(j0, j0 + TILE);
    if (!__syncthreads_or(needed)) continue;
    bool bad = stage(k, k_stride, c, j0, TILE, n, at.padded, at.stride, key_tile);
    stage(v, k_stride, c, j0, TILE, n, at.padded, at.stride, value_tile);
    bool guarded = __syncthreads_or(bad);
    if (!needed) continue;
    float s[ROWS], dp[ROWS], ds[ROWS];
    dots(queries + warp * ROWS * at.padded, key_tile, at, lane, s);
    dots(gradients + warp * ROWS * at.padded, value_tile, at, lane, dp);
#pragma unroll
    for (int r = 0; r < ROWS; r++)
      ds[r] = visible[r].sees(j0 + lane)
                  ? scale * expf(s[r] * scale - logs[r]) * (dp[r] - means[r])
                  : 0.f;
    float4 column = {ds[0], ds[1], ds[2], ds[3]};
    weights[lane] = column;
    __syncwarp();
    weigh<COLUMNS>(weights, key_tile, at, lane, guarded, sums);
  }
  store_rows<COLUMNS>(dq + head * c, q_stride, c, first_row + warp * ROWS, n, lane, sums, one);
}

// dk[j] = sum_t ds[t,j] q[t],  dv[j] = sum_t p[t,j] d_out[t], over the query heads of a key head one
// after the other. A block owns rows of k and v; tiles are rows of q and d_out. Grid: tiles of rows x
// key heads.
template <int COLUMNS>
__device__ __forceinline__ void key_gradients(const act* d_out, const act* q, const act* k,
                                              const act* v, const float* lse, const float* delta,
                                              const int* spans, act* dk, act* dv, int n, int heads,
                                              int group, int c, int window, float scale) {
  __shared__ int ends;
  DYN_SHARED(float, shared);
  Layout at(c);
  int warps = blockDim.x / 32, warp = threadIdx.x / 32, lane = threadIdx.x % 32, rows = warps * ROWS;
  int key_head = blockIdx.y, first_row = blockIdx.x * rows, own = first_row + warp * ROWS;
  i64 q_stride = (i64)heads * c, k_stride = (i64)(heads / group) * c;
  float* keys = shared;
  float* values = keys + rows * at.padded;
  float4* weights = reinterpret_cast<float4*>(values + rows * at.padded) + warp * TILE;
  float4* gradients = weights + warps * TILE;
  float* query_tile = values + rows * at.padded + 2 * rows * TILE;
  float* gradient_tile = query_tile + TILE * at.stride;

  stage(k + key_head * c, k_stride, c, first_row, rows, n, at.padded, at.padded, keys);
  stage(v + key_head * c, k_stride, c, first_row, rows, n, at.padded, at.padded, values);
  if (threadIdx.x < 32) {
    bool exists = threadIdx.x < rows && first_row + threadIdx.x < n;
    int end = warp_max(exists ? spans[4 * ((i64)first_row + threadIdx.x) + 3] : 0);
    if (threadIdx.x == 0) ends = end;
  }
  __syncthreads();
  int to = min(ends, n);

  float d_keys[ROWS][COLUMNS], d_values[ROWS][COLUMNS], one[ROWS];
#pragma unroll
  for (int r = 0; r < ROWS; r++) {
    one[r] = 1.f;
#pragma unroll
    for (int m = 0; m < COLUMNS; m++) d_keys[r][m] = d_values[r][m] = 0.f;
  }
  for (int head = key_head * group; head < (key_head + 1) * group; head++) {
    for (int t0 = first_row / TILE * TILE; t0 < to; t0 += TILE) {
      i64 t = (i64)t0 + lane;
      Visible visible = visible_rows(spans, t, n, 0, window);
      bool needed = __ballot_sync(ALL_LANES, visible.overlaps(own, min(own + ROWS, n))) != 0;
      if (!__syncthreads_or(needed)) continue;
      bool bad = stage(q + head * c, q_stride, c, t0, TILE, n, at.padded, at.stride, query_tile);
      bad |= stage(d_out + head * c, q_stride, c, t0, TILE, n, at.padded, at.stride, gradient_tile);
      bool guarded = __syncthreads_or(bad);
      if (!needed) continue;
      float s[ROWS], dp[ROWS], p[ROWS], ds[ROWS];
      dots(keys + warp * ROWS * at.padded, query_tile, at, lane, s);
      dots(values + warp * ROWS * at.padded, gradient_tile, at, lane, dp);
      float log = t < n ? lse[t * heads + head] : 0.f;
      float mean = t < n ? delta[t * heads + head] : 0.f;
#pragma unroll
      for (int r = 0; r < ROWS; r++) {
        p[r] = own + r < n && visible.sees(own + r) ? expf(s[r] * scale - log) : 0.f;
        ds[r] = p[r] == 0.f ? 0.f : scale * p[r] * (dp[r] - mean);
      }
      float4 w = {p[0], p[1], p[2], p[3]}, g = {ds[0], ds[1], ds[2], ds[3]};
      weights[lane] = w;
      gradients[lane] = g;
      __syncwarp();
      weigh<COLUMNS>(weights, gradient_tile, at, lane, guarded, d_values);
      weigh<COLUMNS>(gradients, query_tile, at, lane, guarded, d_keys);
    }
  }
  store_rows<COLUMNS>(dk + key_head * c, k_stride, c, own, n, lane, d_keys, one);
  store_rows<COLUMNS>(dv + key_head * c, k_stride, c, own, n, lane, d_values, one);
}

// Head dims up to 32, 64, 128 and 256: 1, 2, 4 and 8 columns per lane.

#define FORWARD_PARAMETERS                                                                   \
  const act *q, const act *k, const act *v, const int *spans, act *out, float *lse, int n,   \
      int keys, int past, int heads, int group, int c, int window, float scale
#define FORWARD_ARGUMENTS \
  q, k, v, spans, out, lse, n, keys, past, heads, group, c, window, scale

extern "C" __global__ void __launch_bounds__(256, 1) attention_forward_1(FORWARD_PARAMETERS) {
  forward<1>(FORWARD_ARGUMENTS);
}
extern "C" __global__ void __launch_bounds__(256, 1) attention_forward_2(FORWARD_PARAMETERS) {
  forward<2>(FORWARD_ARGUMENTS);
}
extern "C" __global__ void __launch_bounds__(256, 1) attention_forward_4(FORWARD_PARAMETERS) {
  forward<4>(FORWARD_ARGUMENTS);
}
extern "C" __global__ void __launch_bounds__(256, 1) attention_forward_8(FORWARD_PARAMETERS) {
  forward<8>(FORWARD_ARGUMENTS);
}

#define QUERY_PARAMETERS                                                                        \
  const act *d_out, const act *q, const act *k, const act *v, const float *lse,                 \
      const float *delta, const int *spans, act *dq, int n, int heads, int group, int c, int window, \
      float scale
#define QUERY_ARGUMENTS \
  d_out, q, k, v, lse, delta, spans, dq, n, heads, group, c, window, scale

extern "C" __global__ void __launch_bounds__(256, 1) attention_query_gradients_1(QUERY_PARAMETERS) {
  query_gradients<1>(QUERY_ARGUMENTS);
}
extern "C" __global__ void __launch_bounds__(256, 1) attention_query_gradients_2(QUERY_PARAMETERS) {
  query_gradients<2>(QUERY_ARGUMENTS);
}
extern "C" __global__ void __launch_bounds__(256, 1) attention_query_gradients_4(QUERY_PARAMETERS) {
  query_gradients<4>(QUERY_ARGUMENTS);
}
extern "C" __global__ void __launch_bounds__(256, 1) attention_query_gradients_8(QUERY_PARAMETERS) {
  query_gradients<8>(QUERY_ARGUMENTS);
}

#define KEY_PARAMETERS                                                                          \
  const act *d_out, const act *q, const act *k, const act *v, const float *lse,                 \
      const float *delta, const int *spans, act *dk, act *dv, int n, int heads, int group, int c, \
      int window, float scale
#define KEY_ARGUMENTS \
  d_out, q, k, v, lse, delta, spans, dk, dv, n, heads, group, c, window, scale

extern "C" __global__ void __launch_bounds__(256, 1) attention_key_gradients_1(KEY_PARAMETERS) {
  key_gradients<1>(KEY_ARGUMENTS);
}
extern "C" __global__ void __launch_bounds__(256, 1) attention_key_gradients_2(KEY_PARAMETERS) {
  key_gradients<2>(KEY_ARGUMENTS);
}
extern "C" __global__ void __launch_bounds__(256, 1) attention_key_gradients_4(KEY_PARAMETERS) {
  key_gradients<4>(KEY_ARGUMENTS);
}
extern "C" __global__ void __launch_bounds__(256, 1) attention_key_gradients_8(KEY_PARAMETERS) {
  key_gradients<8>(KEY_ARGUMENTS);
}
