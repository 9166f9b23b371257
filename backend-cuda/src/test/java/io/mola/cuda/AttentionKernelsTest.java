package io.mola.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import io.mola.core.backend.AttentionShape;
import io.mola.core.backend.Backend;
import io.mola.core.backend.BackendSettings;
import io.mola.core.backend.Backends;
import io.mola.core.backend.Region;
import io.mola.core.tensor.IntTensor;
import io.mola.core.tensor.MemoryPlan;
import io.mola.core.tensor.Tensor;
import io.mola.cuda.driver.Element;
import io.mola.cuda.driver.Precision;
import io.mola.cuda.emulation.OnEmulatedCuda;
import io.mola.testdata.HostTensor;
import io.mola.testdata.contract.Tolerance;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * Heads longer than the contract's, which have kernels of their own, and rows that meet in a tile.
 */
@OnEmulatedCuda
class AttentionKernelsTest {
  private static final int PREFIX = 5;
  private static final int FIRST = 40;
  private static final int TOKENS = PREFIX + FIRST + 26;
  private static final List<String> OUTPUTS = List.of("out", "dq", "dk", "dv");

  @ParameterizedTest(name = "{0}, head dim {1}")
  @CsvSource({
    "F32, 96",
    "F32, 128",
    "F32, 160",
    "F32, 256",
    "BF16, 80",
    "BF16, 128",
    "BF16, 160",
    "BF16, 256"
  })
  void longHeadsMatchTheReference(Precision precision, int headDim) {
    AttentionShape shape = new AttentionShape(2, 1, headDim, Integer.MAX_VALUE);
    Map<String, HostTensor> inputs = inputs(precision, shape, headDim);
    Map<String, float[]> expected;
    try (Backend reference = Backends.choose("reference").open(new BackendSettings(1, 0))) {
      expected = run(reference, shape, inputs);
    }
    Map<String, float[]> actual = run(precision, shape, inputs);

    io.mola.testdata.contract.Precision stored =
        precision == Precision.BF16
            ? io.mola.testdata.contract.Precision.BFLOAT16
            : io.mola.testdata.contract.Precision.FLOAT32;
    double bound = Tolerance.ATTENTION.bound(stored);
    for (String name : OUTPUTS) {
      float[] wanted = expected.get(name);
      float[] found = actual.get(name);
      for (int i = 0; i < wanted.length; i++) {
        assertThat((double) Math.abs(found[i] - wanted[i]))
            .as("%s[%d]", name, i)
            .isLessThanOrEqualTo(bound * (Math.abs(wanted[i]) + 1));
      }
    }
  }

  /** Both segments lie in one tile of every kernel; they share the prefix only. */
  @ParameterizedTest(name = "{0}, head dim {1}, {2}")
  @CsvSource({
    "F32, 16, v",
    "F32, 16, dOut",
    "F32, 64, q",
    "BF16, 16, v",
    "BF16, 16, dOut",
    "BF16, 64, q",
    "BF16, 128, k",
    "BF16, 160, v"
  })
  void nanOfOneSegmentLeavesTheOtherAlone(Precision precision, int headDim, String spoilt) {
    AttentionShape shape = new AttentionShape(2, 2, headDim, Integer.MAX_VALUE);
    Map<String, HostTensor> inputs = inputs(precision, shape, 3);
    int bad = PREFIX + 7;
    inputs.get(spoilt).set(bad, 1, Float.NaN);

    Map<String, float[]> outputs = run(precision, shape, inputs);

    int width = shape.queryWidth();
    for (String name : OUTPUTS) {
      float[] values = outputs.get(name);
      for (int t = PREFIX + FIRST; t < TOKENS; t++) {
        for (int col = 0; col < width; col++) {
          assertThat(values[t * width + col]).as("%s[%d, %d]", name, t, col).isFinite();
        }
      }
    }
    String shows = spoilt.equals("dOut") ? "dq" : "out";
    assertThat(outputs.get(shows)[bad * width + 1]).isNaN();
  }

  private static Map<String, HostTensor> inputs(
      Precision precision, AttentionShape shape, long seed) {
    Random random = new Random(seed);
    Map<String, HostTensor> inputs = new LinkedHashMap<>();
    for (String name : List.of("q", "dOut")) {
      inputs.put(name, activations(precision, shape.queryWidth(), random));
    }
    for (String name : List.of("k", "v")) {
      inputs.put(name, activations(precision, shape.keyWidth(), random));
    }
    return inputs;
  }

  private static HostTensor activations(Precision precision, int cols, Random random) {
    return HostTensor.generate(
        TOKENS,
        cols,
        () -> {
          float value = (float) random.nextGaussian();
          return precision == Precision.BF16 ? Element.ofBf16(Element.toBf16(value)) : value;
        });
  }

  /** A prefix and two segments that continue it. */
  private static int[] spans() {
    int[] spans = new int[4 * TOKENS];
    for (int t = 0; t < TOKENS; t++) {
      int start = t < PREFIX ? 0 : t < PREFIX + FIRST ? PREFIX : PREFIX + FIRST;
      int end = t < PREFIX || start > PREFIX ? TOKENS : PREFIX + FIRST;
      int prefixEnd = t < PREFIX ? 0 : PREFIX;
      System.arraycopy(new int[] {0, prefixEnd, start, end}, 0, spans, 4 * t, 4);
    }
    return spans;
  }

  private static Map<String, float[]> run(
      Precision precision, AttentionShape shape, Map<String, HostTensor> inputs) {
    try (Backend backend = EmulatedBackend.open(new BackendSettings(1, 0), precision)) {
      return run(backend, shape, inputs);
    }
  }

  private static Map<String, float[]> run(
      Backend backend, AttentionShape shape, Map<String, HostTensor> inputs) {
    MemoryPlan.Builder plan = new MemoryPlan.Builder();
    inputs.forEach((name, values) -> plan.activation(name, values.rows(), values.cols()));
    plan.activation("out", TOKENS, shape.queryWidth())
        .activation("dq", TOKENS, shape.queryWidth())
        .activation("dk", TOKENS, shape.keyWidth())
        .activation("dv", TOKENS, shape.keyWidth())
        .f32("lse", TOKENS, shape.heads())
        .f32("delta", TOKENS, shape.heads())
        .i32("spans", TOKENS, 4);
    Map<String, float[]> outputs = new LinkedHashMap<>();
    try (Region region = backend.memory().allocate(plan.build())) {
      inputs.forEach(
          (name, values) -> backend.memory().upload(values.values(), region.tensor(name)));
      IntTensor spans = region.ints("spans");
      backend.memory().upload(spans(), spans);
      Tensor q = region.tensor("q");
      Tensor k = region.tensor("k");
      Tensor v = region.tensor("v");
      Tensor out = region.tensor("out");
      Tensor lse = region.tensor("lse");
      backend.attention().forward(q, k, v, spans, shape, out, lse);
      backend
          .attention()
          .backward(
              region.tensor("dOut"),
              q,
              k,
              v,
              out,
              lse,
              spans,
              shape,
              region.tensor("delta"),
              region.tensor("dq"),
              region.tensor("dk"),
              region.tensor("dv"));
      for (String name : OUTPUTS) {
        Tensor tensor = region.tensor(name);
        float[] values = new float[tensor.rows() * tensor.cols()];
        backend.memory().download(tensor, values);
        outputs.put(name, values);
      }
    }
    return outputs;
  }
}
