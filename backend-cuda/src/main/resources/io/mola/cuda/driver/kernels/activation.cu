// Elementwise operations and movement of rows. All are bound by memory: at most some 20 FLOP per
// element, where 3.35 TB/s leave room for 18 float operations per byte. Blocks of 256 threads without
// shared memory, PACK elements a thread, 16 bytes per access: at most 32 registers give full occupancy,
// 40 (swiglu_backward) 48 warps of 64. whole: all addresses are aligned to 16 bytes.

__device__ __forceinline__ float sigmoid(float a) { return 1.f / (1.f + expf(-a)); }

// y = silu(gate) up,  silu(a) = a sigmoid(a).  6 bytes per bfloat16 element, some 10 FLOP: [4096,
// 11008] in 81 us.
extern "C" __global__ void swiglu_forward(const act* gate, const act* up, act* y, i64 size,
                                          int whole) {
  i64 at = thread_index() * PACK;
  if (at >= size) return;
  int vector = whole && at + PACK <= size;
  float g[PACK], u[PACK];
  load_pack(gate, at, size, vector, g);
  load_pack(up, at, size, vector, u);
#pragma unroll
  for (int i = 0; i < PACK; i++) g[i] = g[i] * sigmoid(g[i]) * u[i];
  store_pack(y, at, size, vector, g);
}

// d_gate = dy up s (1 + gate (1 - s)),  d_up = dy silu(gate),  s = sigmoid(gate). d_gate may be dy.
// 10 bytes per bfloat16 element, some 16 FLOP: [4096, 11008] in 135 us. silu's slope has terms that
// cancel for large negative gates, where s is 0: gate s is then 0 too, since |gate| stays finite.
extern "C" __global__ void swiglu_backward(const act* dy, const act* gate, const act* up,
                                           act* d_gate, act* d_up, i64 size, int whole) {
  i64 at = thread_index() * PACK;
  if (at >= size) return;
  int vector = whole && at + PACK <= size;
  float d[PACK], g[PACK], u[PACK];
  load_pack(dy, at, size, vector, d);
  load_pack(gate, at, size, vector, g);
  load_pack(up, at, size, vector, u);
#pragma unroll
  for (int i = 0; i < PACK; i++) {
    float s = sigmoid(g[i]);
    u[i] = d[i] * u[i] * (s + g[i] * s * (1.f - s));
    g[i] = d[i] * g[i] * s;
  }
  store_pack(d_gate, at, size, vector, u);
  store_pack(d_up, at, size, vector, g);
}

template <class T>
__device__ __forceinline__ void add_pack(const T* x, T* y, i64 size, int whole) {
  i64 at = thread_index() * PACK;
  if (at >= size) return;
  int vector = whole && at + PACK <= size;
  float v[PACK], sum[PACK];
  load_pack(x, at, size, vector, v);
  load_pack(y, at, size, vector, sum);
#pragma unroll
  for (int i = 0; i < PACK; i++) sum[i] += v[i];
  store_pack(y, at, size, vector, sum);
}

// y += x.  6 bytes per bfloat16 element, 1 FLOP: [4096, 4096] in 30 us.
extern "C" __global__ void add_act(const act* x, act* y, i64 size, int whole) {
  add_pack(x, y, size, whole);
}

// y += x.  12 bytes per element, 1 FLOP.
extern "C" __global__ void add_f32(const float* x, float* y, i64 size, int whole) {
  add_pack(x, y, size, whole);
}

// to = from, rounded to act: parameters as operands of products.  6 bytes per element.
extern "C" __global__ void narrow(const float* from, act* to, i64 size, int whole) {
  i64 at = thread_index() * PACK;
  if (at >= size) return;
  int vector = whole && at + PACK <= size;
  float v[PACK];
  load_pack(from, at, size, vector, v);
  store_pack(to, at, size, vector, v);
}

// high + low = from, to twice the mantissa of act: parameters whose products decide something.  8
// bytes per element.
extern "C" __global__ void split(const float* from, act* high, act* low, i64 size, int whole) {
  i64 at = thread_index() * PACK;
  if (at >= size) return;
  int vector = whole && at + PACK <= size;
  float v[PACK];
  load_pack(from, at, size, vector, v);
  store_pack(high, at, size, vector, v);
#pragma unroll
  for (int i = 0; i < PACK; i++) v[i] -= rounded(v[i]);
  store_pack(low, at, size, vector, v);
}

// to = from, whose type differs.  6 bytes per element.
extern "C" __global__ void widen(const act* from, float* to, i64 size, int whole) {
  i64 at = thread_index() * PACK;
  if (at >= size) return;
  int vector = whole && at + PACK <= size;
  float v[PACK];
  load_pack(from, at, size, vector, v);
  store_pack(to, at, size, vector, v);
}

// y[i, :] = x[rows[i], :], d columns.  4 bytes per bfloat16 element.
extern "C" __global__ void gather_rows(const act* x, const int* rows, act* y, int count, int d,
                                       int whole) {
  int packs = (d + PACK - 1) / PACK;
  i64 index = thread_index();
  if (index >= (i64)count * packs) return;
  i64 row = index / packs;
  int col = (int)(index % packs) * PACK;
  float v[PACK];
  load_pack(x + (i64)rows[row] * d, col, d, whole, v);
  store_pack(y + row * d, col, d, whole, v);
}

// dx[rows[i], :] += dy[i, :]; the rows are distinct.  6 bytes per bfloat16 element.
extern "C" __global__ void scatter_add_rows(const act* dy, const int* rows, act* dx, int count,
                                            int d, int whole) {
  int packs = (d + PACK - 1) / PACK;
  i64 index = thread_index();
  if (index >= (i64)count * packs) return;
  i64 row = index / packs;
  int col = (int)(index % packs) * PACK;
  float v[PACK], sum[PACK];
  act* target = dx + (i64)rows[row] * d;
  load_pack(dy + row * d, col, d, whole, v);
  load_pack(target, col, d, whole, sum);
#pragma unroll
  for (int i = 0; i < PACK; i++) sum[i] += v[i];
  store_pack(target, col, d, whole, sum);
}
