package io.mola.gguf;

import static java.util.Map.entry;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowable;

import io.mola.core.failure.MalformedFileException;
import io.mola.core.quant.RowDecoder;
import io.mola.core.quant.StoredMatrix;
import io.mola.core.weights.WeightSource;
import io.mola.testdata.Fixtures;
import java.nio.file.Path;
import java.util.ArrayList;
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
class BadGgufFilesTest {
  /** What the message must hold, ignoring case. */
  private static final Map<String, List<String>> FACTS =
      Map.ofEntries(
          entry("magic-wrong", List.of("not a GGUF file", "GGML")),
          entry("empty", List.of("too short")),
          entry("magic-only", List.of("truncated in the header")),
          entry("version-0", List.of("unsupported GGUF version 0")),
          entry("version-99", List.of("unsupported GGUF version 99")),
          entry("version-byte-swapped", List.of("big-endian", "damaged")),
          entry("trunc-counts", List.of("truncated in the header")),
          entry("trunc-no-kv", List.of("truncated", "entry 1 of 17")),
          entry("trunc-first-key-length", List.of("truncated in the metadata")),
          entry("trunc-first-key", List.of("truncated in the metadata")),
          entry("trunc-value", List.of("truncated in the metadata", "llama.block_count")),
          entry("trunc-token-array", List.of("truncated", "tokenizer.ggml.tokens")),
          entry("trunc-infos", List.of("truncated in the tensor list")),
          entry("trunc-all-data", List.of("token_embd.weight reaches", "beyond the end")),
          entry("trunc-data", List.of("blk.0.attn_q.weight reaches", "beyond the end")),
          entry("trunc-last-byte", List.of("blk.0.ffn_down.weight reaches 1 byte beyond the end")),
          entry("tensor-count-2p63", List.of("tensor count 9223372036854775808 is impossible")),
          entry("tensor-count-one-more", List.of("tensor")),
          entry("kv-count-2p60", List.of("metadata count", "impossible")),
          entry("kv-count-one-more", List.of("a tensor name: string length", "beyond the end")),
          entry("key-length-2p62", List.of("string length", "beyond the end")),
          entry("key-length-2p64-1", List.of("string length", "beyond the end")),
          entry("string-length-beyond-end", List.of("string length", "general.name")),
          entry("array-count-2p61", List.of("array", "larger than the file", "key ")),
          entry("array-count-2p40", List.of("larger than the file", "tokenizer.ggml.tokens")),
          entry("array-type-unknown", List.of("unknown metadata type 77", "key ")),
          entry("array-nested-1000", List.of("nested too deep")),
          entry("value-type-unknown", List.of("unknown metadata type 13", "key ")),
          entry("bool-2", List.of("boolean must be 0 or 1", "key ")),
          entry("key-invalid-utf8", List.of("metadata key is not valid UTF-8")),
          entry("token-invalid-utf8", List.of("UTF-8", "tokenizer.ggml.tokens", "index")),
          entry("key-empty", List.of("empty metadata key")),
          entry("duplicate-key", List.of("duplicate metadata key llama.block_count")),
          entry("no-architecture", List.of("general.architecture is missing")),
          entry("architecture-unknown", List.of("nosuch is not supported", "supported: llama")),
          entry("architecture-wrong-type", List.of("general.architecture must be a string")),
          entry("no-block-count", List.of("llama.block_count is missing")),
          entry("no-head-count", List.of("llama.attention.head_count is missing")),
          entry("no-rms-eps", List.of("llama.attention.layer_norm_rms_epsilon is missing")),
          entry("head-count-0", List.of("head_count must be at least 1")),
          entry("head-count-not-dividing", List.of("embedding_length", "not a multiple")),
          entry("block-count-2", List.of("blk.1.attn_norm.weight is missing")),
          entry("block-count-huge", List.of("block_count")),
          entry("context-length-0", List.of("context_length must be at least 1")),
          entry("no-tokens", List.of("tokenizer.ggml.tokens is missing")),
          entry("tokens-fewer-than-rows", List.of("token count 11", "12 rows", "token_embd")),
          entry("tokens-not-strings", List.of("tokens must be an array of strings")),
          entry("scores-shorter", List.of("scores and tokens differ in length")),
          entry("eos-out-of-range", List.of("eos_token_id", "outside the vocabulary")),
          entry("tensor-type-unknown", List.of("tensor type 200", "attn_q", "supported: F32")),
          entry("tensor-type-removed", List.of("tensor type 4", "attn_q", "supported: F32")),
          entry("duplicate-tensor", List.of("duplicate tensor name blk.0.attn_k.weight")),
          entry("missing-tensor", List.of("blk.0.ffn_up.weight is missing")),
          entry("tensor-name-empty", List.of("empty tensor name")),
          entry("tensor-name-long", List.of("tensor name too long")),
          entry("tensor-extra-unknown", List.of("unexpected tensor blk.0.mystery.weight")),
          entry("dims-overflow", List.of("element count overflows", "attn_q")),
          entry("dims-overflow-to-right-size", List.of("attn_q")),
          entry("dim-negative", List.of("impossible dimension", "attn_q")),
          entry("dims-beyond-file", List.of("output.weight")),
          entry("n-dims-0", List.of("dimensions must be 1 to 4", "tensor ")),
          entry("n-dims-9", List.of("dimensions must be 1 to 4", "attn_q")),
          entry("n-dims-2p32-1", List.of("dimensions must be 1 to 4")),
          entry("dim-zero", List.of("a dimension is 0", "attn_q")),
          entry("shape-wrong", List.of("blk.0.attn_k.weight: expected [32, 16], found [32, 32]")),
          entry(
              "shape-transposed",
              List.of("blk.0.attn_v.weight: expected [32, 16], found [16, 32]")),
          entry("block-not-dividing-row", List.of("24 is not a multiple of the block size 32")),
          entry("block-not-dividing-kquant", List.of("32 is not a multiple of the block size 256")),
          entry("offset-misaligned", List.of("not a multiple of the alignment 32", "attn_q")),
          entry("offset-overlap", List.of("attn_q", "attn_k", "overlap")),
          entry("offset-beyond-end", List.of("blk.0.ffn_down.weight reaches", "beyond the end")),
          entry("offset-2p64-32", List.of("blk.0.ffn_down.weight reaches", "beyond the end")),
          entry("alignment-0", List.of("general.alignment must be a power of two")),
          entry("alignment-3", List.of("general.alignment must be a power of two")),
          entry("alignment-2p31", List.of("beyond the end of the file")),
          entry("alignment-string", List.of("general.alignment must be a number")),
          entry("weight-nan", List.of("output_norm.weight has a value that is not finite")),
          entry("weight-inf", List.of("blk.0.attn_norm.weight has a value that is not finite")),
          entry("scale-nan", List.of("blk.0.ffn_gate.weight", "not finite")),
          entry("split-alone-00001-of-00002", List.of("00002-of-00002.gguf is missing")));

