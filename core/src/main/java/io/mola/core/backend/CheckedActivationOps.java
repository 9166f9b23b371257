package io.mola.core.backend;

import static io.mola.core.backend.Operands.ANY;
import static io.mola.core.backend.Operands.cols;
import static io.mola.core.backend.Operands.rows;

import io.mola.core.tensor.IntTensor;
import io.mola.core.tensor.Tensor;

/** Checks, then calls. */
record CheckedActivationOps(ActivationOps inner) implements ActivationOps {
  @Override
  public void swigluForward(Tensor gate, Tensor up, Tensor y) {
    Operands operands = new Operands("activation.swigluForward");
    inner.swigluForward(
        operands.input("gate", gate, ANY, ANY),
        operands.input("up", up, rows(gate), cols(gate)),
        operands.output("y", y, rows(gate), cols(gate)));
  }

  @Override
  public void swigluBackward(Tensor dy, Tensor gate, Tensor up, Tensor dGate, Tensor dUp) {
    Operands operands = new Operands("activation.swigluBackward");
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
    Operands operands = new Operands("activation.add");
    inner.add(operands.input("x", x, ANY, ANY), operands.output("y", y, rows(x), cols(x)));
  }

  @Override
  public void copy(Tensor x, Tensor y) {
    Operands operands = new Operands("activation.copy");
    inner.copy(operands.input("x", x, ANY, ANY), operands.output("y", y, rows(x), cols(x)));
  }

  @Override
  public void zero(Tensor x) {
    inner.zero(new Operands("activation.zero").output("x", x, ANY, ANY));
  }

  @Override
  public void gatherRows(Tensor x, IntTensor rows, Tensor y) {
    Operands operands = new Operands("activation.gatherRows");
    inner.gatherRows(
        operands.input("x", x, ANY, ANY),
        operands.ints("rows", rows, rows(y), 1),
        operands.output("y", y, ANY, cols(x)));
  }

  @Override
  public void scatterAddRows(Tensor dy, IntTensor rows, Tensor dx) {
    Operands operands = new Operands("activation.scatterAddRows");
    inner.scatterAddRows(
        operands.input("dy", dy, ANY, ANY),
        operands.ints("rows", rows, rows(dy), 1),
        operands.output("dx", dx, ANY, cols(dy)));
  }
}
