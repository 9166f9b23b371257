// Which rows of a ragged batch see which, for the attention kernels (spans: io.mola.core.backend
// .AttentionOps).

// The rows that one query row sees: [prefix_from, prefix_to) and [from, to).
struct Visible {
  int prefix_from, prefix_to, from, to;

  __device__ __forceinline__ bool sees(int j) const {
    return (j >= prefix_from && j < prefix_to) || (j >= from && j < to);
  }

  // Whether any row of [first, end) is seen.
  __device__ __forceinline__ bool overlaps(int first, int end) const {
    return (max(first, prefix_from) < min(end, prefix_to)) || (max(first, from) < min(end, to));
  }

  __device__ __forceinline__ int first() const {
    return prefix_from < prefix_to ? min(prefix_from, from) : from;
  }
};

// What row t of the batch sees; without spans, t is a row of one sequence. Nothing if t is beyond n.
__device__ __forceinline__ Visible visible_rows(const int* spans, i64 t, i64 n, int past, int window) {
  Visible v = {0, 0, 0, 0};
  if (t >= n) return v;
  i64 last = t + past, start = 0;
  if (spans) {
    const int* span = spans + 4 * t;
    start = span[2];
    v.prefix_from = (int)max((i64)span[0], t - start + span[1] - window + 1);
    v.prefix_to = span[1];
    if (span[0] >= span[1]) v.prefix_from = v.prefix_to = 0;
  }
  v.from = (int)max(start, last - window + 1);
  v.to = (int)last + 1;
  return v;
}

__device__ __forceinline__ float warp_max(float v) {
  for (int lane = 16; lane > 0; lane >>= 1) v = fmaxf(v, __shfl_xor_sync(ALL_LANES, v, lane));
  return v;
}

__device__ __forceinline__ int warp_min(int v) {
  for (int lane = 16; lane > 0; lane >>= 1) v = min(v, __shfl_xor_sync(ALL_LANES, v, lane));
  return v;
}

__device__ __forceinline__ int warp_max(int v) {
  for (int lane = 16; lane > 0; lane >>= 1) v = max(v, __shfl_xor_sync(ALL_LANES, v, lane));
  return v;
}

// The first row seen by any of the block's rows, rounded down to a multiple of tile, and the end: known
// to every thread. bounds: two ints of shared memory.
__device__ __forceinline__ void block_bounds(const int* spans, int first_row, int rows, int n,
                                             int past, int window, int tile, int* bounds, int* from,
                                             int* to) {
  if (threadIdx.x < 32) {
    int low = 0x7fffffff, high = 0;
    for (int r = threadIdx.x; r < rows && first_row + r < n; r += 32) {
      Visible v = visible_rows(spans, (i64)first_row + r, n, past, window);
      low = min(low, v.first());
      high = max(high, v.to);
    }
    low = warp_min(low), high = warp_max(high);
    if (threadIdx.x == 0) bounds[0] = low, bounds[1] = high;
  }
  __syncthreads();
  *from = bounds[0] / tile * tile;
  *to = bounds[1];
}
