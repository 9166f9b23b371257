// libcublas.so.13: the matrix products a fine-tuner calls, in stream order.
#include <cstdint>
#include <set>

#include "../driver/calls.h"
#include "gemm.h"

using emulation::Call;
using emulation::Element;
using emulation::Operand;
using emulation::Product;

namespace {

enum Status {
  SUCCESS = 0,
  NOT_INITIALIZED = 1,
  ALLOC_FAILED = 3,
  INVALID_VALUE = 7,
  EXECUTION_FAILED = 13,
  INTERNAL_ERROR = 14,
  NOT_SUPPORTED = 15,
};

enum DataType { R_32F = 0, R_16F = 2, R_16BF = 14 };  // cudaDataType
enum Compute { COMPUTE_32F = 68, COMPUTE_32F_PEDANTIC = 69, COMPUTE_32F_FAST_TF32 = 77 };
constexpr int math_mode_tf32 = 3;

struct Handle {
  void* stream = nullptr;
  int math_mode = 0;
  int pointer_mode = 0;  // 0: alpha and beta are read at the call; 1: on the device
};

std::set<Handle*>& handles() {
  static auto* set = new std::set<Handle*>;
  return *set;
}

// What a refused call means to cuBLAS; statuses that tests inject are cuBLAS's own.
int entered(int status) {
  switch (status) {
    case emulation::INVALID_CONTEXT:
      return NOT_INITIALIZED;
    case emulation::ILLEGAL_ADDRESS:
    case emulation::LAUNCH_FAILED:
      return EXECUTION_FAILED;
    default:
      return status;
  }
}

#define BLAS_CALL()        \
  Call call(__func__);     \
  if (call.status != 0) return entered(call.status)

bool element_of(int type, Element& element) {
  switch (type) {
    case R_32F:
      element = Element::float32;
      return true;
    case R_16F:
      element = Element::float16;
      return true;
    case R_16BF:
      element = Element::bfloat16;
      return true;
    default:
      return false;
  }
}

struct Batch {
  int count;
  long long a, b, c;  // strides in elements
};

struct Queued {
  Product product;
  Batch batch;
  const float *device_alpha, *device_beta;
};

long element_bytes(Element element) { return element == Element::float32 ? 4 : 2; }

int run(void* argument) {
  const auto& queued = *static_cast<const Queued*>(argument);
  Product p = queued.product;
  if (queued.device_alpha) p.alpha = *queued.device_alpha, p.beta = *queued.device_beta;
  for (int i = 0; i < queued.batch.count; i++) {
    multiply(p);
    p.a.data = static_cast<const char*>(p.a.data) + queued.batch.a * element_bytes(p.a.element);
    p.b.data = static_cast<const char*>(p.b.data) + queued.batch.b * element_bytes(p.b.element);
    p.c = static_cast<char*>(p.c) + queued.batch.c * element_bytes(p.c_element);
  }
  return 0;
}

void destroy(void* argument) { delete static_cast<Queued*>(argument); }

struct Request {
  int transpose_a, transpose_b, m, n, k;
  const void* alpha;
  const void *a, *b;
  int a_type, lda, b_type, ldb;
  const void* beta;
  void* c;
  int c_type, ldc, compute;
};

bool has_valid_sizes(const Request& r) {
  if (r.m < 0 || r.n < 0 || r.k < 0) return false;
  if (r.transpose_a < 0 || r.transpose_a > 1 || r.transpose_b < 0 || r.transpose_b > 1) return false;
  int a_rows = r.transpose_a ? r.k : r.m, b_rows = r.transpose_b ? r.n : r.k;
  return r.lda >= a_rows && r.ldb >= b_rows && r.ldc >= r.m && r.lda > 0 && r.ldb > 0 && r.ldc > 0;
}

// The combinations that cuBLAS documents for sums in float.
bool has_supported_types(const Request& r, Element& ab, Element& c) {
  if (r.compute != COMPUTE_32F && r.compute != COMPUTE_32F_PEDANTIC && r.compute != COMPUTE_32F_FAST_TF32) {
    return false;
  }
  return r.a_type == r.b_type && element_of(r.a_type, ab) && element_of(r.c_type, c) &&
         (c == ab || c == Element::float32);
}

int submit(Handle* handle, const Request& r, Batch batch) {
  if (!handles().count(handle)) return NOT_INITIALIZED;
  Element ab, c;
  if (!has_valid_sizes(r)) return INVALID_VALUE;
  if (!has_supported_types(r, ab, c)) return NOT_SUPPORTED;
  if (r.m == 0 || r.n == 0 || batch.count == 0) return SUCCESS;
  auto* alpha = static_cast<const float*>(r.alpha);
  auto* beta = static_cast<const float*>(r.beta);
  bool on_device = handle->pointer_mode == 1;
  bool tf32 = r.compute == COMPUTE_32F_FAST_TF32 || (handle->math_mode & 15) == math_mode_tf32;
  Product p{r.m, r.n, r.k,
            on_device ? 0 : *alpha, on_device ? 0 : *beta,
            Operand{r.a, ab, r.lda, r.transpose_a == 1},
            Operand{r.b, ab, r.ldb, r.transpose_b == 1},
            r.c, c, r.ldc,
            tf32 && r.compute != COMPUTE_32F_PEDANTIC};
  auto* queued = new Queued{p, batch, on_device ? alpha : nullptr, on_device ? beta : nullptr};
  int status = emu_enqueue(handle->stream, "cublas product", run, queued, destroy);
  return status == 0 ? SUCCESS : EXECUTION_FAILED;
}

}  // namespace

