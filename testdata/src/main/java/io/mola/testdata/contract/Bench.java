package io.mola.testdata.contract;

import static org.assertj.core.api.Assertions.assertThat;

import io.mola.core.backend.Backend;
import io.mola.core.backend.FrozenMatrix;
import io.mola.core.backend.Region;
import io.mola.core.quant.StoredMatrix;
import io.mola.core.tensor.IntTensor;
import io.mola.core.tensor.MemoryPlan;
import io.mola.core.tensor.Tensor;
import io.mola.testdata.HostTensor;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * The operands of one experiment on one backend. Each tensor is a slice within a larger slot filled
 * with a sentinel. {@link #results} downloads what was declared as output and checks that the
 * sentinels stand and that no input changed. Outputs that the operation overwrites start as NaN, so
 * that adding to them shows.
 */
public final class Bench implements AutoCloseable {
  private static final float SENTINEL = -77;

  /** Activations start at a whole cache line, as slots do. */
  private static final int ACTIVATION_GUARD = 64;

  /** Parameters and their gradients are slices of a flat tensor and start anywhere. */
  private static final int FLOAT_GUARD = 61;

  private final Backend backend;
  private final List<Runnable> closings = new ArrayList<>();
  private final Map<String, Operand> operands = new LinkedHashMap<>();

  private enum Role {
    INPUT,
    OUTPUT,
    SCRATCH
  }

  private record Operand(Role role, Tensor slot, Tensor view, int guard, float[] start) {}

  Bench(Backend backend) {
    this.backend = backend;
  }

  Backend backend() {
    return backend;
  }

  /** An activation that is only read. */
  Tensor activation(String name, HostTensor values) {
    return operand(name, Role.INPUT, values, true);
  }

  /** A float32 tensor that is only read. */
  Tensor f32(String name, HostTensor values) {
    return operand(name, Role.INPUT, values, false);
  }

  /** An activation that is overwritten. */
  Tensor activationOutput(String name, int rows, int cols) {
    return operand(name, Role.OUTPUT, HostTensor.filled(rows, cols, Float.NaN), true);
  }

  /** A float32 tensor that is overwritten. */
  Tensor f32Output(String name, int rows, int cols) {
    return operand(name, Role.OUTPUT, HostTensor.filled(rows, cols, Float.NaN), false);
  }

  /** An activation that is added to or updated in place. */
  Tensor activationSum(String name, HostTensor start) {
    return operand(name, Role.OUTPUT, start, true);
  }

  /** A float32 tensor that is added to or updated in place. */
  Tensor f32Sum(String name, HostTensor start) {
    return operand(name, Role.OUTPUT, start, false);
  }

  /** A tensor whose content means nothing afterwards. */
  Tensor scratch(String name, int rows, int cols) {
    return operand(name, Role.SCRATCH, HostTensor.filled(rows, cols, Float.NaN), true);
  }

  /** A float32 tensor whose content means nothing afterwards. */
  Tensor f32Scratch(String name, int rows, int cols) {
    return operand(name, Role.SCRATCH, HostTensor.filled(rows, cols, Float.NaN), false);
  }

  /** Integers, within a slot of one more row. */
  IntTensor ints(int rows, int cols, int... values) {
    Region region =
        own(backend.memory().allocate(new MemoryPlan.Builder().i32("i", rows + 1, cols).build()));
    IntTensor slot = region.ints("i");
    int[] padded = Arrays.copyOf(values, (rows + 1) * cols);
    Arrays.fill(padded, rows * cols, padded.length, Integer.MIN_VALUE);
    backend.memory().upload(padded, slot);
    return slot.top(rows);
  }

  /** A frozen matrix. */
  FrozenMatrix matrix(StoredMatrix matrix) {
    FrozenMatrix frozen = backend.memory().load(matrix);
    closings.add(frozen::close);
    return frozen;
  }

  private Tensor operand(String name, Role role, HostTensor values, boolean activation) {
    int guard = activation ? ACTIVATION_GUARD : FLOAT_GUARD;
    int size = values.values().length;
    MemoryPlan.Builder plan = new MemoryPlan.Builder();
    if (activation) {
      plan.activation(name, 1, size + 2 * guard);
    } else {
      plan.f32(name, 1, size + 2 * guard);
    }
    Tensor slot = own(backend.memory().allocate(plan.build())).tensor(name);
    float[] start = new float[size + 2 * guard];
    Arrays.fill(start, SENTINEL);
    System.arraycopy(values.values(), 0, start, guard, size);
    backend.memory().upload(start, slot);
    Tensor view = slot.slice(guard, values.rows(), values.cols());
    operands.put(name, new Operand(role, slot, view, guard, start));
    return view;
  }

  private Region own(Region region) {
    closings.add(region::close);
    return region;
  }

  /** What the outputs hold, by name, after the checks. */
  Outputs results() {
    Map<String, HostTensor> results = new LinkedHashMap<>();
    operands.forEach((name, operand) -> {
      float[] now = new float[operand.start.length];
      backend.memory().download(operand.slot, now);
      int end = now.length - operand.guard;
      checkGuard(name, now, 0, operand.guard);
      checkGuard(name, now, end, now.length);
      float[] values = Arrays.copyOfRange(now, operand.guard, end);
      if (operand.role == Role.INPUT) {
        assertThat(values)
            .as("input %s is never written", name)
            .isEqualTo(Arrays.copyOfRange(operand.start, operand.guard, end));
      } else if (operand.role == Role.OUTPUT) {
        results.put(name, new HostTensor(operand.view.rows(), operand.view.cols(), values));
      }
    });
    return new Outputs(results);
  }

  private static void checkGuard(String name, float[] slot, int from, int to) {
    for (int i = from; i < to; i++) {
      assertThat(slot[i])
          .as("element %d of the slot around %s lies outside the tensor", i, name)
          .isEqualTo(SENTINEL);
    }
  }

  @Override
  public void close() {
    closings.reversed().forEach(Runnable::run);
  }
}
