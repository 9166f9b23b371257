package io.mola.core.backend;

import io.mola.core.tensor.IntTensor;
import io.mola.core.tensor.Tensor;

/** Measures elementwise operations. */
record ProfiledActivationOps(ActivationOps inner, OperationTimes times) implements ActivationOps {
  @Override
  public void swigluForward(Tensor gate, Tensor up, Tensor y) {
    times.time("activation.swigluForward", 0, () -> inner.swigluForward(gate, up, y));
  }

  @Override
  public void swigluBackward(Tensor dy, Tensor gate, Tensor up, Tensor dGate, Tensor dUp) {
    times.time(
        "activation.swigluBackward", 0, () -> inner.swigluBackward(dy, gate, up, dGate, dUp));
  }

  @Override
  public void add(Tensor x, Tensor y) {
    times.time("activation.add", 0, () -> inner.add(x, y));
  }

  @Override
  public void copy(Tensor x, Tensor y) {
    times.time("activation.copy", 0, () -> inner.copy(x, y));
  }

  @Override
  public void zero(Tensor x) {
    times.time("activation.zero", 0, () -> inner.zero(x));
  }

  @Override
  public void gatherRows(Tensor x, IntTensor rows, Tensor y) {
    times.time("activation.gatherRows", 0, () -> inner.gatherRows(x, rows, y));
  }

  @Override
  public void scatterAddRows(Tensor dy, IntTensor rows, Tensor dx) {
    times.time("activation.scatterAddRows", 0, () -> inner.scatterAddRows(dy, rows, dx));
  }
}
