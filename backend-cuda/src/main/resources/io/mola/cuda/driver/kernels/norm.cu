// Root mean square norm. x, y [n, d] act; gain [1, d], rstd [n, 1] float. One block per row.

// rstd[t] = 1/sqrt(mean_j x[t,j]^2 + epsilon),  y[t,j] = x[t,j] rstd[t] gain[j]
//
// Bound by memory: 2 bytes read and 2 written per bfloat16 element, 5 FLOP: 1.2 ns per 1,000 elements,
// [4096, 4096] in 20 us. The row's second reading comes from the L1 cache. 512 threads (d >= 4,096) of
// 32 registers: full occupancy, four rows at a time.
extern "C" __global__ void rms_forward(const act* x, const float* gain, float epsilon, act* y,
                                       float* rstd, int d, int whole) {
  __shared__ float partial[32];
  i64 row = (i64)blockIdx.x * d;
  float squares = 0.f;
  for (int j = threadIdx.x * PACK; j < d; j += blockDim.x * PACK) {
    float v[PACK];
    load_pack(x + row, j, d, whole, v);
#pragma unroll
    for (int i = 0; i < PACK; i++) squares += v[i] * v[i];
  }
  float r = 1.f / sqrtf(block_sum(squares, partial) / d + epsilon);
  for (int j = threadIdx.x * PACK; j < d; j += blockDim.x * PACK) {
    float v[PACK], g[PACK];
    load_pack(x + row, j, d, whole, v);
    load_pack(gain, j, d, whole, g);
#pragma unroll
    for (int i = 0; i < PACK; i++) v[i] = v[i] * r * g[i];
    store_pack(y + row, j, d, whole, v);
  }
  if (threadIdx.x == 0) rstd[blockIdx.x] = r;
}

// dx[t,j] += rstd[t] (g_j - x[t,j] rstd[t]^2 mean_k(g_k x[t,k])),  g_j = dy[t,j] gain[j]
//
// Bound by memory: dy, x and dx read, dx written, 8 bytes per bfloat16 element, 9 FLOP: [4096, 4096] in
// 40 us. 512 threads of 48 registers: two blocks, 32 warps of 64, each thread with up to four loads of
// 16 bytes on their way.
extern "C" __global__ void rms_backward(const act* dy, const act* x, const float* gain,
                                        const float* rstd, act* dx, int d, int whole) {
  __shared__ float partial[32];
  i64 row = (i64)blockIdx.x * d;
  float products = 0.f;
  for (int j = threadIdx.x * PACK; j < d; j += blockDim.x * PACK) {
    float v[PACK], w[PACK], g[PACK];
    load_pack(x + row, j, d, whole, v);
    load_pack(dy + row, j, d, whole, w);
    load_pack(gain, j, d, whole, g);
#pragma unroll
    for (int i = 0; i < PACK; i++) products += w[i] * g[i] * v[i];
  }
  float r = rstd[blockIdx.x];
  float factor = block_sum(products, partial) / d * r * r;
  for (int j = threadIdx.x * PACK; j < d; j += blockDim.x * PACK) {
    float v[PACK], w[PACK], g[PACK], sum[PACK];
    load_pack(x + row, j, d, whole, v);
    load_pack(dy + row, j, d, whole, w);
    load_pack(gain, j, d, whole, g);
    load_pack(dx + row, j, d, whole, sum);
#pragma unroll
    for (int i = 0; i < PACK; i++) sum[i] += r * (w[i] * g[i] - v[i] * factor);
    store_pack(dx + row, j, d, whole, sum);
  }
}
