package io.mola.gguf;

import io.mola.core.failure.MolaException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Comparator;
import java.util.HexFormat;
import java.util.List;

/**
 * SHA-256 over the tensors of a model sorted by name: name, type, shape, bytes. The files are read
 * through a channel, not through the mapping, so that their pages do not count as this process's
 * memory.
 */
final class Fingerprint {
  private static final int BUFFER = 1 << 20;

  private Fingerprint() {}

  /**
   * A tensor to hash.
   *
   * @param file that holds it
   * @param offset of its data in the file
   */
  record Part(String name, String type, List<Long> shape, Path file, long offset, long bytes) {}

  static String of(List<Part> parts) {
    MessageDigest digest = sha256();
    ByteBuffer buffer = ByteBuffer.allocateDirect(BUFFER);
    for (Part part : parts.stream().sorted(Comparator.comparing(Part::name)).toList()) {
      digest.update(
          (part.name() + "\n" + part.type() + "\n" + part.shape() + "\n")
              .getBytes(StandardCharsets.UTF_8));
      update(digest, part, buffer);
    }
    return HexFormat.of().formatHex(digest.digest());
  }

  private static void update(MessageDigest digest, Part part, ByteBuffer buffer) {
    try (FileChannel channel = FileChannel.open(part.file(), StandardOpenOption.READ)) {
      long done = 0;
      while (done < part.bytes()) {
        buffer.clear().limit((int) Math.min(BUFFER, part.bytes() - done));
        int count = channel.read(buffer, part.offset() + done);
        if (count < 0) {
          throw new MolaException(part.file() + ": became shorter while it was read");
        }
        digest.update(buffer.flip());
        done += count;
      }
    } catch (IOException e) {
      throw new MolaException(part.file() + ": cannot be read: " + e.getMessage(), e);
    }
  }

  private static MessageDigest sha256() {
    try {
      return MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every Java platform has SHA-256", e);
    }
  }
}
