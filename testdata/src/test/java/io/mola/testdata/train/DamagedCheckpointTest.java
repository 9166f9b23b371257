package io.mola.testdata.train;

import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.params.provider.Arguments.argumentSet;

import io.mola.core.adapter.AdapterFolder;
import io.mola.core.failure.MalformedFileException;
import io.mola.core.failure.UsageException;
import io.mola.core.safetensors.SafetensorsWriter;
import io.mola.core.safetensors.SafetensorsWriter.Source;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/** Each damage of a checkpoint is one line that names the file. */
class DamagedCheckpointTest {
  private static final String STATE = "training_state.json";
  private static final String MOMENTS = "optimizer.safetensors";
  private static final JsonMapper MAPPER = JsonMapper.builder().build();

  @TempDir private Path output;
  private Path checkpoint;
  private int rows;

  @BeforeEach
  void write() {
    checkpoint = new TinyRun().run(output, 3, 0, 3).checkpoint().orElseThrow();
    rows = new TinyRun().run().adapter().rows();
  }

  @ParameterizedTest
  @ValueSource(strings = {MOMENTS, "adapter_model.safetensors", "adapter_config.json"})
  void aFileThatIsCutChangedOrMissingIsNamed(String name) throws IOException {
    Path file = checkpoint.resolve(name);
    byte[] whole = Files.readAllBytes(file);
    Files.write(file, Arrays.copyOf(whole, whole.length - 5));
    assertMalformed(file, "SHA-256 is ", "the file is damaged, use another checkpoint");
    byte[] changed = whole.clone();
    changed[whole.length / 2] ^= 1;
    Files.write(file, changed);
    assertMalformed(file, "SHA-256 is ", "the file is damaged, use another checkpoint");
    Files.delete(file);
    assertMalformed(file, "is missing; use another checkpoint");
  }

  @Test
  void aFolderWithoutStateIsNoCheckpoint() throws IOException {
    Files.delete(checkpoint.resolve(STATE));
    assertMalformed(checkpoint.resolve(STATE), "is missing, so the folder is no checkpoint");
    assertThatThrownBy(() -> new TinyRun().resume(output, output.resolve("checkpoint-5")))
        .isInstanceOf(UsageException.class)
        .hasMessage(
            output.resolve("checkpoint-5") + ": no such folder; name a checkpoint, or latest");
  }

  static Stream<Arguments> states() {
    return Stream.of(
        argumentSet("cut", "{\"format\": 1, \"st", "not valid JSON"),
        argumentSet("empty", "", "format is"),
        argumentSet("another format", "{\"format\": 2, \"step\": 3}", "format is 2; 1 is read"),
        argumentSet("no step", "{\"format\": 1}", "not a number of steps"),
        argumentSet("step 0", "{\"format\": 1, \"step\": 0}", "step is 0"),
        argumentSet("huge step", "{\"format\": 1, \"step\": 3e99}", "step is 3"),
        argumentSet("no hash", "{\"format\": 1, \"step\": 3}", "SHA-256 is"),
        argumentSet(
            "wrong kind", "{\"format\": 1, \"step\": 3, \"run\": {\"seed\": 1}}", "seed of run"),
        argumentSet("too large", " ".repeat(2 << 20), "is too large"));
  }

  @ParameterizedTest
  @MethodSource("states")
  void aDamagedStateIsNamed(String text, String message) throws IOException {
    Files.writeString(checkpoint.resolve(STATE), text);
    assertThatThrownBy(() -> new TinyRun().resume(output, checkpoint))
        .isInstanceOf(MalformedFileException.class)
        .hasMessageContaining(message)
        .message()
        .doesNotContain("\n");
  }

  @Test
  void momentsThatFitNoAdapterOrNoTrainingAreNamed() throws IOException {
    Path file = checkpoint.resolve(MOMENTS);
    float[] zero = new float[rows * 1024];
    writeMoments(Source.f32("adapter.m", List.of(1L, 1024L), new float[1024]));
    assertMalformed(file, "adapter.m is F32 [1, 1024], but this adapter needs F32 [" + rows);
    writeMoments(Source.f32("adapter.m", List.of(rows * 1024L), zero));
    assertMalformed(file, "adapter.m is F32 [" + rows * 1024 + "], but this adapter needs");
    writeMoments(Source.f32("adapter.v", shape(), zero));
    assertMalformed(file, "tensor adapter.m is missing");

    float[] bad = zero.clone();
    bad[1030] = Float.NaN;
    writeMoments(Source.f32("adapter.m", shape(), bad));
    assertMalformed(file, "adapter.m has the value NaN at 1030, which no training gives");
    bad[1030] = -1;
    writeMoments(Source.f32("adapter.m", shape(), bad), Source.f32("adapter.v", shape(), bad));
    assertMalformed(file, "adapter.v has the value -1.0 at 1030, which no training gives");
  }

  @Test
  void aStepBeyondTheRunIsNamed() throws IOException {
    Path file = checkpoint.resolve(STATE);
    ObjectNode root = (ObjectNode) MAPPER.readTree(Files.readString(file));
    root.put("step", 10);
    Files.writeString(file, root.toString());
    assertMalformed(file, "step 10 is beyond the 9 of its run");
  }

  private List<Long> shape() {
    return List.of((long) rows, 1024L);
  }

  private void writeMoments(Source... tensors) throws IOException {
    SafetensorsWriter.write(checkpoint.resolve(MOMENTS), Map.of(), List.of(tensors));
    rehash();
  }

  /** Makes the hash fit, as damage that was there before the file was written would. */
  private void rehash() throws IOException {
    Path file = checkpoint.resolve(STATE);
    ObjectNode root = (ObjectNode) MAPPER.readTree(Files.readString(file));
    ((ObjectNode) root.get("sha256"))
        .put(MOMENTS, AdapterFolder.sha256(checkpoint.resolve(MOMENTS)));
    Files.writeString(file, root.toString());
  }

  private void assertMalformed(Path file, String... parts) {
    assertThatThrownBy(() -> new TinyRun().resume(output, checkpoint))
        .isInstanceOf(MalformedFileException.class)
        .hasMessageStartingWith(file.toString())
        .hasMessageContainingAll(parts)
        .message()
        .doesNotContain("\n");
  }
}
