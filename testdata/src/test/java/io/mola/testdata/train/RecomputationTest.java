package io.mola.testdata.train;

import static org.assertj.core.api.Assertions.assertThat;

import io.mola.core.train.FineTuneResult;
import io.mola.core.train.FineTuning;
import io.mola.core.train.Prefixes;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Blocks that run forward a second time leave every bit as it is, dropout included. */
class RecomputationTest {
  @ParameterizedTest
  @EnumSource(Prefixes.class)
  void changesNoBitOfTheParameters(Prefixes prefixes) {
    TinyRun kept = new TinyRun();
    kept.prefixes = prefixes;
    TinyRun recomputed = new TinyRun();
    recomputed.prefixes = prefixes;
    recomputed.recompute = true;

    FineTuneResult expected = kept.run();
    FineTuneResult result = recomputed.run();

    assertThat(expected.plan().limits().keptBlocks()).isEqualTo(2);
    assertThat(result.plan().limits().keptBlocks()).isEqualTo(1);
    assertThat(result.parameters()).containsExactly(expected.parameters());
  }

  @Test
  void isChosenWhereTheLimitAsksForIt() {
    TinyRun run = new TinyRun();
    long unlimited = new FineTuning(run.request()).plan().totalBytes();
    run.memoryLimit = unlimited - 1;

    assertThat(new FineTuning(run.request()).plan().limits().keptBlocks()).isEqualTo(1);
  }
}
