package io.mola.gguf;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.fail;

import io.mola.core.failure.MolaException;
import io.mola.core.weights.WeightFormat;
import io.mola.core.weights.WeightSource;
import io.mola.testdata.Fixtures;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.Stream;
import org.junit.jupiter.api.Assertions;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * Thousands of damaged copies of valid files: each is either read, or refused with mola's own
 * failure in one line, and soon.
 */
class MutatedFilesTest {
  private static final int MUTATIONS = 600;

  /** Values at which counts, lengths and offsets go wrong. */
  private static final long[] EXTREMES = {
    0,
    1,
    -1,
    7,
    8,
    9,
    255,
    1 << 16,
    1L << 31,
    1L << 32,
    1L << 40,
    1L << 62,
    Long.MIN_VALUE,
    Long.MAX_VALUE,
    Integer.MAX_VALUE
  };

  @ParameterizedTest(name = "{0}, seed {1}")
  @CsvSource({
    "bad/gguf/fine.gguf, 1",
    "bad/gguf/fine.gguf, 2",
    "bad/gguf/fine.gguf, 3",
    "golden/gguf-quantised/variants/mini-v1.gguf, 4",
    "golden/gguf-quantised/variants/zoo-nested-array.gguf, 5"
  })
  void aDamagedGgufFileIsReadOrRefused(String file, long seed, @TempDir Path folder)
      throws IOException {
    byte[] fine = Files.readAllBytes(Fixtures.path(file));
    // the header is where damage matters; tensor data may be anything
    int header = Math.min(fine.length, 4096);
    damage(fine, header, seed, folder.resolve("damaged.gguf"), new GgufFormat(), null);
  }

  @ParameterizedTest(name = "{0} of a checkpoint, seed {1}")
  @CsvSource({
    "model-00001-of-00002.safetensors, 6",
    "model-00001-of-00002.safetensors, 7",
    "model.safetensors.index.json, 8",
    "config.json, 9"
  })
  void aDamagedCheckpointIsReadOrRefused(String damaged, long seed, @TempDir Path folder)
      throws IOException {
    try (Stream<Path> files = Files.list(Fixtures.path("bad/safetensors/sharded-fine"))) {
      for (Path file : files.toList()) {
        Files.write(folder.resolve(file.getFileName().toString()), Files.readAllBytes(file));
      }
    }
    byte[] fine = Files.readAllBytes(folder.resolve(damaged));
    damage(fine, fine.length, seed, folder.resolve(damaged), new CheckpointFormat(), folder);
  }

  private static void damage(
      byte[] fine, int header, long seed, Path at, WeightFormat format, Path folder) {
    SplittableRandom random = new SplittableRandom(seed);
    int[] refused = {0};
    Assertions.assertTimeout(
        Duration.ofSeconds(60),
        () -> {
          for (int i = 0; i < MUTATIONS; i++) {
            byte[] bytes = mutate(fine, header, random);
            Files.write(at, bytes);
            refused[0] += open(format, folder == null ? at : folder, seed, i) ? 0 : 1;
          }
        });
    assertThat(refused[0]).isGreaterThan(MUTATIONS / 20);
  }

  private static boolean open(WeightFormat format, Path path, long seed, int mutation) {
    try (WeightSource source = format.open(path)) {
      assertThat(source.tensors()).isNotNull();
      return true;
    } catch (MolaException e) {
      assertThat(e.getMessage())
          .contains(path.getFileName().toString())
          .doesNotContain("\n")
          .hasSizeLessThan(4096);
      return false;
    } catch (RuntimeException | Error e) {
      return fail("seed " + seed + ", mutation " + mutation + " ended with " + e, e);
    }
  }

  private static byte[] mutate(byte[] fine, int header, SplittableRandom random) {
    byte[] bytes = fine.clone();
    int at = random.nextInt(header);
    switch (random.nextInt(5)) {
      case 0 -> bytes[at] ^= (byte) (1 << random.nextInt(8));
      case 1 -> {
        long value = EXTREMES[random.nextInt(EXTREMES.length)];
        for (int b = 0; b < 8 && at + b < header; b++) {
          bytes[at + b] = (byte) (value >>> 8 * b);
        }
      }
      case 2 -> bytes = Arrays.copyOf(bytes, at);
      case 3 -> {
        int from = random.nextInt(header);
        int count = Math.min(random.nextInt(1, 64), header - Math.max(at, from));
        System.arraycopy(fine, from, bytes, at, Math.max(0, count));
      }
      default -> {
        List<String> pieces = List.of("{", "}", "[", "]", "\"", ",", "-", "1e999", "null", "\n");
        byte[] piece = pieces.get(random.nextInt(pieces.size())).getBytes();
        for (int b = 0; b < piece.length && at + b < header; b++) {
          bytes[at + b] = piece[b];
        }
      }
    }
    return bytes;
  }
}
