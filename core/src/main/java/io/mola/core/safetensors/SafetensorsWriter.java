package io.mola.core.safetensors;

import java.io.FilterOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/** Writes safetensors files: the same tensors in the same order give the same bytes. */
public final class SafetensorsWriter {
  private static final int ALIGNMENT = 8;
  private static final int CHUNK = 1 << 14;
  private static final JsonMapper MAPPER = JsonMapper.builder().build();

  private SafetensorsWriter() {}

  /**
   * A tensor to write.
   *
   * @param name unique
   * @param dtype as in the format, for example {@code F32}
   * @param shape outermost first
   * @param byteSize size of its data
   * @param data writes exactly that many bytes
   */
  public record Source(
      String name, String dtype, List<Long> shape, long byteSize, AtomicFile.Content data) {
    /** Copies the shape. */
    public Source {
      shape = List.copyOf(shape);
    }

    /** A float32 tensor. */
    public static Source f32(String name, List<Long> shape, float[] values) {
      return new Source(name, "F32", shape, 4L * values.length, out -> writeFloats(out, values));
    }
  }

  /** Writes the file as a whole or not at all, see {@link AtomicFile}. */
  public static void write(Path target, Map<String, String> metadata, List<Source> tensors) {
    byte[] header = header(metadata, tensors);
    AtomicFile.write(
        target,
        out -> {
          out.write(
              ByteBuffer.allocate(Long.BYTES)
                  .order(ByteOrder.LITTLE_ENDIAN)
                  .putLong(header.length)
                  .array());
          out.write(header);
          for (Source tensor : tensors) {
            CountingStream counted = new CountingStream(out);
            tensor.data().writeTo(counted);
            if (counted.count != tensor.byteSize()) {
              throw new IllegalStateException(
                  "%s wrote %d bytes instead of %d"
                      .formatted(tensor.name(), counted.count, tensor.byteSize()));
            }
          }
        });
  }

  /** Counts what passes, so that a wrong size fails here and not when the file is read. */
  private static final class CountingStream extends FilterOutputStream {
    private long count;

    CountingStream(OutputStream out) {
      super(out);
    }

    @Override
    public void write(int b) throws IOException {
      out.write(b);
      count++;
    }

    @Override
    public void write(byte[] bytes, int offset, int length) throws IOException {
      out.write(bytes, offset, length);
      count += length;
    }
  }

  private static byte[] header(Map<String, String> metadata, List<Source> tensors) {
    ObjectNode root = MAPPER.createObjectNode();
    if (!metadata.isEmpty()) {
      ObjectNode node = root.putObject("__metadata__");
      metadata.forEach(node::put);
    }
    long at = 0;
    for (Source tensor : tensors) {
      ObjectNode node = root.putObject(tensor.name());
      node.put("dtype", tensor.dtype());
      ArrayNode shape = node.putArray("shape");
      tensor.shape().forEach(shape::add);
      node.putArray("data_offsets").add(at).add(at + tensor.byteSize());
      at += tensor.byteSize();
    }
    StringBuilder json = new StringBuilder(MAPPER.writeValueAsString(root));
    byte[] unpadded = json.toString().getBytes(StandardCharsets.UTF_8);
    int padding = Math.floorMod(-unpadded.length, ALIGNMENT);
    return json.repeat(' ', padding).toString().getBytes(StandardCharsets.UTF_8);
  }

  /** Little-endian float32. */
  public static void writeFloats(OutputStream out, float[] values) throws IOException {
    ByteBuffer buffer = ByteBuffer.allocate(4 * CHUNK).order(ByteOrder.LITTLE_ENDIAN);
    for (int from = 0; from < values.length; from += CHUNK) {
      int count = Math.min(CHUNK, values.length - from);
      buffer.clear();
      buffer.asFloatBuffer().put(values, from, count);
      out.write(buffer.array(), 0, 4 * count);
    }
  }
}
