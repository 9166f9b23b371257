// Updates of trainable parameters: float32 tensors, arithmetic in double, which costs nothing where
// memory is the bound (H100: one double FLOP for two float ones).

// p *= 1 - rate decay;  m = b1 m + (1 - b1) g;  v = b2 v + (1 - b2) g^2;
// p -= rate (m / bias1) / (sqrt(v / bias2) + epsilon)
//
// Bound by memory: 16 bytes read and 12 written per parameter; 20 million parameters take 0.17 ms. Some
// 20 double operations with two divisions and a root: 34 T a second at most, so 20 million parameters
// keep the double pipes busy for less than 0.1 ms. 256 threads of 48 registers: 40 warps of 64.
extern "C" __global__ void adamw(float* p, const float* g, float* m, float* v, i64 size,
                                 const double* varying_rate, double beta1, double beta2,
                                 double epsilon, double decay, const double* varying_bias1,
                                 const double* varying_bias2) {
  double rate = *varying_rate, bias1 = *varying_bias1, bias2 = *varying_bias2;
  i64 stride = (i64)gridDim.x * blockDim.x;
  for (i64 i = thread_index(); i < size; i += stride) {
    double gradient = g[i];
    double first = beta1 * m[i] + (1 - beta1) * gradient;
    double second = beta2 * v[i] + (1 - beta2) * gradient * gradient;
    double step = rate * (first / bias1) / (sqrt(second / bias2) + epsilon);
    m[i] = (float)first;
    v[i] = (float)second;
    p[i] = (float)(p[i] * (1 - rate * decay) - step);
  }
}

// Elements whose squares one block sums: fixed, so that the tree depends on the size alone.
#define NORM_CHUNK 8192

// partial[b] = sum of squares of chunk b.  Bound by memory: 4 bytes and 2 FLOP per element, 20 million
// in 24 us. 256 threads of 32 registers: full occupancy.
extern "C" __global__ void squares(const float* g, i64 size, double* partial) {
  __shared__ double shared[32];
  i64 first = (i64)blockIdx.x * NORM_CHUNK;
  i64 end = first + NORM_CHUNK < size ? first + NORM_CHUNK : size;
  double sum = 0;
  for (i64 i = first + threadIdx.x; i < end; i += blockDim.x) sum += (double)g[i] * g[i];
  sum = block_sum(sum, shared);
  if (threadIdx.x == 0) partial[blockIdx.x] = sum;
}

// sum += sum of count partial sums.  One block of 256 threads: bound by latency; 8 bytes per 8,192
// elements.
extern "C" __global__ void add_partial_sums(const double* partial, i64 count, float* sum) {
  __shared__ double shared[32];
  double total = 0;
  for (i64 i = threadIdx.x; i < count; i += blockDim.x) total += partial[i];
  total = block_sum(total, shared);
  if (threadIdx.x == 0) *sum = (float)(*sum + total);
}

// g *= min(1, max_norm / (sqrt(squared_norm) + 1e-6)); a norm of NaN makes every element NaN.
//
// Bound by memory: 8 bytes per element, 20 million in 48 us; nothing is touched where the factor is 1.
// 256 threads of 32 registers: full occupancy.
extern "C" __global__ void clip(float* g, i64 size, const float* squared_norm, float max_norm) {
  double factor = max_norm / (sqrt((double)*squared_norm) + 1e-6);
  if (factor >= 1) return;
  i64 stride = (i64)gridDim.x * blockDim.x;
  for (i64 i = thread_index(); i < size; i += stride) g[i] = (float)(g[i] * factor);
}
