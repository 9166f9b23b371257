package io.mola.gguf;

import static org.assertj.core.api.Assertions.assertThat;

import io.mola.core.quant.RowDecoder;
import io.mola.core.quant.StoredMatrix;
import io.mola.core.weights.TokenizerSource;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A file of 3 GiB, nearly all of it a hole, with tensors beyond 2^31. */
class LargeFileTest {
  private static final int HIDDEN = 256;
  private static final int ROWS = 3 << 20; // times 256 floats: 3 GiB
  private static final long EMBEDDING_BYTES = 4L * HIDDEN * ROWS;

  private final ByteBuffer head = ByteBuffer.allocate(1 << 16).order(ByteOrder.LITTLE_ENDIAN);
  private long offset;

  @Test
  void tensorsBeyondTwoGibibytesAreReadInPlace(@TempDir Path folder) throws IOException {
    Path path = folder.resolve("large.gguf");
    writeSparse(path);
    Weights.with(
        path,
        source -> {
          assertThat(source.mappedBytes()).isGreaterThan(3L << 30);
          assertThat(source.tokenizer()).isInstanceOf(TokenizerSource.None.class);
          StoredMatrix embedding = source.find("model.embed_tokens.weight").orElseThrow();
          float[] row = new float[HIDDEN];
          RowDecoder.decodeRow(embedding, ROWS - 1, row, 0);
          assertThat(row[HIDDEN - 1]).isEqualTo(42);
          RowDecoder.decodeRow(embedding, ROWS / 2, row, 0);
          assertThat(row).containsOnly(0);
          assertThat(Weights.decoded(source, "model.norm.weight")).containsOnly(3);
        });
  }

  private void writeSparse(Path path) throws IOException {
    head.put("GGUF".getBytes(StandardCharsets.US_ASCII)).putInt(3).putLong(11).putLong(8);
    text("general.architecture");
    head.putInt(8);
    text("llama");
    number("llama.embedding_length", HIDDEN);
    number("llama.block_count", 1);
    number("llama.attention.head_count", 4);
    number("llama.feed_forward_length", 1);
    number("llama.context_length", 8);
    number("llama.attention.head_count_kv", 1);
    text("llama.attention.layer_norm_rms_epsilon");
    head.putInt(6).putFloat(1e-5f);
    tensor("token_embd.weight", HIDDEN, ROWS);
    tensor("blk.0.attn_q.weight", HIDDEN, HIDDEN);
    tensor("blk.0.attn_output.weight", HIDDEN, HIDDEN);
    tensor("blk.0.attn_k.weight", HIDDEN, HIDDEN / 4);
    tensor("blk.0.attn_v.weight", HIDDEN, HIDDEN / 4);
    tensor("blk.0.ffn_gate.weight", HIDDEN, 1);
    tensor("blk.0.ffn_up.weight", HIDDEN, 1);
    tensor("blk.0.ffn_down.weight", 1, HIDDEN);
    tensor("blk.0.attn_norm.weight", HIDDEN);
    tensor("blk.0.ffn_norm.weight", HIDDEN);
    long norm = tensor("output_norm.weight", HIDDEN);
    long start = (head.position() + 31L) / 32 * 32;
    try (FileChannel channel =
        FileChannel.open(
            path,
            StandardOpenOption.CREATE_NEW,
            StandardOpenOption.WRITE,
            StandardOpenOption.SPARSE)) {
      channel.write(head.flip());
      channel.write(floats(1, 42), start + EMBEDDING_BYTES - 4);
      channel.write(floats(HIDDEN, 3), start + norm);
    }
  }

  private void text(String text) {
    byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
    head.putLong(bytes.length).put(bytes);
  }

  private void number(String key, int value) {
    text(key);
    head.putInt(4).putInt(value);
  }

  private long tensor(String name, long... dimensions) {
    text(name);
    head.putInt(dimensions.length);
    long bytes = 4;
    for (long dimension : dimensions) {
      head.putLong(dimension);
      bytes *= dimension;
    }
    long at = offset;
    head.putInt(0).putLong(at);
    offset += (bytes + 31) / 32 * 32;
    return at;
  }

  private static ByteBuffer floats(int count, float value) {
    ByteBuffer buffer = ByteBuffer.allocate(4 * count).order(ByteOrder.LITTLE_ENDIAN);
    for (int i = 0; i < count; i++) {
      buffer.putFloat(value);
    }
    return buffer.flip();
  }
}
