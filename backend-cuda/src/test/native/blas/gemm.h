// C = alpha op(A) op(B) + beta C in column-major storage, sums in float.
#pragma once
#include <cstddef>

namespace emulation {

enum class Element { float32, float16, bfloat16 };

// A stored matrix; `transposed` means that it holds the transpose of what is multiplied.
struct Operand {
  const void* data;
  Element element;
  long leading;
  bool transposed;
};

struct Product {
  long rows, columns, inner;
  float alpha, beta;
  Operand a, b;
  void* c;
  Element c_element;
  long c_leading;
  bool tf32;  // round float32 inputs to 10 bits of mantissa, as tensor cores do
};

void multiply(const Product& product);

}  // namespace emulation
