// CUDA's vector types and their make_ functions, with CUDA's alignments.
#pragma once

struct dim3 {
  unsigned x, y, z;
  constexpr dim3(unsigned x_ = 1, unsigned y_ = 1, unsigned z_ = 1) : x(x_), y(y_), z(z_) {}
};

#define EMULATION_VECTORS(type, name)                              \
  struct name##1 { type x; };                                      \
  struct alignas(2 * sizeof(type)) name##2 { type x, y; };         \
  EMULATION_THREE(type, name)                                      \
  struct alignas(4 * sizeof(type) < 16 ? 4 * sizeof(type) : 16) name##4 { type x, y, z, w; }; \
  inline name##1 make_##name##1(type x) { return {x}; }            \
  inline name##2 make_##name##2(type x, type y) { return {x, y}; } \
  inline name##3 make_##name##3(type x, type y, type z) { return {x, y, z}; } \
  inline name##4 make_##name##4(type x, type y, type z, type w) { return {x, y, z, w}; }
#define EMULATION_THREE(type, name) struct name##3 { type x, y, z; };
EMULATION_VECTORS(signed char, char)
EMULATION_VECTORS(unsigned char, uchar)
EMULATION_VECTORS(short, short)
EMULATION_VECTORS(unsigned short, ushort)
EMULATION_VECTORS(int, int)
EMULATION_VECTORS(long long, longlong)
EMULATION_VECTORS(unsigned long long, ulonglong)
EMULATION_VECTORS(float, float)
EMULATION_VECTORS(double, double)
#undef EMULATION_THREE
#define EMULATION_THREE(type, name)  // uint3 is in launch_table.h
EMULATION_VECTORS(unsigned, uint)
#undef EMULATION_THREE
#undef EMULATION_VECTORS
