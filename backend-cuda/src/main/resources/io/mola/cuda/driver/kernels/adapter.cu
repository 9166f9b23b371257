// Mixtures of low-rank experts around their products: dropout, routing, gates, and their gradients.
// z, du [n, rank] float, logits, gates [n, routed] float; a member is the experts of one projection.

#define MOST_MEMBERS 16

struct Member {
  int experts, rank, top_k, rank_offset, expert_offset;
  float scale;
};

struct Members {
  int count;
  Member of[MOST_MEMBERS];
};

// Philox4x32-10 (Salmon et al., SC 2011) of one counter, as io.mola.core.backend.Philox.
__device__ __forceinline__ void philox(u64 key, u32 c0, u32 c1, u32 c2, u32 c3, u32* out) {
  u32 k0 = (u32)key, k1 = (u32)(key >> 32);
#pragma unroll
  for (int round = 0; round < 10; round++) {
    u64 p0 = (u64)0xD2511F53u * c0, p1 = (u64)0xCD9E8D57u * c2;
    u32 n0 = (u32)(p1 >> 32) ^ c1 ^ k0, n2 = (u32)(p0 >> 32) ^ c3 ^ k1;
    c1 = (u32)p1, c3 = (u32)p0, c0 = n0, c2 = n2;
    k0 += 0x9E3779B9u, k1 += 0xBB67AE85u;
  }
  out[0] = c0, out[1] = c1, out[2] = c2, out[3] = c3;
}

// Four consecutive elements that share a counter: those from element 4 * (first / 4 + thread) of the
// effective batch on. Element i is kept where (word i % 4) >> 8 >= threshold.
struct Quad {
  i64 block;
  u32 words[4];

  __device__ __forceinline__ Quad(i64 first, u64 seed, int step, int stream) {
    block = first / 4 + thread_index();
    philox(seed, (u32)block, (u32)((u64)block >> 32), (u32)step, (u32)stream, words);
  }
};

// y = x D for the elements first .. first + size - 1 of the effective batch, D their dropout mask.
//
// Bound by memory: 4 bytes per bfloat16 element, [4096, 4096] in 20 us. The generator's 10 rounds cost 40
// integer multiplies for four elements, of which a multiprocessor does 64 a clock: 1.5 T elements a
// second, where memory allows 0.84 T. One counter a thread, blocks of 256, 22 registers: full occupancy.
// Accesses are 2 bytes wide, since a counter's elements need not be aligned.
extern "C" __global__ void drop(const act* x, act* y, const i64* varying_first, i64 size, i64 seed,
                                const i64* varying_step, int stream, u32 threshold,
                                float kept_scale) {
  i64 first = *varying_first;
  Quad quad(first, (u64)seed, (int)*varying_step, stream);
#pragma unroll
  for (int k = 0; k < 4; k++) {
    i64 i = quad.block * 4 + k - first;
    if (i >= 0 && i < size)
      put(y + i, quad.words[k] >> 8 >= threshold ? to_float(x[i]) * kept_scale : 0.f);
  }
}

// sum += x D.  As drop, and 2 bytes more per bfloat16 element; 21 registers.
extern "C" __global__ void add_dropped(const act* x, act* sum, const i64* varying_first, i64 size,
                                       i64 seed, const i64* varying_step, int stream, u32 threshold,
                                       float kept_scale) {
  i64 first = *varying_first;
  Quad quad(first, (u64)seed, (int)*varying_step, stream);
#pragma unroll
  for (int k = 0; k < 4; k++) {
    i64 i = quad.block * 4 + k - first;
    if (i >= 0 && i < size && quad.words[k] >> 8 >= threshold)
      put(sum + i, to_float(sum[i]) + to_float(x[i]) * kept_scale);
  }
}

// Whether logit a ranks before b: larger, or NaN, which is largest.
__device__ __forceinline__ bool before(float a, float b) { return a != a ? b == b : a > b; }

// gates[t, :] of one member: softmax over its top_k largest logits, 0 for the others; of equal
// logits the lower index wins. A chosen expert's gate is at least the smallest normal float.
//
// One thread per row and member; an expert is chosen if fewer than top_k rank before it, which is
// experts^2 comparisons: 64 for 8. Bound by latency: 8 bytes per logit, 0.8 MB at 4,096 rows, 0.2 us at
// full rate, less than a launch. 32 registers, blocks of 256 would all fit; 4,096 rows of three members
// are 48 blocks, one on every third multiprocessor.
extern "C" __global__ void choose(const float* logits, int n, int routed, Members members,
                                  float* gates) {
  i64 index = thread_index();
  if (index >= (i64)n * members.count) return;
  Member m = members.of[index % members.count];
  if (m.experts < 2) return;
  const float* l = logits + index / members.count * routed + m.expert_offset;
  float* g = gates + index / members.count * routed + m.expert_offset;
  float largest = 0.f;
  bool any = false;
  for (int e = 0; e < m.experts; e++) {
    int rank = 0;
    for (int o = 0; o < m.experts; o++)
      rank += before(l[o], l[e]) || (o < e && !before(l[e], l[o]));
    bool chosen = rank < m.top_k;
    g[e] = chosen ? 1.f : 0.f;
    if (chosen && (!any || before(l[e], largest))) largest = l[e], any = true;
  }
  float sum = 0.f;
  for (int e = 0; e < m.experts; e++)
    if (g[e] != 0.f) sum += expf(l[e] - largest);
  for (int e = 0; e < m.experts; e++)
    if (g[e] != 0.f) {
      float gate = expf(l[e] - largest) / sum;
      g[e] = gate < 1.17549435e-38f ? 1.17549435e-38f : gate;
    }
}

