package io.mola.perf.gpu;

import static io.mola.perf.gpu.DeviceContext.check;
import static org.bytedeco.cuda.global.cublas.CUBLAS_COMPUTE_32F;
import static org.bytedeco.cuda.global.cublas.CUBLAS_GEMM_DEFAULT;
import static org.bytedeco.cuda.global.cublas.CUBLAS_OP_N;
import static org.bytedeco.cuda.global.cublas.CUBLAS_OP_T;
import static org.bytedeco.cuda.global.cublas.cublasCreate_v2;
import static org.bytedeco.cuda.global.cublas.cublasDestroy_v2;
import static org.bytedeco.cuda.global.cublas.cublasGemmEx;
import static org.bytedeco.cuda.global.cudart.CUDA_R_16BF;

import io.mola.perf.gpu.DeviceContext.Address;
import org.bytedeco.cuda.cublas.cublasContext;
import org.bytedeco.javacpp.FloatPointer;

/**
 * The rate of cuBLAS itself at {@code y[tokens, out] = x[tokens, in] · W[out, in]ᵀ} in bfloat16:
 * what the backend's products with frozen matrices are compared with.
 *
 * @param tokens rows of x
 * @param out rows of W
 * @param in their length
 */
record ProductRate(int tokens, int out, int in) {
  /** Floating-point operations of one product. */
  double flops() {
    return 2.0 * tokens * out * in;
  }

  /** Seconds per product. */
  double seconds() {
    try (DeviceContext device = new DeviceContext();
        FloatPointer one = new FloatPointer(1f);
        FloatPointer zero = new FloatPointer(0f)) {
      long x = device.allocate((long) tokens * in);
      long w = device.allocate((long) out * in);
      long y = device.allocate((long) tokens * out);
      cublasContext handle = new cublasContext();
      check(cublasCreate_v2(handle), "cublasCreate");
      try {
        return Timing.secondsOf(() -> product(handle, one, w, x, zero, y), device::await);
      } finally {
        check(cublasDestroy_v2(handle), "cublasDestroy");
      }
    }
  }

  private void product(
      cublasContext handle, FloatPointer one, long w, long x, FloatPointer zero, long y) {
    check(
        cublasGemmEx(
            handle,
            CUBLAS_OP_T,
            CUBLAS_OP_N,
            out,
            tokens,
            in,
            one,
            new Address(w),
            CUDA_R_16BF,
            in,
            new Address(x),
            CUDA_R_16BF,
            in,
            zero,
            new Address(y),
            CUDA_R_16BF,
            out,
            CUBLAS_COMPUTE_32F,
            CUBLAS_GEMM_DEFAULT),
        "cublasGemmEx");
  }
}
