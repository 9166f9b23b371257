// Cross-entropy over rows of logits [rows, vocabulary], float, as a product left them.

// statistics[t] = (max_v l[t,v], 1 / sum_v exp(l[t,v] - max)),
// losses[t] = weights[t] (log sum exp - l[t, targets[t]])
//
// One block per row. Bound by memory: 4 bytes per logit, read twice, the second time from the L2
// cache (a row of 128,000 logits has 0.5 MB): 512 rows of 32,000 take 20 us. 4 FLOP and an exponential
// per logit, of which a multiprocessor does 16 a clock: a quarter of the time that memory needs. 512
// threads of 32 registers: full occupancy. Rows of weight 0 are skipped, so that they lose exactly
// nothing.
extern "C" __global__ void cross_entropy(const float* logits, const int* targets,
                                         const int* weights, int vocabulary, float2* statistics,
                                         double* losses) {
  __shared__ float largest_of_warp[32];
  __shared__ double partial[32];
  i64 t = blockIdx.x;
  const float* row = logits + t * vocabulary;
  float largest = -INFINITE;
  for (int v = threadIdx.x; v < vocabulary; v += blockDim.x) {
    float logit = row[v];
    largest = logit > largest || logit != logit ? logit : largest;
  }
  for (int lane = 16; lane > 0; lane >>= 1) {
    float other = __shfl_xor_sync(ALL_LANES, largest, lane);
    largest = other > largest || other != other ? other : largest;
  }
  if (threadIdx.x % 32 == 0) largest_of_warp[threadIdx.x / 32] = largest;
  __syncthreads();
  for (int i = 0; i < blockDim.x / 32; i++) {
    float other = largest_of_warp[i];
    largest = other > largest || other != other ? other : largest;
  }
  // float sums of at most vocabulary / blockDim.x terms, then double
  float sum = 0.f;
  double total = 0;
  int terms = 0;
  for (int v = threadIdx.x; v < vocabulary; v += blockDim.x) {
    sum += expf(row[v] - largest);
    if (++terms % 64 == 0) total += sum, sum = 0.f;
  }
  total = block_sum(total + sum, partial);
  if (threadIdx.x == 0) {
    double loss = (double)largest + log(total) - row[targets[t]];
    statistics[t].x = largest;
    statistics[t].y = (float)(1 / total);
    losses[t] = weights[t] == 0 ? 0 : weights[t] * loss;
  }
}

// to[t, v] = factor weights[t] (p[t, first + v] - [targets[t] = first + v]) for `columns` columns of
// the logits from `first` on, as an operand of the product with those rows of the head. Grid: rows x
// packs of columns.
//
// Bound by memory: 4 bytes read and 2 written per logit, 4 FLOP and an exponential: 512 rows of 32,000 in
// 29 us. 256 threads of 32 registers: full occupancy.
extern "C" __global__ void cross_entropy_gradient(const float* logits, const float2* statistics,
                                                  const int* targets, const int* weights,
                                                  const double* varying_factor, int vocabulary,
                                                  int first, int columns, act* to, int whole) {
  i64 t = blockIdx.x;
  int at = (blockIdx.y * blockDim.x + threadIdx.x) * PACK;
  if (at >= columns) return;
  float v[PACK];
  load_pack(logits + t * vocabulary + first, at, columns, whole, v);
  float largest = statistics[t].x, inverse = statistics[t].y;
  float scale = (float)*varying_factor * weights[t];
  int target = targets[t] - first - at;
#pragma unroll
  for (int i = 0; i < PACK; i++)
    v[i] = scale == 0.f ? 0.f : scale * (expf(v[i] - largest) * inverse - (i == target ? 1.f : 0.f));
  store_pack(to + t * columns, at, columns, whole, v);
}

// loss += sum of the losses of all rows, in a fixed tree. One block: bound by latency, 8 bytes per row.
extern "C" __global__ void add_losses(const double* losses, int rows, float* loss) {
  __shared__ double partial[32];
  double sum = 0;
  for (int t = threadIdx.x; t < rows; t += blockDim.x) sum += losses[t];
  sum = block_sum(sum, partial);
  if (threadIdx.x == 0) *loss = (float)(*loss + sum);
}
