package io.mola.core.weights;

/**
 * Rotary embedding of a model: inverse frequency i is {@code base^(-2i/c)}, changed by a scaling.
 *
 * @param base theta
 * @param scaling change of the frequencies
 */
public record Rope(double base, Scaling scaling) {

  /** How frequencies are changed for longer contexts. */
  public sealed interface Scaling {
    /** {@code frequency i} after scaling. */
    double scale(double frequency, int i);
  }

  /** Unchanged. */
  public record Plain() implements Scaling {
    @Override
    public double scale(double frequency, int i) {
      return frequency;
    }
  }

  /** All frequencies divided by one factor. */
  public record Linear(double factor) implements Scaling {
    @Override
    public double scale(double frequency, int i) {
      return frequency / factor;
    }
  }

  /**
   * Llama 3.1: low frequencies divided by the factor, high ones kept, those between interpolated.
   *
   * @param factor divisor of the low frequencies
   * @param lowFrequencyFactor wave lengths above originalContext / this are divided
   * @param highFrequencyFactor wave lengths below originalContext / this are kept
   * @param originalContext context length of pre-training
   */
  public record Llama3(
      double factor, double lowFrequencyFactor, double highFrequencyFactor, double originalContext)
      implements Scaling {
    @Override
    public double scale(double frequency, int i) {
      double waveLength = 2 * Math.PI / frequency;
      if (waveLength < originalContext / highFrequencyFactor) {
        return frequency;
      }
      if (waveLength > originalContext / lowFrequencyFactor) {
        return frequency / factor;
      }
      double smooth =
          (originalContext / waveLength - lowFrequencyFactor)
              / (highFrequencyFactor - lowFrequencyFactor);
      return (1 - smooth) * frequency / factor + smooth * frequency;
    }
  }

  /** One divisor per frequency, as GGUF's {@code rope_freqs.weight} has it. */
  public record Divisors(float[] divisors) implements Scaling {
    /** Copies the array. */
    public Divisors {
      divisors = divisors.clone();
    }

    @Override
    public double scale(double frequency, int i) {
      return frequency / divisors[i];
    }
  }

  /** The c/2 inverse frequencies. */
  public double[] frequencies(int headDim) {
    double[] frequencies = new double[headDim / 2];
    for (int i = 0; i < frequencies.length; i++) {
      frequencies[i] = scaling.scale(Math.pow(base, -2.0 * i / headDim), i);
    }
    return frequencies;
  }
}
