package io.mola.gguf;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import io.mola.core.failure.UsageException;
import io.mola.core.quant.QuantType;
import io.mola.core.quant.StoredMatrix;
import io.mola.core.weights.RowChange;
import io.mola.core.weights.WeightSource;
import io.mola.testdata.Fixtures;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** Copies of models with changed matrices. */
class RewriteTest {
  private static final String VARIANTS = "golden/gguf-quantised/variants/";
  private static final String QUERY = "model.layers.0.self_attn.q_proj.weight";
  private static final String DOWN = "model.layers.0.mlp.down_proj.weight";

  /** Adds the row number to the first value of each row of q and down. */
  private static final class AddRowNumber implements RowChange {
    private final Set<String> names;

    AddRowNumber(String... names) {
      this.names = Set.of(names);
    }

    @Override
    public boolean changes(String canonicalName) {
      return names.contains(canonicalName);
    }

    @Override
    public void apply(String canonicalName, int row, float[] values) {
      values[0] += row;
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"mini", "mini-v1", "mini-v2", "mini-align64", "mini-align8"})
  void aGgufFileWithoutChangesIsCopiedByteByByte(String name, @TempDir Path folder)
      throws IOException {
    Path from = Fixtures.path(VARIANTS + name + ".gguf");
    Path to = folder.resolve("copy.gguf");
    Weights.with(from, source -> source.rewrite(to, QuantType.F32, new AddRowNumber()));
    assertThat(to).hasSameBinaryContentAs(from);
  }

  @ParameterizedTest
  @CsvSource({
    "mini.gguf, F32, 0",
    "mini-v1.gguf, F32, 0",
    "mini-00001-of-00002.gguf, F32, 0",
    "mini-shuffled-infos.gguf, F16, 1e-3",
    "mini.gguf, BF16, 1e-2"
  })
  void changedRowsAreFoundAgainInLogicalOrder(
      String name, QuantType type, double tolerance, @TempDir Path folder) {
    Path from = Fixtures.path(VARIANTS + name);
    Path to = folder.resolve("merged.gguf");
    Weights.with(
        from,
        source -> {
          source.rewrite(to, type, new AddRowNumber(QUERY, DOWN));
          Weights.with(to, merged -> requireChanged(source, merged, type, tolerance));
        });
  }

  private static void requireChanged(
      WeightSource source, WeightSource merged, QuantType type, double tolerance) {
    assertThat(merged.config())
        .usingRecursiveComparison()
        .ignoringFields("weightType")
        .isEqualTo(source.config());
    assertThat(merged.tokenizer())
        .usingRecursiveComparison()
        .ignoringFields("file", "folder", "reason")
        .isEqualTo(source.tokenizer());
    for (WeightSource.TensorInfo info : source.tensors()) {
      String name = GgufNames.canonical(info.name()).orElse(info.name());
      StoredMatrix before = source.find(name).orElseThrow();
      StoredMatrix after = merged.find(name).orElseThrow();
      if (!name.equals(QUERY) && !name.equals(DOWN)) {
        assertThat(after.type()).isEqualTo(before.type());
        assertThat(after.bytes().mismatch(before.bytes())).as(name).isEqualTo(-1);
        continue;
      }
      assertThat(after.type()).isEqualTo(type);
      float[] expected = Weights.decoded(source, name);
      for (int row = 0; row < before.out(); row++) {
        expected[row * before.in()] += row;
      }
      float[] values = Weights.decoded(merged, name);
      for (int i = 0; i < expected.length; i++) {
        double scale = Math.max(1, Math.abs(expected[i]));
        assertThat((double) values[i]).as(name).isCloseTo(expected[i], within(tolerance * scale));
      }
    }
  }

  @ParameterizedTest
  @CsvSource({
    "golden/families/llama-gqa-tied, F32, 0",
    "golden/families/llama3-rope, BF16, 1e-2",
    "models/stories260k, F16, 1e-3",
    "bad/safetensors/sharded-fine, F32, 0",
  })
  void aCheckpointIsCopiedWithItsCompanionsAndShards(
      String name, QuantType type, double tolerance, @TempDir Path folder) throws IOException {
    Path from = Fixtures.path(name);
    Path to = folder.resolve("merged");
    Weights.with(
        from,
        source -> {
          source.rewrite(to, type, new AddRowNumber(QUERY, DOWN));
          Weights.with(to, merged -> requireChanged(source, merged, type, tolerance));
        });
    try (Stream<Path> files = Files.list(from)) {
      for (Path file : files.toList()) {
        String fileName = file.getFileName().toString();
        if (fileName.equals("config.json") || fileName.startsWith("tokenizer")) {
          assertThat(to.resolve(fileName)).hasSameBinaryContentAs(file);
        }
        if (fileName.startsWith("model") && !fileName.endsWith(".gguf")) {
          assertThat(to.resolve(fileName)).exists();
        }
      }
    }
    Path index = to.resolve("model.safetensors.index.json");
    if (Files.exists(index)) {
      JsonNode total = new JsonMapper().readTree(index.toFile()).at("/metadata/total_size");
      long[] bytes = {0};
      Weights.with(to, merged -> merged.tensors().forEach(info -> bytes[0] += info.bytes()));
      assertThat(total.asLong()).isEqualTo(bytes[0]);
    }
    assertThat(folder).isDirectoryNotContaining(p -> p.getFileName().toString().startsWith("."));
  }

  @Test
  void theSourceAndExistingFoldersAreNeverOverwritten(@TempDir Path folder) throws IOException {
    Path copy = Files.copy(Fixtures.path(VARIANTS + "mini.gguf"), folder.resolve("mini.gguf"));
    Weights.with(
        copy,
        source ->
            assertThatThrownBy(() -> source.rewrite(copy, QuantType.F32, new AddRowNumber(QUERY)))
                .isInstanceOf(UsageException.class)
                .hasMessageContaining("is the base model"));
    Weights.with(
        Fixtures.path("golden/families/llama"),
        source ->
            assertThatThrownBy(() -> source.rewrite(folder, QuantType.F32, new AddRowNumber(QUERY)))
                .isInstanceOf(UsageException.class)
                .hasMessageContaining("exists already"));
  }

  @ParameterizedTest
  @ValueSource(strings = {VARIANTS + "mini.gguf", "golden/families/llama"})
  void whatCannotBeStoredLeavesNothingBehind(String name, @TempDir Path folder) throws IOException {
    RowChange tooLarge =
        new RowChange() {
          @Override
          public boolean changes(String canonicalName) {
            return canonicalName.equals(DOWN);
          }

          @Override
          public void apply(String canonicalName, int row, float[] values) {
            values[row] = row == 7 ? 70_000 : 0;
          }
        };
    Weights.with(
        Fixtures.path(name),
        source -> {
          Path to = folder.resolve("merged");
          assertThatThrownBy(() -> source.rewrite(to, QuantType.F16, tooLarge))
              .isInstanceOf(UsageException.class)
              .hasMessageContaining("70000.0 cannot be stored as F16");
          assertThatThrownBy(() -> source.rewrite(to, QuantType.Q8_0, tooLarge))
              .isInstanceOf(UsageException.class)
              .hasMessageContaining("Q8_0 cannot be written");
        });
    try (Stream<Path> left = Files.list(folder)) {
      assertThat(left).isEmpty();
    }
  }
}
