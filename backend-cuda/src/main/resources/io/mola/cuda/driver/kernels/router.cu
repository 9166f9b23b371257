// Load balance of routers. The router has n_experts columns from `column` on of logits and gates [n,
// width]; p = softmax over them. All of it is small: n * n_experts numbers, some 100 KB per router,
// so that launches cost more than bytes.

__device__ __forceinline__ float largest_logit(const float* logits, int n_experts) {
  float largest = logits[0];
  for (int i = 1; i < n_experts; i++)
    // NaN wins, so that it shows in every probability of its row
    largest = logits[i] > largest || logits[i] != logits[i] ? logits[i] : largest;
  return largest;
}

__device__ __forceinline__ double exponentials(const float* logits, int n_experts, float largest) {
  double sum = 0;
  for (int i = 0; i < n_experts; i++) sum += exp((double)logits[i] - largest);
  return sum;
}

// statistics[0,i] += sum_t w_t [gates[t,i] != 0],  statistics[1,i] += sum_t w_t p[t,i]
//
// One block per expert i; thread k sums the rows k, k + blockDim.x, ..., then a fixed tree. Bound by
// latency and by double precision exponentials: n * n_experts * (n_experts + 1) of them, 0.3 million at
// n = 4,096 and 8 experts, some 10 MFLOP; 0.3 MB are read. 8 blocks of 256 threads and 64 registers on as
// many multiprocessors, 8 warps each: what it takes is 16 rows one after the other, some 20 us.
extern "C" __global__ void balance_statistics(const float* logits, const float* gates,
                                              const int* row_weights, int n, int width, int column,
                                              int n_experts, float* statistics) {
  __shared__ double partial[32];
  int expert = blockIdx.x;
  double picks = 0, probability = 0;
  for (int t = threadIdx.x; t < n; t += blockDim.x) {
    const float* row = logits + (i64)t * width + column;
    double weight = row_weights[t];
    float largest = largest_logit(row, n_experts);
    double p = exp((double)row[expert] - largest) / exponentials(row, n_experts, largest);
    picks += gates[(i64)t * width + column + expert] != 0.f ? weight : 0;
    probability += weight * p;
  }
  picks = block_sum(picks, partial);
  probability = block_sum(probability, partial);
  if (threadIdx.x == 0) {
    statistics[expert] = (float)(statistics[expert] + picks);
    statistics[n_experts + expert] = (float)(statistics[n_experts + expert] + probability);
  }
}

// loss += factor N sum_i f_i P_i,  f_i = picks_i / sum picks,  P_i = p_i / sum p; nothing if no row
// was counted. One thread: bound by latency, a few us.
extern "C" __global__ void balance_loss(const float* statistics, int n_experts, float factor,
                                        float* loss) {
  double picks = 0, probability = 0, products = 0;
  for (int i = 0; i < n_experts; i++) {
    picks += statistics[i];
    probability += statistics[n_experts + i];
  }
  if (picks == 0) return;
  for (int i = 0; i < n_experts; i++)
    products += statistics[i] / picks * (statistics[n_experts + i] / probability);
  *loss = (float)(*loss + (double)factor * n_experts * products);
}

// d_logits[t, column + i] += factor w_t N / R p[t,i] (f_i - sum_k f_k p[t,k]),  R = sum picks / K.
// One thread per row, n_experts * 3 double exponentials each; 12 bytes per logit. Bound by latency: 4,096
// rows are 16 blocks of 256 threads and 56 registers, 8 warps on each of 16 multiprocessors.
extern "C" __global__ void balance_backward(const float* logits, const int* row_weights, int n,
                                            int width, int column, int n_experts, int top_k,
                                            const float* statistics, float factor,
                                            float* d_logits) {
  i64 t = thread_index();
  if (t >= n) return;
  double picks = 0;
  for (int i = 0; i < n_experts; i++) picks += statistics[i];
  if (picks == 0) return;
  const float* row = logits + t * width + column;
  float largest = largest_logit(row, n_experts);
  double sum = exponentials(row, n_experts, largest), mean = 0;
  for (int k = 0; k < n_experts; k++)
    mean += statistics[k] / picks * (exp((double)row[k] - largest) / sum);
  double scale = (double)factor * row_weights[t] * n_experts * top_k / picks;
  for (int i = 0; i < n_experts; i++) {
    double p = exp((double)row[i] - largest) / sum;
    float* target = d_logits + t * width + column + i;
    *target = (float)(*target + scale * p * (statistics[i] / picks - mean));
  }
}
