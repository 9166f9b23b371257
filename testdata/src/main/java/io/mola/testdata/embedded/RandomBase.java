package io.mola.testdata.embedded;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.IntStream;

/**
 * Writes a small random Llama as a GGUF v3 file: the base that the embedded model grows from. Its
 * vocabulary has one token per character, so its tokenizer is byte-level BPE without merges.
 *
 * <p>GGUF: magic, version, counts, metadata, tensor infos, padding, data (ggml/docs/gguf.md). All
 * matrices are F16, norms F32.
 */
public final class RandomBase {
  private static final int ALIGNMENT = 32;
  private static final int TYPE_F32 = 0;
  private static final int TYPE_F16 = 1;
  private static final int KEY_UINT32 = 4;
  private static final int KEY_INT32 = 5;
  private static final int KEY_FLOAT32 = 6;
  private static final int KEY_BOOL = 7;
  private static final int KEY_STRING = 8;
  private static final int KEY_ARRAY = 9;
  private static final int TOKEN_NORMAL = 1;
  private static final int TOKEN_CONTROL = 3;

  private final ByteArrayOutputStream header = new ByteArrayOutputStream();
  private final ByteArrayOutputStream infos = new ByteArrayOutputStream();
  private final ByteArrayOutputStream data = new ByteArrayOutputStream();
  private final SplittableRandom random;
  private int keys;
  private int tensors;

  private RandomBase(long seed) {
    random = new SplittableRandom(seed);
  }

  /**
   * Writes the model.
   *
   * @param args file, seed, hidden size, intermediate size, layers, heads, standard deviation of
   *     the matrices, standard deviation of the embeddings
   */
  public static void main(String[] args) {
    new RandomBase(Long.parseLong(args[1]))
        .write(
            Path.of(args[0]),
            Integer.parseInt(args[2]),
            Integer.parseInt(args[3]),
            Integer.parseInt(args[4]),
            Integer.parseInt(args[5]),
            Double.parseDouble(args[6]),
            Double.parseDouble(args[7]));
  }

  private void write(
      Path file, int hidden, int wide, int layers, int heads, double spread, double embedding) {
    List<String> vocabulary = vocabulary();
    metadata(hidden, wide, layers, heads, vocabulary);
    matrix("token_embd.weight", vocabulary.size(), hidden, embedding);
    for (int l = 0; l < layers; l++) {
      String block = "blk." + l + ".";
      ones(block + "attn_norm.weight", hidden);
      for (String part : List.of("attn_q", "attn_k", "attn_v", "attn_output")) {
        matrix(block + part + ".weight", hidden, hidden, spread);
      }
      ones(block + "ffn_norm.weight", hidden);
      matrix(block + "ffn_gate.weight", wide, hidden, spread);
      matrix(block + "ffn_up.weight", wide, hidden, spread);
      matrix(block + "ffn_down.weight", hidden, wide, spread);
    }
    ones("output_norm.weight", hidden);
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    out.writeBytes("GGUF".getBytes(StandardCharsets.US_ASCII));
    u32(out, 3);
    u64(out, tensors);
    u64(out, keys);
    out.writeBytes(header.toByteArray());
    out.writeBytes(infos.toByteArray());
    pad(out);
    out.writeBytes(data.toByteArray());
    try {
      Files.write(file, out.toByteArray());
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** End of text, then space, colon and letters; a space is Ġ in the byte-level alphabet. */
  private static List<String> vocabulary() {
    List<String> pieces = new ArrayList<>(List.of("<|end|>", "\u0120", ":"));
    IntStream.rangeClosed('a', 'z').forEach(c -> pieces.add(String.valueOf((char) c)));
    return pieces;
  }

  private void metadata(int hidden, int wide, int layers, int heads, List<String> vocabulary) {
    string("general.architecture", "llama");
    string("general.name", "mola letters");
    string("general.license", "apache-2.0");
    number("llama.context_length", 64);
    number("llama.embedding_length", hidden);
    number("llama.block_count", layers);
    number("llama.feed_forward_length", wide);
    number("llama.attention.head_count", heads);
    number("llama.attention.head_count_kv", heads);
    number("llama.rope.dimension_count", hidden / heads);
    real("llama.attention.layer_norm_rms_epsilon", 1e-5f);
    real("llama.rope.freq_base", 10000f);
    string("tokenizer.ggml.model", "gpt2");
    string("tokenizer.ggml.pre", "gpt-2");
    array("tokenizer.ggml.tokens", KEY_STRING, vocabulary.size());
    vocabulary.forEach(piece -> text(header, piece));
    array("tokenizer.ggml.token_type", KEY_INT32, vocabulary.size());
    IntStream.range(0, vocabulary.size())
        .forEach(id -> u32(header, id == 0 ? TOKEN_CONTROL : TOKEN_NORMAL));
    array("tokenizer.ggml.merges", KEY_STRING, 0);
    number("tokenizer.ggml.eos_token_id", 0);
    key("tokenizer.ggml.add_bos_token", KEY_BOOL);
    header.write(0);
  }

  private void matrix(String name, int out, int in, double spread) {
    info(name, TYPE_F16, in, out);
    ByteBuffer row = ByteBuffer.allocate(2 * in).order(ByteOrder.LITTLE_ENDIAN);
    for (int o = 0; o < out; o++) {
      row.clear();
      for (int i = 0; i < in; i++) {
        row.putShort(Float.floatToFloat16((float) (random.nextGaussian() * spread)));
      }
      data.writeBytes(row.array());
    }
    pad(data);
  }

  private void ones(String name, int length) {
    info(name, TYPE_F32, length);
    for (int i = 0; i < length; i++) {
      u32(data, Float.floatToRawIntBits(1f));
    }
    pad(data);
  }

  private void info(String name, int type, int... dimensions) {
    text(infos, name);
    u32(infos, dimensions.length);
    for (int dimension : dimensions) {
      u64(infos, dimension);
    }
    u32(infos, type);
    u64(infos, data.size());
    tensors++;
  }

  private void string(String key, String value) {
    key(key, KEY_STRING);
    text(header, value);
  }

  private void number(String key, int value) {
    key(key, KEY_UINT32);
    u32(header, value);
  }

  private void real(String key, float value) {
    key(key, KEY_FLOAT32);
    u32(header, Float.floatToRawIntBits(value));
  }

  private void array(String key, int elementType, int length) {
    key(key, KEY_ARRAY);
    u32(header, elementType);
    u64(header, length);
  }

  private void key(String key, int type) {
    text(header, key);
    u32(header, type);
    keys++;
  }

  private static void text(ByteArrayOutputStream out, String value) {
    byte[] bytes = value.getBytes(StandardCharsets.UTF_8);
    u64(out, bytes.length);
    out.writeBytes(bytes);
  }

  private static void u32(ByteArrayOutputStream out, int value) {
    out.writeBytes(ByteBuffer.allocate(4).order(ByteOrder.LITTLE_ENDIAN).putInt(value).array());
  }

  private static void u64(ByteArrayOutputStream out, long value) {
    out.writeBytes(ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN).putLong(value).array());
  }

  private static void pad(ByteArrayOutputStream out) {
    while (out.size() % ALIGNMENT != 0) {
      out.write(0);
    }
  }
}
