package io.mola.testdata.safetensors;

import static java.util.Map.entry;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowable;

import io.mola.core.failure.MalformedFileException;
import io.mola.core.safetensors.SafetensorsFile;
import io.mola.core.safetensors.SafetensorsTensor;
import io.mola.testdata.Fixtures;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import tools.jackson.databind.JsonNode;

/** Every file of the collection of broken files: refused with the facts, or read. */
class BadSafetensorsFilesTest {
  /** What the message must hold, ignoring case. */
  private static final Map<String, List<String>> FACTS =
      Map.ofEntries(
          entry("empty", List.of("too short")),
          entry("seven-bytes", List.of("too short")),
          entry("header-length-0", List.of("header is empty")),
          entry("header-beyond-file", List.of("header", "reaches beyond the end of the file")),
          entry("header-length-2p63", List.of("header length is impossible")),
          entry("header-length-2p64-1", List.of("header length is impossible")),
          entry("header-huge", List.of("header", "too large")),
          entry("header-cut", List.of("header", "reaches beyond the end of the file")),
          entry("not-json", List.of("header is not valid JSON", "column")),
          entry("json-array", List.of("header must be a JSON object")),
          entry("json-string-start", List.of("header must start with {")),
          entry("json-truncated", List.of("header is not valid JSON")),
          entry("json-two-objects", List.of("after the header's JSON object")),
          entry("json-deep", List.of("__metadata__ values must be strings")),
          entry("not-utf8", List.of("header is not valid UTF-8")),
          entry("duplicate-key", List.of("duplicate tensor name a")),
          entry("duplicate-field", List.of("a: duplicate field shape")),
          entry("overlap", List.of("a and b overlap")),
          entry("same-offsets", List.of("a and a2 overlap")),
          entry("hole", List.of("8 bytes before b belong to no tensor")),
          entry("reversed", List.of("b: begin is after end")),
          entry("beyond-end", List.of("c reaches", "beyond the end of the file")),
          entry("data-cut", List.of("c reaches 10 bytes beyond the end of the file")),
          entry("trailing-bytes", List.of("5 bytes after the last tensor belong to no tensor")),
          entry("offset-negative", List.of("a: negative offset")),
          entry("offset-2p64", List.of("c: offset out of range")),
          entry("offset-float", List.of("a: offsets must be integers")),
          entry("offsets-three", List.of("a: data_offsets must be two numbers")),
          entry("size-mismatch", List.of("a: shape and dtype need 96 bytes, the offsets give 92")),
          entry(
              "size-mismatch-dtype",
              List.of("a: shape and dtype need 192 bytes, the offsets give 96")),
          entry("dtype-unknown", List.of("a: unknown dtype Q7_X")),
          entry("dtype-missing", List.of("a has no dtype")),
          entry("field-unknown", List.of("a: unknown field color")),
          entry("dims-negative", List.of("a: negative dimension")),
          entry("dims-overflow", List.of("a: the element count overflows")),
          entry("dims-overflow-to-right-size", List.of("a: the element count overflows")),
          entry("dims-bytes-overflow", List.of("a: the size overflows")),
          entry("metadata-not-strings", List.of("__metadata__ values must be strings")),
          entry("metadata-array", List.of("__metadata__ must be an object")),
          entry("tensor-null", List.of("a must be an object")));

  static Stream<Arguments> files() {
    return StreamSupport.stream(
            Fixtures.json("bad/safetensors/manifest.json").get("files").spliterator(), false)
        .filter(e -> e.has("file"))
        .map(e -> Arguments.argumentSet(e.get("file").asString(), e));
  }

  @ParameterizedTest
  @MethodSource("files")
  void isRefusedWithTheFactsOrRead(JsonNode entry) {
    String file = entry.get("file").asString();
    Path path = Fixtures.path("bad/safetensors/" + file);
    String verdict = entry.get("verdict").asString();
    Throwable fault = catchThrowable(() -> SafetensorsFile.open(path).close());
    if (fault == null) {
      assertThat(verdict).as("%s was read", file).contains("accept");
      return;
    }
    assertThat(verdict).as("%s was refused: %s", file, fault).contains("reject");
    List<String> facts = FACTS.get(file.replace(".safetensors", ""));
    assertThat(facts).as("facts of %s: %s", file, entry.get("should_say")).isNotNull();
    assertThat(fault).isInstanceOf(MalformedFileException.class);
    String message = String.valueOf(fault.getMessage());
    assertThat(message).contains(file).doesNotContain("\n");
    for (String fact : facts) {
      assertThat(message.toLowerCase(Locale.ROOT)).contains(fact.toLowerCase(Locale.ROOT));
    }
  }

  @Test
  void validFilesGiveTheirTensors() {
    try (SafetensorsFile file =
        SafetensorsFile.open(Fixtures.path("bad/safetensors/fine.safetensors"))) {
      assertThat(file.tensors()).containsOnlyKeys("a", "b", "c");
      assertThat(file.tensors().get("a"))
          .extracting(SafetensorsTensor::dtype, SafetensorsTensor::shape)
          .containsExactly("F32", List.of(4L, 6L));
      assertThat(file.tensors().get("b").bytes().byteSize()).isEqualTo(16);
      assertThat(file.tensors().get("c").dtype()).isEqualTo("I64");
    }
    try (SafetensorsFile file =
        SafetensorsFile.open(Fixtures.path("bad/safetensors/fine-with-metadata.safetensors"))) {
      assertThat(file.metadata()).isNotEmpty();
    }
    try (SafetensorsFile file =
        SafetensorsFile.open(Fixtures.path("bad/safetensors/fine-empty-tensors.safetensors"))) {
      assertThat(file.tensors().get("s").shape()).isEmpty();
      assertThat(file.tensors().get("z").shape()).containsExactly(0L, 5L);
    }
  }
}
