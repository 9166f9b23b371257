package io.mola.testdata.contract;

import static org.assertj.core.api.Assertions.assertThat;

import io.mola.core.backend.Backend;
import io.mola.core.backend.BackendSettings;
import io.mola.core.backend.Backends;
import io.mola.testdata.HostTensor;
import java.util.HashMap;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.TestInstance.Lifecycle;

/** What the contracts of all groups share: the backends under test and ways to compare. */
@TestInstance(Lifecycle.PER_CLASS)
public abstract class BackendContract {
  /** Token counts: one, a few, primes around common tiles, more than one chunk of most kernels. */
  static final int[] TOKENS = {1, 2, 5, 7, 17, 131};

  /** 1, and lane - 1, lane, lane + 1 for lanes of 4, 8 and 16 floats, and primes. */
  static final int[] SIZES = {1, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 67};

  /** Enough for all panels of the contract's matrices. */
  static final long UNLIMITED = Long.MAX_VALUE;

  private static final Backend REFERENCE =
      Backends.checked(Backends.choose("reference").open(new BackendSettings(1, 0)));

  private final Map<BackendSettings, Backend> opened = new HashMap<>();

  /** One computation; it declares its operands on the bench and calls the operation. */
  @FunctionalInterface
  interface Experiment {
    /** Runs it on the bench's backend. */
    void on(Bench bench);
  }

  /** Opens the backend under test; closed when the class is done. */
  protected abstract Backend open(BackendSettings settings);

  /** What the backend stores in activations. */
  protected Precision precision() {
    return Precision.FLOAT32;
  }

  /** The backend with these settings, opened once per class. */
  final Backend backend(int threads, long weightCacheBytes) {
    return opened.computeIfAbsent(
        new BackendSettings(threads, weightCacheBytes),
        settings -> Backends.checked(open(settings)));
  }

  /** The backend with two threads and room for all panels. */
  final Backend backend() {
    return backend(2, UNLIMITED);
  }

  @AfterAll
  final void closeBackends() {
    opened.values().forEach(Backend::close);
  }

  /** Normal numbers that an activation holds exactly. */
  final HostTensor activations(int rows, int cols, double deviation, Random random) {
    return HostTensor.generate(
        rows, cols, () -> precision().round((float) (deviation * random.nextGaussian())));
  }

  /** The outputs of the experiment by name. */
  final Outputs run(Backend backend, Experiment experiment) {
    try (Bench bench = new Bench(backend)) {
      experiment.on(bench);
      return bench.results();
    }
  }

  /** The outputs of the experiment on the backend under test. */
  final Outputs run(Experiment experiment) {
    return run(backend(), experiment);
  }

  /** The outputs of the experiment on the reference backend. */
  final Outputs runReference(Experiment experiment) {
    return run(REFERENCE, experiment);
  }

  /** Asserts that all outputs are as near to the reference's as the tolerance asks. */
  final void matchesReference(Tolerance tolerance, Experiment experiment) {
    matchesReference(backend(), tolerance, experiment);
  }

  /** The same with other settings. */
  final void matchesReference(Backend backend, Tolerance tolerance, Experiment experiment) {
    Outputs expected = runReference(experiment);
    Outputs actual = run(backend, experiment);
    expected.forEach(
        (name, values) -> tolerance.check(name, actual.get(name), values, precision()));
  }

  /** Asserts equal bits with 1, 2 and 3 threads, and when run again. */
  final void sameBitsForAnyThreads(Experiment experiment) {
    Outputs first = run(backend(1, UNLIMITED), experiment);
    assertThat(first.names()).isNotEmpty();
    for (Backend other :
        new Backend[] {backend(1, UNLIMITED), backend(2, UNLIMITED), backend(3, UNLIMITED)}) {
      Outputs again = run(other, experiment);
      first.forEach((name, values) -> sameBits(name, again.get(name), values));
    }
  }

  /** Asserts that two tensors have the same bits. */
  static void sameBits(String name, HostTensor actual, HostTensor expected) {
    for (int i = 0; i < expected.values().length; i++) {
      assertThat(Float.floatToRawIntBits(actual.values()[i]))
          .as("bits of %s, element %d (%s, %s)", name, i, actual.values()[i], expected.values()[i])
          .isEqualTo(Float.floatToRawIntBits(expected.values()[i]));
    }
  }

  /** Asserts closeness of one output to doubles. */
  final void near(Tolerance tolerance, String name, Outputs run, double[] wanted) {
    tolerance.check(name, run.get(name), wanted, precision());
  }

  /** Asserts closeness of one output to a matrix of doubles. */
  final void near(Tolerance tolerance, String name, Outputs run, double[][] rows) {
    near(tolerance, name, run, Doubles.flat(rows));
  }

  /** Element {@code index mod length}: to cycle through sizes. */
  static int cycle(int[] values, int index) {
    return values[index % values.length];
  }
}
