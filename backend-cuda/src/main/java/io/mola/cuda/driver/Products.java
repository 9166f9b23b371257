package io.mola.cuda.driver;

import static org.bytedeco.cuda.global.cublas.CUBLAS_COMPUTE_32F;
import static org.bytedeco.cuda.global.cublas.CUBLAS_COMPUTE_32F_FAST_TF32;
import static org.bytedeco.cuda.global.cublas.CUBLAS_GEMM_DEFAULT;
import static org.bytedeco.cuda.global.cublas.CUBLAS_OP_N;
import static org.bytedeco.cuda.global.cublas.CUBLAS_OP_T;
import static org.bytedeco.cuda.global.cublas.cublasCreate_v2;
import static org.bytedeco.cuda.global.cublas.cublasDestroy_v2;
import static org.bytedeco.cuda.global.cublas.cublasGemmEx;
import static org.bytedeco.cuda.global.cublas.cublasSetStream_v2;
import static org.bytedeco.cuda.global.cublas.cublasSetWorkspace_v2;

import org.bytedeco.cuda.cublas.cublasContext;
import org.bytedeco.javacpp.FloatPointer;

/**
 * Dense products by cuBLAS: operands bfloat16 or float32, sums float32. cuBLAS gives the same bits
 * for the same call on one stream with a workspace of its own, and forbids atomics by default.
 */
public final class Products implements AutoCloseable {
  /** What NVIDIA recommends for Hopper. */
  public static final long WORKSPACE_BYTES = 32L << 20;

  private final Device device;
  private final int compute;
  private final cublasContext handle = new cublasContext();
  private final long workspace;
  private final FloatPointer one = new FloatPointer(1f);
  private final FloatPointer zero = new FloatPointer(0f);
  private final Address a = new Address(0);
  private final Address b = new Address(0);
  private final Address c = new Address(0);

  /** Opens cuBLAS on the device's stream. */
  public Products(Device device, Precision precision) {
    this.device = device;
    this.compute = precision == Precision.TF32 ? CUBLAS_COMPUTE_32F_FAST_TF32 : CUBLAS_COMPUTE_32F;
    device.enter();
    check(cublasCreate_v2(handle), "cublasCreate");
    check(cublasSetStream_v2(handle, device.stream()), "cublasSetStream");
    workspace = device.allocate(WORKSPACE_BYTES, () -> "the workspace of cuBLAS");
    check(
        cublasSetWorkspace_v2(handle, new Address(workspace), WORKSPACE_BYTES),
        "cublasSetWorkspace");
  }

  /**
   * {@code sum[m,n] = x[m,k] · y[k,n]}, or with {@code add} {@code +=}. Both factors are of one
   * element type, the sum of that type or float32.
   */
  public void multiply(Operand x, Operand y, Operand sum, int m, int n, int k, boolean add) {
    if (m == 0 || n == 0) {
      return;
    }
    device.enter();
    // cuBLAS counts columns first, where row-major matrices are their transposes: sumᵀ = yᵀ · xᵀ
    int status =
        cublasGemmEx(
            handle,
            y.transposed() ? CUBLAS_OP_T : CUBLAS_OP_N,
            x.transposed() ? CUBLAS_OP_T : CUBLAS_OP_N,
            n,
            m,
            k,
            one,
            b.at(y.address()),
            y.element().cudaType(),
            y.stride(),
            a.at(x.address()),
            x.element().cudaType(),
            x.stride(),
            add ? one : zero,
            c.at(sum.address()),
            sum.element().cudaType(),
            sum.stride(),
            compute,
            CUBLAS_GEMM_DEFAULT);
    if (status != 0) {
      check(status, "cublasGemmEx [%d, %d] x [%d, %d]".formatted(m, k, k, n));
    }
  }

  private void check(int status, String call) {
    if (status != 0) {
      throw device.failure(call, error(status), remedy(status), status == EXECUTION_FAILED);
    }
  }

  private static final int EXECUTION_FAILED = 13;

  private static String error(int status) {
    return switch (status) {
      case 1 -> "CUBLAS_STATUS_NOT_INITIALIZED (1)";
      case 3 -> "CUBLAS_STATUS_ALLOC_FAILED (3)";
      case 7 -> "CUBLAS_STATUS_INVALID_VALUE (7)";
      case 8 -> "CUBLAS_STATUS_ARCH_MISMATCH (8)";
      case EXECUTION_FAILED -> "CUBLAS_STATUS_EXECUTION_FAILED (13)";
      case 14 -> "CUBLAS_STATUS_INTERNAL_ERROR (14)";
      case 15 -> "CUBLAS_STATUS_NOT_SUPPORTED (15)";
      default -> "cuBLAS status " + status;
    };
  }

  private static String remedy(int status) {
    return switch (status) {
      case 1, 3 -> Remedy.of(Remedy.OUT_OF_MEMORY);
      case EXECUTION_FAILED -> Remedy.of(719);
      default -> "try mola.cuda.precision=f32, and check the version of libcublas.so.13";
    };
  }

  /** Closes cuBLAS and frees its workspace. */
  @Override
  public void close() {
    device.operation(() -> "closing cuBLAS");
    device.synchronize();
    check(cublasDestroy_v2(handle), "cublasDestroy");
    device.free(workspace);
    one.close();
    zero.close();
  }
}