__device__ __forceinline__ int member_of(const Members& members, int column) {
  for (int i = 0; i < members.count; i++) {
    int j = column - members.of[i].rank_offset;
    if (j >= 0 && j < members.of[i].experts * members.of[i].rank) return i;
  }
  return -1;
}

__device__ __forceinline__ float gate_of(const Member& m, const float* gates, int column) {
  return m.experts > 1 ? gates[m.expert_offset + (column - m.rank_offset) / m.rank] : 1.f;
}

// u = scale z rep(gates), as an operand of the product with b. One block per row.
//
// Bound by memory: 4 bytes read and 2 written per element of z, 2 FLOP; 5 MB and 1.4 us at 4,096 rows
// and rank 192. A block has a thread per column, at most 256, of 15 registers: ten blocks of 192
// threads, 60 warps of 64.
extern "C" __global__ void mix(const float* z, const float* gates, int rank, int routed,
                               Members members, act* u) {
  i64 t = blockIdx.x;
  for (int column = threadIdx.x; column < rank; column += blockDim.x) {
    int i = member_of(members, column);
    float value = 0.f;
    if (i >= 0) {
      Member m = members.of[i];
      value = m.scale * z[t * rank + column] * gate_of(m, gates + t * routed, column);
    }
    put(u + t * rank + column, value);
  }
}

// From du = dy b^T: u and dz = scale du rep(gates) as operands, and for each member
// dgate[e] = scale sum over expert e's columns of du z,
// d_logits[e] += gates[e] (dgate[e] - sum_k gates[k] dgate[k]), also rounded to an operand.
//
// One block per row; products of the row in shared memory, each sum by one thread in order. Bound by
// memory: 8 bytes read and 4 written per element of z, 4 FLOP; 9 MB and 2.8 us at 4,096 rows and rank
// 192. Blocks as mix's, of 32 registers and 4 (rank + routed) bytes, 0.9 KB: 60 warps of 64.
extern "C" __global__ void unmix(const float* du, const float* z, const float* gates, int rank,
                                 int routed, Members members, act* u, act* dz, float* d_logits,
                                 act* d_logits_operand) {
  DYN_SHARED(float, products);
  float* d_gates = products + rank;
  i64 t = blockIdx.x;
  const float* row_gates = gates + t * routed;
  for (int column = threadIdx.x; column < rank; column += blockDim.x) {
    int i = member_of(members, column);
    if (i < 0) {  // of no member: a row of A that takes no part
      put(u + t * rank + column, 0.f);
      put(dz + t * rank + column, 0.f);
      continue;
    }
    Member m = members.of[i];
    float gate = gate_of(m, row_gates, column);
    float d = du[t * rank + column], value = z[t * rank + column];
    put(u + t * rank + column, m.scale * value * gate);
    put(dz + t * rank + column, m.scale * d * gate);
    products[column] = d * value;
  }
  __syncthreads();
  for (int i = 0; i < members.count; i++) {
    Member m = members.of[i];
    if (m.experts < 2) continue;
    for (int e = threadIdx.x; e < m.experts; e += blockDim.x) {
      float sum = 0.f;
      for (int j = 0; j < m.rank; j++) sum += products[m.rank_offset + e * m.rank + j];
      d_gates[m.expert_offset + e] = m.scale * sum;
    }
  }
  __syncthreads();
  for (int i = 0; i < members.count; i++) {
    Member m = members.of[i];
    if (m.experts < 2) continue;
    float mean = 0.f;
    for (int k = 0; k < m.experts; k++)
      mean += row_gates[m.expert_offset + k] * d_gates[m.expert_offset + k];
    for (int e = threadIdx.x; e < m.experts; e += blockDim.x) {
      i64 at = t * routed + m.expert_offset + e;
      float d = d_logits[at] + row_gates[m.expert_offset + e] * (d_gates[m.expert_offset + e] - mean);
      d_logits[at] = d;
      put(d_logits_operand + at, d);
    }
  }
}
