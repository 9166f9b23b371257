// Compiling, images, and products.
#include <cmath>
#include <cstdint>
#include <cstring>
#include <random>

#include "api.h"

namespace {

const char* trivial = "extern \"C\" __global__ void nothing() {}";

float bfloat16(uint16_t bits) {
  uint32_t wide = static_cast<uint32_t>(bits) << 16;
  float value;
  memcpy(&value, &wide, sizeof value);
  return value;
}

uint16_t to_bfloat16(float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  return static_cast<uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

enum { F32 = 0, BF16 = 14 };

// A random column-major matrix, on the device in its type and on the host as floats.
struct Matrix {
  Matrix(int rows_, int columns_, int type_, std::mt19937& random) : rows(rows_), type(type_) {
    std::normal_distribution<float> normal;
    std::vector<uint16_t> narrow;
    for (int i = 0; i < rows * columns_; i++) {
      float value = normal(random);
      narrow.push_back(to_bfloat16(value));
      values.push_back(type == BF16 ? bfloat16(narrow.back()) : value);
    }
    device = type == BF16 ? upload(narrow) : upload(values);
  }
  float at(int row, int column, bool transposed) const {
    return values[transposed ? row * rows + column : column * rows + row];
  }
  std::vector<float> now() const {
    if (type == F32) return download<float>(device, values.size());
    std::vector<float> result;
    for (uint16_t bits : download<uint16_t>(device, values.size())) result.push_back(bfloat16(bits));
    return result;
  }
  int rows, type;
  std::vector<float> values;
  Device device;
};

void check_product(void* blas, int m, int n, int k, int ab, int ctype, int ta, int tb, float alpha,
                   float beta) {
  std::mt19937 random(static_cast<unsigned>(m * 31 + n * 7 + k));
  Matrix a(ta ? k : m, ta ? m : k, ab, random), b(tb ? n : k, tb ? k : n, ab, random),
      c(m, n, ctype, random);
  OK(cublasGemmEx(blas, ta, tb, m, n, k, &alpha, reinterpret_cast<void*>(a.device), ab, a.rows,
                  reinterpret_cast<void*>(b.device), ab, b.rows, &beta,
                  reinterpret_cast<void*>(c.device), ctype, m, 68, -1));
  std::vector<float> got = c.now();
  for (int j = 0; j < n; j++) {
    for (int i = 0; i < m; i++) {
      double sum = 0, size = 0;
      for (int l = 0; l < k; l++) {
        double term = static_cast<double>(a.at(i, l, ta)) * b.at(l, j, tb);
        sum += term, size += std::fabs(term);
      }
      double want = alpha * sum + (beta == 0 ? 0 : beta * c.at(i, j, false));
      // float sums: at most k roundings of 2^-24 each; a bfloat16 result rounds once more by 2^-9
      double allowed = (std::fabs(alpha) * size + 1) * k * 6e-8 + (ctype == BF16 ? std::fabs(want) / 256 : 0) + 1e-6;
      CHECK(std::fabs(got[j * m + i] - want) <= allowed);
    }
  }
  for (Device each : {a.device, b.device, c.device}) OK(cuMemFree_v2(each));
}

}  // namespace

TEST(productsAreRightForAllLayoutsAndTypes) {
  start();
  void* blas;
  OK(cublasCreate_v2(&blas));
  const int sizes[][3] = {{1, 1, 1}, {5, 3, 7}, {33, 13, 17}, {32, 12, 512}, {70, 500, 31}, {300, 25, 520}};
  for (const auto& s : sizes) {
    for (int transposes = 0; transposes < 4; transposes++) {
      for (int types = 0; types < 3; types++) {
        check_product(blas, s[0], s[1], s[2], types ? BF16 : F32, types == 2 ? BF16 : F32,
                      transposes & 1, transposes >> 1, 0.5f, transposes == 3 ? 2.0f : 0.0f);
      }
    }
  }
  OK(cublasDestroy_v2(blas));
}

TEST(productsRefuseWhatCublasDoes) {
  start();
  void* blas;
  OK(cublasCreate_v2(&blas));
  float one = 1;
  void* x = reinterpret_cast<void*>(upload(std::vector<float>(64)));
  STATUS(7, cublasGemmEx(blas, 0, 0, 8, 8, 8, &one, x, F32, 7, x, F32, 8, &one, x, F32, 8, 68, -1));
  STATUS(15, cublasGemmEx(blas, 0, 0, 8, 8, 8, &one, x, F32, 8, x, F32, 8, &one, x, BF16, 8, 68, -1));
  STATUS(1, cublasGemmEx(nullptr, 0, 0, 8, 8, 8, &one, x, F32, 8, x, F32, 8, &one, x, F32, 8, 68, -1));
}

TEST(messagesOfTheCompilerNameFileAndLine) {
  void* program;
  OK(nvrtcCreateProgram(&program, "int x;\nint y = z;\n", "broken.cu", 0, nullptr, nullptr));
  STATUS(6, nvrtcCompileProgram(program, 0, nullptr));
  char log[4096];
  OK(nvrtcGetProgramLog(program, log));
  CHECK(strstr(log, "broken.cu:2") != nullptr);
  OK(nvrtcDestroyProgram(&program));
  CHECK(emu_live("program") == 0);
}

TEST(anUnknownArchitectureIsAnInvalidOption) {
  void* program;
  OK(nvrtcCreateProgram(&program, trivial, "x.cu", 0, nullptr, nullptr));
  const char* option = "--gpu-architecture=sm_60";
  STATUS(5, nvrtcCompileProgram(program, 1, &option));
}

TEST(imagesAreSelfContained) {
  start();
  std::vector<char> image = compile(trivial);
  void *module, *function;
  OK(cuModuleLoadData(&module, image.data()));
  std::fill(image.begin(), image.end(), 0);
  OK(cuModuleGetFunction(&function, module, "nothing"));
  STATUS(500, cuModuleGetFunction(&function, module, "something"));
  OK(launch(function, 1, 1, 0, 0));
  OK(cuCtxSynchronize());
  OK(cuModuleUnload(module));
}

TEST(modulesAreApart) {
  start();
  std::vector<void*> functions;
  for (const char* value : {"1", "2", "3"}) {
    Program program(std::string("extern \"C\" __global__ void set(int* x) { *x = ") + value + "; }");
    functions.push_back(program.function("set"));
  }
  Device x = upload(std::vector<int>(1));
  for (int i = 0; i < 3; i++) {
    OK(launch(functions[i], 1, 1, 0, x));
    CHECK(download<int>(x, 1)[0] == i + 1);
  }
}

TEST(damagedImagesAreRefused) {
  start();
  const std::vector<char> image = compile(trivial);
  void* module;
  for (size_t at : {size_t{0}, size_t{30}, size_t{60}, image.size() / 2, image.size() - 1}) {
    std::vector<char> damaged = image;
    damaged[at] ^= 1;
    int status = cuModuleLoadData(&module, damaged.data());
    CHECK(status == 200 || status == 209);
  }
  CHECK(emu_live("module") == 0);
}

TEST(macrosMayDeclareKernels) {
  start();
  Program program("#define KERNEL(name) extern \"C\" __global__ void name\nKERNEL(set)(int* x) { *x = 5; }");
  Device x = upload(std::vector<int>(1));
  OK(launch(program.function("set"), 1, 1, 0, x));
  CHECK(download<int>(x, 1)[0] == 5);
}
