package io.mola.gguf;

import static org.assertj.core.api.Assertions.assertThat;

import io.mola.core.backend.Backend;
import io.mola.core.backend.BackendSettings;
import io.mola.core.backend.Backends;
import io.mola.core.verify.CaseResult;
import io.mola.core.verify.Verification;
import io.mola.testdata.Fixtures;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Real files and recorded numbers through the reference backend. */
class GoldenVerificationTest {
  @ParameterizedTest
  @ValueSource(
      strings = {
        "families/llama",
        "families/llama-gqa-tied",
        "families/llama3-rope",
        "families/mistral-swa",
        "models/tiny_llama3",
        "models/tiny_mistral",
        "models/stories260k",
        "mola-step/authors",
        "mola-step/masked",
        "mola-step/gqa",
        "mola-step/per-module",
        "mola-step/lora",
        "mola-step/accumulation"
      })
  void theReferenceBackendGivesTheRecordedNumbers(String folder) {
    List<CaseResult> failed = new ArrayList<>();
    try (Backend backend = Backends.choose("reference").open(new BackendSettings(1, 0))) {
      List<CaseResult> results =
          new Verification(backend, result -> {}).run(Fixtures.path("golden/" + folder));
      assertThat(results).isNotEmpty();
      results.stream().filter(result -> !result.ok()).forEach(failed::add);
    }
    assertThat(failed).isEmpty();
  }

  /** Every encoding that mola reads; the other files of the folder must be refused by name. */
  @Test
  void everyEncodingGivesTheRecordedLogits() {
    try (Backend backend = Backends.choose("reference").open(new BackendSettings(1, 0))) {
      List<CaseResult> results =
          new Verification(backend, result -> {}).run(Fixtures.path("golden/gguf-quantised"));
      List<CaseResult> ran = results.stream().filter(r -> r.failure() == null).toList();
      assertThat(ran).allMatch(CaseResult::ok);
      for (String type :
          List.of("f16", "bf16", "q8_0", "q4_0", "q4_1", "q5_0", "q5_1", "q4_k", "q5_k", "q6_k")) {
        assertThat(ran).anyMatch(r -> r.name().contains("tiny-" + type));
      }
      assertThat(results)
          .filteredOn(r -> r.failure() != null)
          .isNotEmpty()
          .allMatch(r -> String.valueOf(r.failure()).contains("unsupported tensor type"));
    }
  }
}
