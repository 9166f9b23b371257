package io.mola.testdata.train;

import static org.assertj.core.api.Assertions.assertThat;

import io.mola.core.backend.OperationTimes;
import io.mola.core.backend.OperationTimes.Row;
import io.mola.core.backend.ProfiledBackend;
import io.mola.core.train.FineTuneResult;
import io.mola.core.train.StepProfile;
import io.mola.core.train.StepReport;
import io.mola.core.train.TrainingListener;
import java.util.Map;
import java.util.function.Function;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;

/** A profiled run beside the same run without. */
final class StepProfileTest {
  private static final int WARM = TinyRun.STEPS - 1;

  private final OperationTimes times = new OperationTimes();
  private final StepProfile profile = new StepProfile(times, new TrainingListener() {});
  private final TinyRun tiny = new TinyRun();
  private final FineTuneResult result = profiled();

  private FineTuneResult profiled() {
    tiny.backend = ProfiledBackend.provider(tiny.backend, times);
    return tiny.run(profile);
  }

  @Test
  void theResultIsTheSame() {
    assertThat(result.parameters()).isEqualTo(new TinyRun().run().parameters());
  }

  @Test
  void operationsAndOtherAddUpToTheStepsAfterTheFirst() {
    long warm = result.steps().stream().skip(1).mapToLong(StepReport::nanos).sum();
    long operations = profile.operations().stream().mapToLong(Row::nanos).sum();

    assertThat(profile.steps()).isEqualTo(WARM);
    assertThat(profile.nanos()).isEqualTo(warm);
    assertThat(operations + profile.otherNanos()).isEqualTo(warm);
    assertThat(profile.otherNanos()).isNotNegative();
  }

  @Test
  void everyCallOfAStepIsCounted() {
    Map<String, Row> rows =
        profile.operations().stream()
            .collect(Collectors.toMap(Row::operation, Function.identity()));

    assertThat(rows.get("optimizer.adamW").calls()).isEqualTo(WARM);
    long forward = calls(rows, "adapters.forward");
    assertThat(forward).isPositive().isEqualTo(calls(rows, "adapters.backward"));
    assertThat(rows.get("attention.backward").calls()).isEqualTo(forward / 4);
  }

  private static long calls(Map<String, Row> rows, String operation) {
    return rows.values().stream()
        .filter(row -> row.operation().startsWith(operation))
        .mapToLong(Row::calls)
        .sum();
  }
}
