package io.mola.core.verify;

import static org.assertj.core.api.Assertions.assertThat;

import io.mola.core.adapter.AdapterParameters;
import io.mola.core.adapter.AdapterTensor;
import io.mola.core.adapter.ExpertAllocation;
import io.mola.core.model.Projection;
import io.mola.core.quant.QuantType;
import io.mola.core.weights.ModelConfig;
import io.mola.core.weights.Rope;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

class ParityVerifierTest {
  private static final double TOLERANCE = 0.03;

  private static final AdapterParameters ADAPTER = adapter();

  @Test
  void aWrongGradientOfOneProjectionFailsThereAndOnlyThere() {
    float[] right = gradients();
    float[] wrong = right.clone();
    for (AdapterTensor tensor : ADAPTER.tensors()) {
      if (tensor.projection() == Projection.K && tensor.kind() == AdapterTensor.Kind.A) {
        float[] larger = tensor.read(wrong);
        for (int i = 0; i < larger.length; i++) {
          larger[i] *= 1.3f;
        }
        tensor.write(larger, wrong);
      }
    }

    List<CaseResult> cases = ParityVerifier.gradientsByKind(ADAPTER, wrong, right, TOLERANCE);

    assertThat(cases.stream().filter(c -> !c.ok()).map(CaseResult::name))
        .containsOnly("gradients of k_proj A")
        .hasSize(1);
    assertThat(cases).hasSize(1 + 7 * 3);
  }

  @Test
  void equalGradientsPassAndOneThatIsNotANumberDoesNot() {
    float[] right = gradients();
    assertThat(ParityVerifier.gradientsByKind(ADAPTER, right, right, TOLERANCE))
        .allMatch(CaseResult::ok);

    float[] broken = right.clone();
    broken[ADAPTER.tensors().getFirst().offset()] = Float.NaN;
    assertThat(ParityVerifier.gradientsByKind(ADAPTER, broken, right, TOLERANCE))
        .filteredOn(c -> !c.ok())
        .hasSize(2);
  }

  private static AdapterParameters adapter() {
    ModelConfig model =
        new ModelConfig(
            "llama",
            12,
            20,
            3,
            3,
            1,
            4,
            100,
            1e-5,
            new Rope(10000, new Rope.Plain()),
            64,
            0,
            false,
            QuantType.F32);
    return new AdapterParameters(
        model, new ExpertAllocation("234", "2", "2", 16, 0, List.of()).resolve(model));
  }

  private static float[] gradients() {
    Random random = new Random(1);
    float[] flat = new float[ADAPTER.size()];
    for (int i = 0; i < flat.length; i++) {
      flat[i] = (float) random.nextGaussian();
    }
    return flat;
  }
}
