package io.mola.perf.layer;

import io.mola.testdata.contract.Precision;
import java.util.List;

/** All operations on a small batch, beside the slow reference backend. */
final class LayerCheck {
  private LayerCheck() {}

  /**
   * Runs them one after the other on both.
   *
   * @throws IllegalStateException if an element is off
   */
  static void accept(String backend, int threads, LayerShape shape) {
    LayerShape few = shape.reduced();
    try (LayerBuffers buffers = new LayerBuffers(backend, threads, few);
        LayerBuffers reference = new LayerBuffers("reference", threads, few)) {
      List<Operation> checked = new LayerOperations(buffers).all();
      List<Operation> definition = new LayerOperations(reference).all();
      for (int i = 0; i < checked.size(); i++) {
        Operation operation = checked.get(i);
        operation.call().run();
        definition.get(i).call().run();
        for (Output output : operation.outputs()) {
          requireNear(
              operation.name() + " " + output.buffer(),
              output,
              buffers.fetch(output.buffer()),
              reference.fetch(output.buffer()));
        }
      }
    }
  }

  private static void requireNear(String what, Output output, float[] found, float[] wanted) {
    double squares = 0;
    for (float value : wanted) {
      squares += value * (double) value;
    }
    double scale = Math.sqrt(squares / wanted.length);
    double bound = output.tolerance().bound(Precision.FLOAT32);
    for (int i = 0; i < wanted.length; i++) {
      if (!(Math.abs(found[i] - wanted[i]) <= bound * (Math.abs(wanted[i]) + scale))) {
        throw new IllegalStateException(
            "%s[%d] is %s, the reference has %s".formatted(what, i, found[i], wanted[i]));
      }
    }
  }
}
