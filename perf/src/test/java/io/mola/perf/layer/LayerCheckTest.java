package io.mola.perf.layer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;

import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;
import org.openjdk.jmh.annotations.Param;

class LayerCheckTest {
  @Test
  void everyOperationOfTheSimdBackendIsAccepted() {
    assertThatCode(() -> LayerCheck.accept("simd", 2, LayerShape.SMALL)).doesNotThrowAnyException();
  }

  @Test
  void theBenchmarkKnowsEveryOperation() throws NoSuchFieldException {
    Param parameter = LayerOpsBenchmark.class.getField("operation").getAnnotation(Param.class);
    try (LayerBuffers buffers = new LayerBuffers("reference", 1, LayerShape.SMALL.reduced())) {
      Set<String> names = new TreeSet<>();
      new LayerOperations(buffers).all().forEach(each -> names.add(each.name()));
      assertThat(names).containsExactlyInAnyOrderElementsOf(List.of(parameter.value()));
    }
  }

  @Test
  void theRoofIsTheLongerOfBytesAndArithmetic() {
    Operation operation = new Operation("any", 100, 100, 60, List.of(), () -> {});
    assertThat(operation.roofSeconds(10, 10)).isEqualTo(10);
    assertThat(operation.isBoundByBytes(10, 10)).isTrue();
    assertThat(operation.roofSeconds(100, 10)).isEqualTo(6);
    assertThat(operation.isBoundByBytes(100, 10)).isFalse();
  }
}
