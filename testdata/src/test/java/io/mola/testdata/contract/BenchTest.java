package io.mola.testdata.contract;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.mola.core.backend.Backend;
import io.mola.core.backend.BackendSettings;
import io.mola.core.backend.Backends;
import io.mola.core.backend.Memory;
import io.mola.core.backend.Region;
import io.mola.core.tensor.MemoryPlan;
import io.mola.core.tensor.Tensor;
import io.mola.testdata.HostTensor;
import java.lang.reflect.Proxy;
import java.util.HashMap;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** The contract can fail: what a faulty kernel does is noticed. */
final class BenchTest {
  private final Backend reference = Backends.choose("reference").open(new BackendSettings(1, 0));
  private final Map<String, Region> regions = new HashMap<>();

  /** Remembers the whole slots, of which a bench hands out only the middle. */
  private Bench bench() {
    Memory memory =
        (Memory)
            Proxy.newProxyInstance(
                Memory.class.getClassLoader(),
                new Class<?>[] {Memory.class},
                (proxy, method, arguments) -> {
                  Object result = method.invoke(reference.memory(), arguments);
                  if (result instanceof Region region
                      && arguments != null
                      && arguments[0] instanceof MemoryPlan plan) {
                    regions.put(plan.slots().getFirst().name(), region);
                  }
                  return result;
                });
    Backend backend =
        (Backend)
            Proxy.newProxyInstance(
                Backend.class.getClassLoader(),
                new Class<?>[] {Backend.class},
                (proxy, method, arguments) ->
                    method.getName().equals("memory")
                        ? memory
                        : method.invoke(reference, arguments));
    return new Bench(backend);
  }

  private Tensor slot(String name) {
    Region region = regions.get(name);
    assertThat(region).isNotNull();
    return region.tensor(name);
  }

  @Test
  void aKernelThatWritesBeyondItsOutputIsNoticed() {
    for (boolean before : new boolean[] {true, false}) {
      try (Bench bench = bench()) {
        Tensor view = bench.f32Output("y", 2, 3);
        int guard = (slot("y").cols() - 6) / 2;
        reference
            .memory()
            .upload(new float[1], slot("y").slice(before ? guard - 1 : guard + 6, 1, 1));
        reference.memory().upload(new float[6], view);
        assertThatThrownBy(bench::results)
            .isInstanceOf(AssertionError.class)
            .hasMessageContaining("around y lies outside the tensor");
      }
    }
  }

  @Test
  void aKernelThatWritesItsInputIsNoticed() {
    try (Bench bench = bench()) {
      Tensor x = bench.activation("x", HostTensor.filled(2, 3, 1));
      assertThatCode(bench::results).doesNotThrowAnyException();
      reference.memory().upload(new float[1], x.slice(5, 1, 1));
      assertThatThrownBy(bench::results)
          .isInstanceOf(AssertionError.class)
          .hasMessageContaining("input x is never written");
    }
  }

  @Test
  void outputsThatAreNotOverwrittenAreNotNumbers() {
    try (Bench bench = bench()) {
      bench.activationOutput("y", 1, 2);
      assertThat(bench.results().get("y").values()).containsOnly(Float.NaN);
    }
  }

  @Test
  void aToleranceRefusesWhatIsBeyondItsBound() {
    HostTensor wanted = HostTensor.filled(1, 3, 100);
    HostTensor found = wanted.copy();
    double slack = Tolerance.PRODUCT.bound(Precision.FLOAT32) * 200;
    found.set(0, 2, (float) (100 + 0.9 * slack));
    Tolerance.PRODUCT.check("y", found, wanted, Precision.FLOAT32);
    found.set(0, 2, (float) (100 + 1.1 * slack));
    assertThatThrownBy(() -> Tolerance.PRODUCT.check("y", found, wanted, Precision.FLOAT32))
        .isInstanceOf(AssertionError.class)
        .hasMessageStartingWith("y[0, 2] is 100.0");
  }

  @Test
  void aToleranceNeverTakesNanForANumber() {
    HostTensor number = HostTensor.filled(1, 1, 1);
    HostTensor nan = HostTensor.filled(1, 1, Float.NaN);
    assertThatThrownBy(() -> Tolerance.PRODUCT.check("y", nan, number, Precision.BFLOAT16))
        .isInstanceOf(AssertionError.class);
    assertThatThrownBy(() -> Tolerance.PRODUCT.check("y", number, nan, Precision.BFLOAT16))
        .isInstanceOf(AssertionError.class);
    Tolerance.PRODUCT.check("y", nan, nan, Precision.BFLOAT16);
  }

  @Test
  void bfloat16RoundsToEven() {
    assertThat(Precision.BFLOAT16.round(1 + 0x1p-8f)).isEqualTo(1);
    assertThat(Precision.BFLOAT16.round(1 + 0x1.8p-7f)).isEqualTo(1 + 0x1p-6f);
    assertThat(Precision.BFLOAT16.round(1 + 0x1.1p-8f)).isEqualTo(1 + 0x1p-7f);
    assertThat(Precision.FLOAT32.round(0.1f)).isEqualTo(0.1f);
  }
}
