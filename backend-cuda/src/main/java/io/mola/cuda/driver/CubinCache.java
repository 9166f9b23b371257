package io.mola.cuda.driver;

import java.io.IOException;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.Optional;

/**
 * Compiled kernels on disk. A file is named after everything its content depends on (source,
 * architecture, NVRTC) and starts with the SHA-256 of the rest, so a damaged one is seen and made
 * again; it appears at once, by renaming. A folder that cannot be written only costs time.
 */
final class CubinCache {
  private static final Logger LOG = System.getLogger(CubinCache.class.getName());
  private static final int DIGEST_BYTES = 32;

  private final Path folder;

  CubinCache(Path folder) {
    this.folder = folder;
  }

  /** What the kernels of one source, architecture and compiler are kept under. */
  Path entry(String name, String source, String architecture, String compiler) {
    String key = String.join("\0", architecture, compiler, source);
    byte[] digest = digest(key.getBytes(StandardCharsets.UTF_8), 0);
    String hash = HexFormat.of().formatHex(digest, 0, DIGEST_BYTES / 2);
    return folder.resolve(name + "-" + architecture + "-" + hash + ".cubin");
  }

  /** The kept machine code; empty if there is none or it is damaged. */
  Optional<byte[]> read(Path entry) {
    if (!Files.exists(entry)) {
      return Optional.empty();
    }
    try {
      byte[] file = Files.readAllBytes(entry);
      if (file.length > DIGEST_BYTES
          && Arrays.equals(digest(file, DIGEST_BYTES), Arrays.copyOf(file, DIGEST_BYTES))) {
        return Optional.of(Arrays.copyOfRange(file, DIGEST_BYTES, file.length));
      }
      LOG.log(Level.WARNING, "{0} is damaged and is made again", entry);
    } catch (IOException e) {
      LOG.log(Level.WARNING, "{0} cannot be read and is made again: {1}", entry, e);
    }
    return Optional.empty();
  }

  /** Keeps the machine code, replacing what was there. */
  void write(Path entry, byte[] cubin) {
    byte[] file = new byte[DIGEST_BYTES + cubin.length];
    System.arraycopy(cubin, 0, file, DIGEST_BYTES, cubin.length);
    System.arraycopy(digest(file, DIGEST_BYTES), 0, file, 0, DIGEST_BYTES);
    try {
      Files.createDirectories(folder);
      Path part = Files.createTempFile(folder, "cubin", ".part");
      try {
        Files.write(part, file);
        Files.move(part, entry, StandardCopyOption.ATOMIC_MOVE);
      } finally {
        Files.deleteIfExists(part);
      }
    } catch (IOException e) {
      LOG.log(Level.WARNING, "compiled kernels are not kept: {0} cannot be written: {1}", entry, e);
    }
  }

  private static byte[] digest(byte[] bytes, int from) {
    try {
      MessageDigest sha = MessageDigest.getInstance("SHA-256");
      sha.update(bytes, from, bytes.length - from);
      return sha.digest();
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every JDK has SHA-256", e);
    }
  }
}
