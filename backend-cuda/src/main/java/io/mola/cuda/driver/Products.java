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

  // Words of a command; an operand has an address, a stride, and for factors whether it is
  // transposed.
  private static final int STRIDE = 1;
  private static final int TRANSPOSED = 2;
  private static final int X = 0;
  private static final int Y = 3;
  private static final int SUM = 6;
  private static final int FACTOR_TYPE = 8;
  private static final int SUM_TYPE = 9;
  private static final int M = 10;
  private static final int N = 11;
  private static final int K = 12;
  private static final int ADD = 13;
  private static final int COMMAND = 14;

  private final Device device;
  private final int compute;
  private final cublasContext handle = new cublasContext();
  private long workspace;
  private final FloatPointer one = new FloatPointer(1f);
  private final FloatPointer zero = new FloatPointer(0f);
  private final Address a = new Address(0);
  private final Address b = new Address(0);
  private final Address c = new Address(0);
  private final long[] command = new long[COMMAND];

  /** Opens cuBLAS on the device's stream. */
  public Products(Device device, Precision precision) {
    this.device = device;
    this.compute = precision == Precision.TF32 ? CUBLAS_COMPUTE_32F_FAST_TF32 : CUBLAS_COMPUTE_32F;
    device.queue().define(Queue.Kind.PRODUCT, this::enqueue);
    device.enter();
    try {
      check(cublasCreate_v2(handle), "cublasCreate");
      check(cublasSetStream_v2(handle, device.stream()), "cublasSetStream");
      workspace = device.allocate(WORKSPACE_BYTES, () -> "the workspace of cuBLAS");
      check(
          cublasSetWorkspace_v2(handle, new Address(workspace), WORKSPACE_BYTES),
          "cublasSetWorkspace");
    } catch (RuntimeException e) {
      throw Closing.after(e, this::close);
    }
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
    command[X] = x.address();
    command[X + STRIDE] = x.stride();
    command[X + TRANSPOSED] = x.transposed() ? CUBLAS_OP_T : CUBLAS_OP_N;
    command[Y] = y.address();
    command[Y + STRIDE] = y.stride();
    command[Y + TRANSPOSED] = y.transposed() ? CUBLAS_OP_T : CUBLAS_OP_N;
    command[SUM] = sum.address();
    command[SUM + STRIDE] = sum.stride();
    command[FACTOR_TYPE] = x.element().cudaType();
    command[SUM_TYPE] = sum.element().cudaType();
    command[M] = m;
    command[N] = n;
    command[K] = k;
    command[ADD] = add ? 1 : 0;
    device.queue().add(Queue.Kind.PRODUCT, command, COMMAND);
  }

  private void enqueue(long[] words, int at) {
    // cuBLAS counts columns first, where row-major matrices are their transposes: sumᵀ = yᵀ · xᵀ
    int status =
        cublasGemmEx(
            handle,
            (int) words[at + Y + TRANSPOSED],
            (int) words[at + X + TRANSPOSED],
            (int) words[at + N],
            (int) words[at + M],
            (int) words[at + K],
            one,
            b.at(words[at + Y]),
            (int) words[at + FACTOR_TYPE],
            (int) words[at + Y + STRIDE],
            a.at(words[at + X]),
            (int) words[at + FACTOR_TYPE],
            (int) words[at + X + STRIDE],
            words[at + ADD] != 0 ? one : zero,
            c.at(words[at + SUM]),
            (int) words[at + SUM_TYPE],
            (int) words[at + SUM + STRIDE],
            compute,
            CUBLAS_GEMM_DEFAULT);
    if (status != 0) {
      check(
          status,
          "cublasGemmEx [%d, %d] x [%d, %d]"
              .formatted(words[at + M], words[at + K], words[at + K], words[at + N]));
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
    new Closing()
        .step(device::synchronize)
        .step(() -> {
          if (!handle.isNull()) {
            check(cublasDestroy_v2(handle), "cublasDestroy");
          }
        })
        .step(() -> {
          if (workspace != 0) {
            device.free(workspace);
          }
        })
        .step(one::close)
        .step(zero::close)
        .finish();
  }
}
