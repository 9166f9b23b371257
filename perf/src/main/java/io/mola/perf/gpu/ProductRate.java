package io.mola.perf.gpu;

import static org.bytedeco.cuda.global.cublas.CUBLAS_COMPUTE_32F;
import static org.bytedeco.cuda.global.cublas.CUBLAS_GEMM_DEFAULT;
import static org.bytedeco.cuda.global.cublas.CUBLAS_OP_N;
import static org.bytedeco.cuda.global.cublas.CUBLAS_OP_T;
import static org.bytedeco.cuda.global.cublas.cublasCreate_v2;
import static org.bytedeco.cuda.global.cublas.cublasDestroy_v2;
import static org.bytedeco.cuda.global.cublas.cublasGemmEx;
import static org.bytedeco.cuda.global.cudart.CUDA_R_16BF;
import static org.bytedeco.cuda.global.cudart.cuCtxSetCurrent;
import static org.bytedeco.cuda.global.cudart.cuCtxSynchronize;
import static org.bytedeco.cuda.global.cudart.cuDevicePrimaryCtxRelease;
import static org.bytedeco.cuda.global.cudart.cuDevicePrimaryCtxRetain;
import static org.bytedeco.cuda.global.cudart.cuInit;
import static org.bytedeco.cuda.global.cudart.cuMemAlloc;
import static org.bytedeco.cuda.global.cudart.cuMemFree;
import static org.bytedeco.cuda.global.cudart.cuMemsetD16Async;

import org.bytedeco.cuda.cublas.cublasContext;
import org.bytedeco.cuda.cudart.CUctx_st;
import org.bytedeco.javacpp.FloatPointer;
import org.bytedeco.javacpp.Pointer;

/**
 * The rate of cuBLAS itself at {@code y[tokens, out] = x[tokens, in] · W[out, in]ᵀ} in bfloat16:
 * what the backend's products with frozen matrices are compared with.
 *
 * @param tokens rows of x
 * @param out rows of W
 * @param in their length
 */
record ProductRate(int tokens, int out, int in) {
  private static final short ONE_HUNDREDTH = 0x3c24; // about 0.01 as bfloat16

  /** Floating-point operations of one product. */
  double flops() {
    return 2.0 * tokens * out * in;
  }

  /** Seconds per product. */
  double seconds() {
    CUctx_st context = new CUctx_st();
    check(cuInit(0), "cuInit");
    check(cuDevicePrimaryCtxRetain(context, 0), "cuDevicePrimaryCtxRetain");
    check(cuCtxSetCurrent(context), "cuCtxSetCurrent");
    long x = allocate((long) tokens * in);
    long w = allocate((long) out * in);
    long y = allocate((long) tokens * out);
    cublasContext handle = new cublasContext();
    check(cublasCreate_v2(handle), "cublasCreate");
    try (FloatPointer one = new FloatPointer(1f);
        FloatPointer zero = new FloatPointer(0f)) {
      return Timing.secondsOf(
          () ->
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
                  "cublasGemmEx"),
          () -> check(cuCtxSynchronize(), "cuCtxSynchronize"));
    } finally {
      check(cublasDestroy_v2(handle), "cublasDestroy");
      for (long address : new long[] {x, w, y}) {
        check(cuMemFree(address), "cuMemFree");
      }
      check(cuDevicePrimaryCtxRelease(0), "cuDevicePrimaryCtxRelease");
    }
  }

  private static long allocate(long elements) {
    long[] address = new long[1];
    check(cuMemAlloc(address, 2 * elements), "cuMemAlloc of " + 2 * elements + " bytes");
    check(cuMemsetD16Async(address[0], ONE_HUNDREDTH, elements, null), "cuMemsetD16Async");
    return address[0];
  }

  private static void check(int status, String call) {
    if (status != 0) {
      throw new IllegalStateException(call + " returned " + status);
    }
  }

  /** A device address as JavaCPP passes pointers; owns nothing. */
  private static final class Address extends Pointer {
    Address(long value) {
      address = value;
    }
  }
}
