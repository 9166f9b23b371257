package io.mola.core.model;

import io.mola.core.weights.ModelConfig;

/** Cosines and sines of the rotary angles, computed in double for every position. */
final class RotaryTable {
  private RotaryTable() {}

  /** [positions, c]: row p holds cos(p w_i) for the c/2 frequencies w_i, then sin(p w_i). */
  static float[] of(ModelConfig config, int positions) {
    double[] frequencies = config.rope().frequencies(config.headDim());
    int half = frequencies.length;
    float[] table = new float[Math.multiplyExact(positions, 2 * half)];
    for (int p = 0; p < positions; p++) {
      for (int i = 0; i < half; i++) {
        double angle = p * frequencies[i];
        table[p * 2 * half + i] = (float) Math.cos(angle);
        table[p * 2 * half + half + i] = (float) Math.sin(angle);
      }
    }
    return table;
  }
}
