// Rotary embedding (Su et al. 2021).

// Rotation, in place: the pair (i, i + c/2) of each head by the angle of positions[t], times
// direction (1 or -1); table [.., c] holds the cosines of c/2 angles, then their sines. One thread per
// pair. Bound by memory: 8 bytes and 6 FLOP per bfloat16 pair, [4096, 4096] in 20 us; the table stays in
// the L2 cache. 256 threads of 16 registers: full occupancy, which the accesses of 2 bytes need.
extern "C" __global__ void rotate(act* qk, const float* table, const int* positions, int n, int width,
                                  int c, float direction) {
  int half = c / 2, pairs = width / 2;
  i64 index = thread_index();
  if (index >= (i64)n * pairs) return;
  i64 t = index / pairs;
  int pair = (int)(index % pairs), i = pair % half;
  const float* angles = table + (i64)positions[t] * c;
  float cosine = angles[i], sine = angles[half + i] * direction;
  act* first = qk + t * width + pair / half * c + i;
  act* second = first + half;
  float a = to_float(*first), b = to_float(*second);
  put(first, a * cosine - b * sine);
  put(second, b * cosine + a * sine);
}
