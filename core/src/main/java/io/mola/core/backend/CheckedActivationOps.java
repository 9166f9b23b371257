package io.mola.core.backend;

import static io.mola.core.backend.Operands.ANY;
import static io.mola.core.backend.Operands.cols;
import static io.mola.core.backend.Operands.rows;

import io.mola.core.tensor.IntTensor;
import io.mola.core.tensor.Tensor;

/** Checks, then calls. */
record CheckedActivationOps(ActivationOps inner, Operands operands) implements ActivationOps {
  @Override
  public void swigluForward(Tensor gate, Tensor up, Tensor y) {
    operands.begin("activation.swigluForward");
    inner.swigluForward(
        operands.input("gate", gate, ANY, ANY),
        operands.input("up", up, rows(gate), cols(gate)),
        operands.output("y", y, rows(gate), cols(gate)));
  }

  @Override
  public void swigluBackward(Tensor dy, Tensor gate, Tensor up, Tensor dGate, Tensor dUp) {
    operands.begin("activation.swigluBackward");
    int n = rows(gate);
    int f = cols(gate);
    inner.swigluBackward(
        operands.input("dy", dy, n, f),
        operands.input("gate", gate, ANY, ANY),
        operands.input("up", up, n, f),
        operands.outputOrSameAs("dy", "dGate", dGate, n, f),
        operands.output("dUp", dUp, n, f));
  }

  @Override
  public void add(Tensor x, Tensor y) {
    operands.begin("activation.add");
    inner.add(operands.input("x", x, ANY, ANY), operands.output("y", y, rows(x), cols(x)));
  }

  @Override
  public void copy(Tensor x, Tensor y) {
    operands.begin("activation.copy");
    inner.copy(operands.input("x", x, ANY, ANY), operands.output("y", y, rows(x), cols(x)));
  }

  @Override
  public void zero(Tensor x) {
    inner.zero(operands.begin("activation.zero").output("x", x, ANY, ANY));
  }

  @Override
  public void gatherRows(Tensor x, IntTensor rows, Tensor y) {
    operands.begin("activation.gatherRows");
    inner.gatherRows(
        operands.input("x", x, ANY, ANY),
        operands.ints("rows", rows, rows(y), 1),
        operands.output("y", y, ANY, cols(x)));
  }

  @Override
  public void scatterAddRows(Tensor dy, IntTensor rows, Tensor dx) {
    operands.begin("activation.scatterAddRows");
    inner.scatterAddRows(
        operands.input("dy", dy, ANY, ANY),
        operands.ints("rows", rows, rows(dy), 1),
        operands.output("dx", dx, ANY, cols(dy)));
  }
}
