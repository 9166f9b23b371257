package io.mola.perf.gpu;

import io.mola.core.backend.Backend;
import io.mola.core.backend.BackendSettings;
import io.mola.core.backend.Backends;
import io.mola.testdata.contract.ActivationOpsContract;
import io.mola.testdata.contract.AdapterOpsContract;
import io.mola.testdata.contract.AttentionOpsContract;
import io.mola.testdata.contract.LinearOpsContract;
import io.mola.testdata.contract.LossOpsContract;
import io.mola.testdata.contract.MemoryContract;
import io.mola.testdata.contract.NormOpsContract;
import io.mola.testdata.contract.OptimizerOpsContract;
import io.mola.testdata.contract.Precision;
import io.mola.testdata.contract.RouterOpsContract;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.platform.engine.TestExecutionResult;
import org.junit.platform.engine.discovery.DiscoverySelectors;
import org.junit.platform.launcher.LauncherDiscoveryRequest;
import org.junit.platform.launcher.TestExecutionListener;
import org.junit.platform.launcher.TestIdentifier;
import org.junit.platform.launcher.core.LauncherDiscoveryRequestBuilder;
import org.junit.platform.launcher.core.LauncherFactory;

/** The contract of backends, run on the device outside a build. */
final class DeviceContracts {
  private static final String PRECISION = "mola.cuda.precision";

  private DeviceContracts() {}

  /**
   * What a run of all contracts found.
   *
   * @param passed tests
   * @param failures name and first line of the message
   */
  record Found(int passed, List<String> failures) {}

  /** Runs all groups with that inner precision, {@code bf16} or {@code f32}. */
  static Found run(String precision) {
    System.setProperty(PRECISION, precision);
    try (DeviceContext kept = new DeviceContext()) { // each test opens and closes a backend
      LauncherDiscoveryRequest request =
          LauncherDiscoveryRequestBuilder.request()
              .selectors(
                  Stream.of(
                          Norms.class,
                          Attention.class,
                          Activations.class,
                          Linears.class,
                          Adapters.class,
                          Routers.class,
                          Losses.class,
                          Optimizers.class,
                          MemoryOfDevice.class)
                      .map(DiscoverySelectors::selectClass)
                      .toList())
              .build();
      Collector collector = new Collector();
      LauncherFactory.create().execute(request, collector);
      kept.await();
      return new Found(collector.passed, collector.failures);
    } finally {
      System.clearProperty(PRECISION);
    }
  }

  private static final class Collector implements TestExecutionListener {
    private final List<String> failures = new ArrayList<>();
    private int passed;

    @Override
    public void executionFinished(TestIdentifier test, TestExecutionResult result) {
      if (result.getStatus() == TestExecutionResult.Status.FAILED) {
        String message = result.getThrowable().map(Throwable::toString).orElse("failed");
        failures.add(
            test.getUniqueId().replaceFirst(".*class:", "")
                + ": "
                + message.strip().lines().findFirst().orElse(""));
      } else if (test.isTest() && result.getStatus() == TestExecutionResult.Status.SUCCESSFUL) {
        passed++;
      }
    }
  }

  private static Backend device(BackendSettings settings) {
    return Backends.choose("cuda").open(settings);
  }

  private static Precision activations() {
    return "bf16".equals(System.getProperty(PRECISION)) ? Precision.BFLOAT16 : Precision.FLOAT32;
  }

  static final class Norms extends NormOpsContract {
    @Override
    protected Backend open(BackendSettings settings) {
      return device(settings);
    }

    @Override
    protected Precision precision() {
      return activations();
    }
  }

  static final class Attention extends AttentionOpsContract {
    @Override
    protected Backend open(BackendSettings settings) {
      return device(settings);
    }

    @Override
    protected Precision precision() {
      return activations();
    }
  }

  static final class Activations extends ActivationOpsContract {
    @Override
    protected Backend open(BackendSettings settings) {
      return device(settings);
    }

    @Override
    protected Precision precision() {
      return activations();
    }
  }

  static final class Linears extends LinearOpsContract {
    @Override
    protected Backend open(BackendSettings settings) {
      return device(settings);
    }

    @Override
    protected Precision precision() {
      return activations();
    }
  }

  static final class Adapters extends AdapterOpsContract {
    @Override
    protected Backend open(BackendSettings settings) {
      return device(settings);
    }

    @Override
    protected Precision precision() {
      return activations();
    }
  }

  static final class Routers extends RouterOpsContract {
    @Override
    protected Backend open(BackendSettings settings) {
      return device(settings);
    }

    @Override
    protected Precision precision() {
      return activations();
    }
  }

  static final class Losses extends LossOpsContract {
    @Override
    protected Backend open(BackendSettings settings) {
      return device(settings);
    }

    @Override
    protected Precision precision() {
      return activations();
    }
  }

  static final class Optimizers extends OptimizerOpsContract {
    @Override
    protected Backend open(BackendSettings settings) {
      return device(settings);
    }

    @Override
    protected Precision precision() {
      return activations();
    }
  }

  static final class MemoryOfDevice extends MemoryContract {
    @Override
    protected Backend open(BackendSettings settings) {
      return device(settings);
    }

    @Override
    protected Precision precision() {
      return activations();
    }
  }
}
