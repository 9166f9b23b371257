package io.mola.perf.product;

import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.mola.core.backend.BackendSettings;
import io.mola.core.quant.QuantType;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.Test;

class ProductCheckTest {
  private static final Operands OPERANDS =
      Operands.random(QuantType.Q4_1, new ProductShape(48, 64), 7);

  @Test
  void theSimdBackendIsAcceptedCachedAndUncached() {
    ProductCheck check = new ProductCheck(OPERANDS);
    for (String name : new String[] {"simd", "simd-uncached"}) {
      try (FrozenProduct product = new Implementation(name).open(OPERANDS, 2)) {
        assertThatCode(() -> check.accept(name, product)).doesNotThrowAnyException();
      }
    }
  }

  @Test
  void oneElementThatIsOffIsRefused() {
    try (FrozenProduct product =
        new Altered(
            new BackendProduct("simd", new BackendSettings(1, 0), OPERANDS),
            values -> {
              values[values.length - 1] += 0.01f;
              return values;
            })) {
      assertThatThrownBy(() -> new ProductCheck(OPERANDS).accept("altered", product))
          .isInstanceOf(IllegalStateException.class)
          .hasMessageContaining("altered dx[319]");
    }
  }

  @Test
  void anUnknownNameSaysHowToGetTheLibraries() {
    assertThatThrownBy(() -> new Implementation("openblast").open(OPERANDS, 1))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("-P peers");
  }

  /** A product whose dx is not what was computed. */
  private record Altered(FrozenProduct product, UnaryOperator<float[]> change)
      implements FrozenProduct {
    @Override
    public void forward(int rows) {
      product.forward(rows);
    }

    @Override
    public void backward(int rows) {
      product.backward(rows);
    }

    @Override
    public float[] y(int rows) {
      return product.y(rows);
    }

    @Override
    public float[] dx(int rows) {
      return change.apply(product.dx(rows));
    }

    @Override
    public void close() {
      product.close();
    }
  }
}
