package io.mola.cuda.driver;

import io.mola.core.failure.MolaException;

/** A call of the driver, NVRTC or cuBLAS failed: what was computed, where, why, and a remedy. */
public final class CudaException extends MolaException {
  private static final long serialVersionUID = 1L;

  /** One line. */
  public CudaException(String message) {
    super(message);
  }

  /** One line and its cause. */
  public CudaException(String message, Throwable cause) {
    super(message, cause);
  }
}
