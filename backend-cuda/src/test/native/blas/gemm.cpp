#include "gemm.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <vector>

namespace emulation {
namespace {

// One tile of C in registers: lanes x column_tile sums, kept in vectors that g++ maps to what the
// machine has.
#ifdef __AVX512F__
constexpr int lanes = 16, vectors = 2, column_tile = 12;
#else
constexpr int lanes = 8, vectors = 2, column_tile = 6;
#endif
constexpr int row_tile = lanes * vectors;
constexpr long row_block = 8 * row_tile, column_block = 40 * column_tile, inner_block = 512;
typedef float Vector __attribute__((vector_size(lanes * sizeof(float)), aligned(4)));

float from_bits(uint32_t bits) {
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

uint32_t to_bits(float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  return bits;
}

float half_to_float(uint16_t h) {
  uint32_t sign = (h & 0x8000u) << 16, exponent = h >> 10 & 31, mantissa = h & 1023;
  if (exponent == 31) return from_bits(sign | 0x7f800000u | mantissa << 13);
  if (exponent == 0) return std::copysign(std::ldexp(static_cast<float>(mantissa), -24), from_bits(sign));
  return from_bits(sign | (exponent + 112) << 23 | mantissa << 13);
}

// Round to nearest, ties to even, of finite values; infinities and NaN stay.
uint16_t to_bfloat16(float value) {
  uint32_t bits = to_bits(value);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return 0x7fff;
  return static_cast<uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

uint16_t to_half(float value) {
  uint32_t bits = to_bits(value), sign = bits >> 16 & 0x8000u;
  float magnitude = std::fabs(value);
  if (magnitude != magnitude) return 0x7fff;
  if (magnitude >= 65520.0f) return static_cast<uint16_t>(sign | 0x7c00u);
  if (magnitude < 6.103515625e-05f) {
    return static_cast<uint16_t>(sign | static_cast<uint32_t>(std::nearbyint(std::ldexp(magnitude, 24))));
  }
  bits &= 0x7fffffffu;
  bits += 0xfff + (bits >> 13 & 1);
  return static_cast<uint16_t>(sign | ((bits - (112u << 23)) >> 13));
}

float to_tf32(float value) {
  uint32_t bits = to_bits(value);
  if ((bits & 0x7f800000u) == 0x7f800000u) return value;
  return from_bits((bits + 0xfff + (bits >> 13 & 1)) & ~0x1fffu);
}

template <Element E>
float load(const void* data, long i) {
  if (E == Element::float32) return static_cast<const float*>(data)[i];
  uint16_t bits = static_cast<const uint16_t*>(data)[i];
  return E == Element::bfloat16 ? from_bits(static_cast<uint32_t>(bits) << 16) : half_to_float(bits);
}

void store(void* data, long i, Element element, float value) {
  switch (element) {
    case Element::float32:
      static_cast<float*>(data)[i] = value;
      break;
    case Element::bfloat16:
      static_cast<uint16_t*>(data)[i] = to_bfloat16(value);
      break;
    case Element::float16:
      static_cast<uint16_t*>(data)[i] = to_half(value);
      break;
  }
}

float load(const void* data, long i, Element element) {
  switch (element) {
    case Element::float32:
      return load<Element::float32>(data, i);
    case Element::bfloat16:
      return load<Element::bfloat16>(data, i);
    default:
      return load<Element::float16>(data, i);
  }
}

// Strips of `width` lines, element (line, k) at strip[k * width + line], zeros beyond the last line.
// A line is a row of op(A) or a column of op(B); consecutive k are `step` apart, lines `stride`.
template <Element E>
void pack(const void* data, long first_line, long lines, long first_k, long depth, long stride,
          long step, int width, bool tf32, float* packed) {
  for (long strip = 0; strip < lines; strip += width) {
    long here = std::min<long>(width, lines - strip);
    for (long line = 0; line < width; line++) {
      long at = (first_line + strip + line) * stride + first_k * step;
      float* out = packed + line;
      for (long k = 0; k < depth; k++, at += step, out += width) {
        float value = line < here ? load<E>(data, at) : 0.0f;
        *out = tf32 ? to_tf32(value) : value;
      }
    }
    packed += width * depth;
  }
}

void pack(const Operand& m, bool lines_are_rows, long first_line, long lines, long first_k, long depth,
          int width, bool tf32, float* packed) {
  bool lines_adjacent = lines_are_rows != m.transposed;
  long stride = lines_adjacent ? 1 : m.leading, step = lines_adjacent ? m.leading : 1;
  switch (m.element) {
    case Element::float32:
      return pack<Element::float32>(m.data, first_line, lines, first_k, depth, stride, step, width, tf32, packed);
    case Element::bfloat16:
      return pack<Element::bfloat16>(m.data, first_line, lines, first_k, depth, stride, step, width, false, packed);
    case Element::float16:
      return pack<Element::float16>(m.data, first_line, lines, first_k, depth, stride, step, width, false, packed);
  }
}

// tile[column][row] += sum over k of a[k][row] b[k][column]
void multiply_tile(const float* a, const float* b, long depth, float* tile, long leading) {
  Vector sums[column_tile][vectors];
  for (int j = 0; j < column_tile; j++) {
    for (int v = 0; v < vectors; v++) memcpy(&sums[j][v], tile + j * leading + v * lanes, sizeof(Vector));
  }
  for (long k = 0; k < depth; k++, a += row_tile, b += column_tile) {
    Vector left[vectors];
    memcpy(left, a, sizeof left);
#pragma GCC unroll 12
    for (int j = 0; j < column_tile; j++) {
#pragma GCC unroll 2
      for (int v = 0; v < vectors; v++) sums[j][v] += left[v] * b[j];
    }
  }
  for (int j = 0; j < column_tile; j++) {
    for (int v = 0; v < vectors; v++) memcpy(tile + j * leading + v * lanes, &sums[j][v], sizeof(Vector));
  }
}

void finish_block(const Product& p, const float* sums, long i0, long rows, long j0, long columns) {
  for (long j = 0; j < columns; j++) {
    for (long i = 0; i < rows; i++) {
      long at = (j0 + j) * p.c_leading + i0 + i;
      float value = p.alpha * sums[j * row_block + i];
      if (p.beta != 0) value += p.beta * load(p.c, at, p.c_element);  // C is not read otherwise
      store(p.c, at, p.c_element, value);
    }
  }
}

long rounded_up(long n, long unit) { return (n + unit - 1) / unit * unit; }

}  // namespace

void multiply(const Product& p) {
  // kept between calls, which the driver's lock makes one at a time
  static std::vector<float> a(row_block * inner_block), sums(row_block * column_block), b;
  b.resize(std::max<size_t>(b.size(), rounded_up(std::min(p.columns, column_block), column_tile) * p.inner));
  for (long j0 = 0; j0 < p.columns; j0 += column_block) {
    long columns = std::min(column_block, p.columns - j0);
    long packed_columns = rounded_up(columns, column_tile);
    for (long k0 = 0; k0 < p.inner; k0 += inner_block) {
      long depth = std::min(inner_block, p.inner - k0);
      pack(p.b, false, j0, columns, k0, depth, column_tile, p.tf32, b.data() + packed_columns * k0);
    }
    for (long i0 = 0; i0 < p.rows; i0 += row_block) {
      long rows = std::min(row_block, p.rows - i0);
      std::fill_n(sums.begin(), packed_columns * row_block, 0.0f);
      for (long k0 = 0; k0 < p.inner; k0 += inner_block) {
        long depth = std::min(inner_block, p.inner - k0);
        pack(p.a, true, i0, rows, k0, depth, row_tile, p.tf32, a.data());
        for (long j = 0; j < columns; j += column_tile) {
          const float* strip = b.data() + packed_columns * k0 + j * depth;
          for (long i = 0; i < rows; i += row_tile) {
            multiply_tile(a.data() + i * depth, strip, depth, &sums[j * row_block + i], row_block);
          }
        }
      }
      finish_block(p, sums.data(), i0, rows, j0, columns);
    }
  }
}

}  // namespace emulation
