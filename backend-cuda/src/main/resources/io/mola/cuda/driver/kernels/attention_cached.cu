// needs: visibility.cu
//
// Attention of a generating model: one or few new rows over the keys and values of all before them.

#define TILE 32

// Attention of few new rows over a cache: out[i] = attention of q[i] over rows [max(0, past + i -
// window + 1), past + i]. One block per row and head; the warps take tiles of 32 keys in turn, each
// with its own running softmax, and are joined at the end.
//
// Bound by memory: k and v once per group of query heads if the L2 cache joins their reads, 4 bytes per
// bfloat16 column of the cache, 4 FLOP each: 4,096 keys of 4,096 columns in 20 us. 256 threads; 64
// registers at c = 64 give four blocks, 72 to 80 above it three, 24 warps of 64, and 4 to 9 KB of shared
// memory no bound; but a row of 32 heads is 32 blocks, so that latency counts: 256 keys are in flight per
// block.
template <int COLUMNS>
__device__ __forceinline__ void cached(const act* q, const act* k, const act* v, act* out, int past,
                                       int heads, int group, int c, int window, float scale,
                                       int whole) {
  DYN_SHARED(float, shared);
  int warps = blockDim.x / 32, warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  int head = blockIdx.y, row = blockIdx.x, last = past + row;
  i64 k_stride = (i64)(heads / group) * c;
  float* query = shared;
  float* largests = query + c;
  float* sums = largests + warps;
  float* parts = sums + warps;
  const act* own = q + ((i64)row * heads + head) * c;
  k += head / group * c;
  v += head / group * c;
  for (int i = threadIdx.x; i < c; i += blockDim.x) query[i] = to_float(own[i]);
  __syncthreads();

  int from = (int)max((i64)0, (i64)last - window + 1);
  float largest = -INFINITE, sum = 0.f, values[COLUMNS];
#pragma unroll
  for (int m = 0; m < COLUMNS; m++) values[m] = 0.f;
  for (int j0 = from + warp * TILE; j0 <= last; j0 += warps * TILE) {
    int j = j0 + lane, count = min(TILE, last - j0 + 1);
    float s = -INFINITE;
    if (lane < count) {
      float dot = 0.f;
      const act* key = k + j * k_stride;
      for (int i = 0; i < c; i += PACK) {
        float part[PACK];
        load_pack(key, i, c, whole, part);
#pragma unroll
        for (int e = 0; e < PACK; e++)
          if (whole || i + e < c) dot += query[i + e] * part[e];
      }
      s = dot * scale;
    }
    float now = fmaxf(largest, warp_max(s));
    float shrink = largest == now ? 1.f : expf(largest - now);
    float p = lane < count ? expf(s - now) : 0.f;
    sum = sum * shrink + p;
    largest = now;
#pragma unroll
    for (int m = 0; m < COLUMNS; m++) values[m] *= shrink;
    for (int i = 0; i < count; i++) {
      float weight = __shfl_sync(ALL_LANES, p, i);
      const act* value = v + (j0 + i) * k_stride;
#pragma unroll
      for (int m = 0; m < COLUMNS; m++)
        if (lane + 32 * m < c) values[m] += weight * to_float(value[lane + 32 * m]);
    }
  }
  sum = warp_sum(sum);
  if (lane == 0) largests[warp] = largest, sums[warp] = sum;
#pragma unroll
  for (int m = 0; m < COLUMNS; m++)
    if (lane + 32 * m < c) parts[warp * c + lane + 32 * m] = values[m];
  __syncthreads();
  float all = -INFINITE, total = 0.f;
  for (int w = 0; w < warps; w++) all = fmaxf(all, largests[w]);
  for (int w = 0; w < warps; w++)
    if (sums[w] != 0.f) total += sums[w] * expf(largests[w] - all);
  for (int i = threadIdx.x; i < c; i += blockDim.x) {
    float value = 0.f;
    for (int w = 0; w < warps; w++)
      if (sums[w] != 0.f) value += parts[w * c + i] * expf(largests[w] - all);
    put(out + ((i64)row * heads + head) * c + i, value / total);
  }
}

// Head dims up to 32, 64, 128 and 256: 1, 2, 4 and 8 columns per lane.

#define CACHED_PARAMETERS                                                                     \
  const act *q, const act *k, const act *v, act *out, int past, int heads, int group, int c, \
      int window, float scale, int whole
#define CACHED_ARGUMENTS q, k, v, out, past, heads, group, c, window, scale, whole

extern "C" __global__ void __launch_bounds__(256, 1) attention_cached_1(CACHED_PARAMETERS) {
  cached<1>(CACHED_ARGUMENTS);
}
extern "C" __global__ void __launch_bounds__(256, 1) attention_cached_2(CACHED_PARAMETERS) {
  cached<2>(CACHED_ARGUMENTS);
}
extern "C" __global__ void __launch_bounds__(256, 1) attention_cached_4(CACHED_PARAMETERS) {
  cached<4>(CACHED_ARGUMENTS);
}
extern "C" __global__ void __launch_bounds__(256, 1) attention_cached_8(CACHED_PARAMETERS) {
  cached<8>(CACHED_ARGUMENTS);
}
