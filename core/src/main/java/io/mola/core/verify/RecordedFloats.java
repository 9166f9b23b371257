package io.mola.core.verify;

import io.mola.core.failure.MalformedFileException;
import io.mola.core.failure.UsageException;
import io.mola.core.quant.QuantType;
import io.mola.core.safetensors.SafetensorsFile;
import io.mola.core.safetensors.SafetensorsTensor;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/** Float32 numbers of recorded cases, and how far others are from them. */
final class RecordedFloats {
  private static final ValueLayout.OfFloat LITTLE_ENDIAN =
      ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  private RecordedFloats() {}

  /** All values of a tensor of a safetensors file, or of a raw file if {@code tensor} is null. */
  static float[] read(Path file, @Nullable String tensor) {
    if (tensor == null) {
      return raw(file);
    }
    try (SafetensorsFile safetensors = SafetensorsFile.open(file)) {
      SafetensorsTensor found = safetensors.tensors().get(tensor);
      if (found == null || !found.dtype().equals(QuantType.F32.name())) {
        throw new MalformedFileException(file, "no F32 tensor " + tensor);
      }
      return found.bytes().toArray(LITTLE_ENDIAN);
    }
  }

  private static float[] raw(Path file) {
    try {
      return MemorySegment.ofArray(Files.readAllBytes(file)).toArray(LITTLE_ENDIAN);
    } catch (IOException e) {
      throw new UsageException(file + ": cannot be read: " + e.getMessage(), e);
    }
  }

  /**
   * Largest |actual[positions[i]] - expected[i]| over rows of {@code cols}; NaN if the sizes differ
   * or a value is not a number.
   */
  static double maxDifference(float[] actual, int[] positions, int cols, float[] expected) {
    if (expected.length != positions.length * cols) {
      return Double.NaN;
    }
    double worst = 0;
    for (int i = 0; i < positions.length; i++) {
      for (int c = 0; c < cols; c++) {
        double difference = (double) actual[positions[i] * cols + c] - expected[i * cols + c];
        worst = worse(worst, Math.abs(difference));
      }
    }
    return worst;
  }

  /** Largest magnitude; 0 of none. */
  static double largest(float[] values) {
    double largest = 0;
    for (float value : values) {
      largest = Math.max(largest, Math.abs(value));
    }
    return largest;
  }

  /** {@code ‖own − other‖ / ‖other − start‖}: a difference as a share of the way gone. */
  static double ofWay(float[] own, float[] other, float[] start) {
    double apart = 0;
    double moved = 0;
    for (int i = 0; i < own.length; i++) {
      double d = (double) own[i] - other[i];
      double m = (double) other[i] - start[i];
      apart += d * d;
      moved += m * m;
    }
    return Math.sqrt(apart / Math.max(moved, Float.MIN_NORMAL));
  }

  /** The larger one; NaN wins, so that nothing that is not a number can pass. */
  static double worse(double a, double b) {
    return Double.isNaN(a) || Double.isNaN(b) ? Double.NaN : Math.max(a, b);
  }
}