EXPORTED int cublasCreate_v2(Handle** handle) {
  BLAS_CALL();
  auto* result = new Handle;
  handles().insert(result);
  emu_count("cublas handle", 1);
  *handle = result;
  return SUCCESS;
}

EXPORTED int cublasDestroy_v2(Handle* handle) {
  Call call(__func__, emulation::Needs::release);
  if (!handles().erase(handle)) return NOT_INITIALIZED;
  delete handle;
  emu_count("cublas handle", -1);
  return entered(call.status);
}

EXPORTED int cublasGetVersion_v2(Handle*, int* version) {
  BLAS_CALL();
  *version = 130000;
  return SUCCESS;
}

EXPORTED int cublasSetStream_v2(Handle* handle, void* stream) {
  BLAS_CALL();
  if (!handles().count(handle)) return NOT_INITIALIZED;
  handle->stream = stream;
  return SUCCESS;
}

EXPORTED int cublasGetStream_v2(Handle* handle, void** stream) {
  BLAS_CALL();
  if (!handles().count(handle)) return NOT_INITIALIZED;
  *stream = handle->stream;
  return SUCCESS;
}

EXPORTED int cublasSetWorkspace_v2(Handle* handle, void* workspace, size_t) {
  BLAS_CALL();
  if (!handles().count(handle)) return NOT_INITIALIZED;
  return reinterpret_cast<uintptr_t>(workspace) % 16 == 0 ? SUCCESS : INVALID_VALUE;
}

EXPORTED int cublasSetMathMode(Handle* handle, int mode) {
  BLAS_CALL();
  if (!handles().count(handle)) return NOT_INITIALIZED;
  handle->math_mode = mode;
  return SUCCESS;
}

EXPORTED int cublasGetMathMode(Handle* handle, int* mode) {
  BLAS_CALL();
  if (!handles().count(handle)) return NOT_INITIALIZED;
  *mode = handle->math_mode;
  return SUCCESS;
}

EXPORTED int cublasSetAtomicsMode(Handle* handle, int) {
  BLAS_CALL();
  return handles().count(handle) ? SUCCESS : NOT_INITIALIZED;
}

EXPORTED int cublasSetPointerMode_v2(Handle* handle, int mode) {
  BLAS_CALL();
  if (!handles().count(handle)) return NOT_INITIALIZED;
  handle->pointer_mode = mode;
  return SUCCESS;
}

EXPORTED int cublasGemmEx(Handle* handle, int transpose_a, int transpose_b, int m, int n, int k,
                          const void* alpha, const void* a, int a_type, int lda, const void* b,
                          int b_type, int ldb, const void* beta, void* c, int c_type, int ldc,
                          int compute, int) {
  BLAS_CALL();
  return submit(handle,
                {transpose_a, transpose_b, m, n, k, alpha, a, b, a_type, lda, b_type, ldb, beta, c,
                 c_type, ldc, compute},
                {1, 0, 0, 0});
}

EXPORTED int cublasGemmStridedBatchedEx(Handle* handle, int transpose_a, int transpose_b, int m,
                                        int n, int k, const void* alpha, const void* a, int a_type,
                                        int lda, long long a_stride, const void* b, int b_type,
                                        int ldb, long long b_stride, const void* beta, void* c,
                                        int c_type, int ldc, long long c_stride, int count,
                                        int compute, int) {
  BLAS_CALL();
  if (count < 0) return INVALID_VALUE;
  return submit(handle,
                {transpose_a, transpose_b, m, n, k, alpha, a, b, a_type, lda, b_type, ldb, beta, c,
                 c_type, ldc, compute},
                {count, a_stride, b_stride, c_stride});
}

EXPORTED int cublasSgemm_v2(Handle* handle, int transpose_a, int transpose_b, int m, int n, int k,
                            const float* alpha, const float* a, int lda, const float* b, int ldb,
                            const float* beta, float* c, int ldc) {
  BLAS_CALL();
  return submit(handle,
                {transpose_a, transpose_b, m, n, k, alpha, a, b, R_32F, lda, R_32F, ldb, beta, c,
                 R_32F, ldc, COMPUTE_32F},
                {1, 0, 0, 0});
}

EXPORTED const char* cublasGetStatusName(int status) {
  switch (status) {
    case SUCCESS:
      return "CUBLAS_STATUS_SUCCESS";
    case NOT_INITIALIZED:
      return "CUBLAS_STATUS_NOT_INITIALIZED";
    case ALLOC_FAILED:
      return "CUBLAS_STATUS_ALLOC_FAILED";
    case INVALID_VALUE:
      return "CUBLAS_STATUS_INVALID_VALUE";
    case EXECUTION_FAILED:
      return "CUBLAS_STATUS_EXECUTION_FAILED";
    case INTERNAL_ERROR:
      return "CUBLAS_STATUS_INTERNAL_ERROR";
    case NOT_SUPPORTED:
      return "CUBLAS_STATUS_NOT_SUPPORTED";
    default:
      return "CUBLAS_STATUS_UNKNOWN";
  }
}

EXPORTED const char* cublasGetStatusString(int status) { return cublasGetStatusName(status); }
