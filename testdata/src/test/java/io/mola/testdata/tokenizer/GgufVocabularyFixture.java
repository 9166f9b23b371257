package io.mola.testdata.tokenizer;

import io.mola.core.weights.TokenizerSource;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * Reads tokenizer.ggml.* of sound fixture files (GGUF v1 and v3); the loader is tested elsewhere.
 */
public final class GgufVocabularyFixture {
  private final ByteBuffer in;
  private final boolean wide;

  private GgufVocabularyFixture(ByteBuffer in) {
    this.in = in;
    in.getInt();
    wide = in.getInt() > 1;
  }

  /** The vocabulary of that file. */
  public static TokenizerSource.Vocabulary read(Path file) {
    try (FileChannel channel = FileChannel.open(file)) {
      ByteBuffer map = channel.map(FileChannel.MapMode.READ_ONLY, 0, channel.size());
      return new GgufVocabularyFixture(map.order(ByteOrder.LITTLE_ENDIAN)).vocabulary(file);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private TokenizerSource.Vocabulary vocabulary(Path file) {
    count();
    int keys = count();
    Map<String, Object> kv = new HashMap<>();
    for (int i = 0; i < keys; i++) {
      String key = string();
      Object value = value(in.getInt());
      if (key.startsWith("tokenizer.")) {
        kv.put(key.replaceFirst("tokenizer\\.(ggml\\.)?", ""), value);
      }
    }
    return new TokenizerSource.Vocabulary(
        file,
        (String) Objects.requireNonNull(kv.get("model")),
        (String) kv.get("pre"),
        strings(kv.get("tokens")),
        floats(kv.get("scores")),
        ints(kv.get("token_type")),
        kv.containsKey("merges") ? strings(kv.get("merges")) : null,
        id(kv, "bos_token_id"),
        id(kv, "eos_token_id"),
        id(kv, "eot_token_id"),
        id(kv, "unknown_token_id"),
        id(kv, "padding_token_id"),
        (Boolean) kv.get("add_bos_token"),
        (Boolean) kv.get("add_eos_token"),
        (Boolean) kv.get("add_space_prefix"),
        (String) kv.get("chat_template"));
  }

  private Object value(int type) {
    return switch (type) {
      case 0, 1 -> (int) in.get();
      case 2, 3 -> (int) in.getShort();
      case 4, 5 -> in.getInt();
      case 6 -> in.getFloat();
      case 7 -> in.get() != 0;
      case 8 -> string();
      case 9 -> array();
      case 10, 11 -> in.getLong();
      case 12 -> in.getDouble();
      default -> throw new IllegalStateException("type " + type);
    };
  }

  private List<Object> array() {
    int type = in.getInt();
    int size = count();
    List<Object> values = new ArrayList<>(size);
    for (int i = 0; i < size; i++) {
      values.add(value(type));
    }
    return values;
  }

  private String string() {
    byte[] bytes = new byte[count()];
    in.get(bytes);
    return new String(bytes, StandardCharsets.UTF_8);
  }

  private int count() {
    return wide ? (int) in.getLong() : in.getInt();
  }

  private static int id(Map<String, Object> kv, String key) {
    return kv.get(key) instanceof Integer id ? id : -1;
  }

  private static List<String> strings(@Nullable Object list) {
    return ((List<?>) Objects.requireNonNull(list)).stream().map(String.class::cast).toList();
  }

  private static float @Nullable [] floats(@Nullable Object list) {
    if (list == null) {
      return null;
    }
    List<?> values = (List<?>) list;
    float[] floats = new float[values.size()];
    for (int i = 0; i < floats.length; i++) {
      floats[i] = (Float) values.get(i);
    }
    return floats;
  }

  private static int @Nullable [] ints(@Nullable Object list) {
    return list == null ? null : ((List<?>) list).stream().mapToInt(Integer.class::cast).toArray();
  }
}