  static Stream<Arguments> files() {
    return StreamSupport.stream(
            Fixtures.json("bad/gguf/manifest.json").get("files").spliterator(), false)
        .map(e -> Arguments.argumentSet(e.get("file").asString(), e));
  }

  @ParameterizedTest
  @MethodSource("files")
  void isRefusedWithTheFactsOrRead(JsonNode entry) {
    String file = entry.get("file").asString();
    Path path = Fixtures.path("bad/gguf/" + file);
    String verdict = entry.get("verdict").asString();
    Throwable fault = catchThrowable(() -> readWhole(path));
    if (fault == null) {
      assertThat(verdict).as("%s was read", file).contains("accept");
      return;
    }
    assertThat(verdict).as("%s was refused: %s", file, fault).contains("reject");
    List<String> facts = FACTS.get(file.replace(".gguf", ""));
    assertThat(facts).as("facts of %s: %s", file, entry.get("should_say")).isNotNull();
    assertThat(fault).isInstanceOf(MalformedFileException.class);
    String message = String.valueOf(fault.getMessage());
    assertThat(message).doesNotContain("\n");
    if (!file.equals("scale-nan.gguf")) {
      assertThat(message).contains(file);
    }
    for (String fact : facts) {
      assertThat(message.toLowerCase(Locale.ROOT)).contains(fact.toLowerCase(Locale.ROOT));
    }
  }

  @Test
  void everyFactBelongsToAFile() {
    List<String> names = new ArrayList<>();
    for (JsonNode entry : Fixtures.json("bad/gguf/manifest.json").get("files")) {
      names.add(entry.get("file").asString().replace(".gguf", ""));
    }
    assertThat(names).containsAll(FACTS.keySet());
  }

  /** Opens the model and decodes all weights, as the first step of a training would. */
  private static void readWhole(Path path) {
    try (WeightSource source = new GgufFormat().open(path)) {
      for (WeightSource.TensorInfo info : source.tensors()) {
        StoredMatrix matrix = GgufNames.canonical(info.name()).flatMap(source::find).orElseThrow();
        float[] row = new float[matrix.in()];
        for (int r = 0; r < matrix.out(); r++) {
          RowDecoder.decodeRow(matrix, r, row, 0);
          RowDecoder.requireFinite(matrix, r, row, 0);
        }
      }
    }
  }
}
