package io.mola.simd;

import io.mola.core.backend.OptimizerOps;
import io.mola.core.tensor.Tensor;
import io.mola.simd.lanes.Sums;
import io.mola.simd.lanes.VectorWidth;
import io.mola.simd.tiles.Workbench;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorSpecies;

/** AdamW and the gradient norm, in chunks of fixed length. */
final class SimdOptimizerOps implements OptimizerOps {
  private static final VectorSpecies<Float> F = VectorWidth.FLOAT;
  private static final int L = VectorWidth.LANES;
  private static final int CHUNK = 1 << 14;

  private final Workbench bench;
  private double[] partial = new double[0];

  SimdOptimizerOps(Workbench bench) {
    this.bench = bench;
  }

  @Override
  public void adamW(Tensor parameter, Tensor gradient, Tensor m, Tensor v, AdamWStep step) {
    SimdTensor p = SimdTensor.of(parameter);
    SimdTensor g = SimdTensor.of(gradient);
    SimdTensor first = SimdTensor.of(m);
    SimdTensor second = SimdTensor.of(v);
    Factors factors = Factors.of(step);
    bench
        .pool()
        .run(
            chunks(p.size()),
            (chunk, worker) -> update(p, g, first, second, factors, chunk * CHUNK));
  }

  /**
   * The step's constants, computed once in double: {@code update = rate/(1−β1ᵗ) · m / (sqrt(v) /
   * sqrt(1−β2ᵗ) + ε)}.
   */
  private record Factors(
      float keep,
      float beta1,
      float rest1,
      float beta2,
      float rest2,
      float rate,
      float root,
      float epsilon) {
    static Factors of(AdamWStep s) {
      return new Factors(
          (float) (1 - s.rate() * s.weightDecay()),
          (float) s.beta1(),
          (float) (1 - s.beta1()),
          (float) s.beta2(),
          (float) (1 - s.beta2()),
          (float) (s.rate() / (1 - StrictMath.pow(s.beta1(), s.t()))),
          (float) (1 / Math.sqrt(1 - StrictMath.pow(s.beta2(), s.t()))),
          (float) s.epsilon());
    }
  }

  private static void update(
      SimdTensor parameter, SimdTensor gradient, SimdTensor m, SimdTensor v, Factors f, int start) {
    float[] p = parameter.data();
    float[] g = gradient.data();
    float[] m1 = m.data();
    float[] m2 = v.data();
    int po = parameter.offset() + start;
    int go = gradient.offset() + start;
    int mo = m.offset() + start;
    int vo = v.offset() + start;
    int count = Math.min(CHUNK, parameter.size() - start);
    int i = 0;
    for (; i <= count - L; i += L) {
      FloatVector d = FloatVector.fromArray(F, g, go + i);
      FloatVector a = FloatVector.fromArray(F, m1, mo + i).mul(f.beta1).add(d.mul(f.rest1));
      FloatVector b = FloatVector.fromArray(F, m2, vo + i).mul(f.beta2).add(d.mul(d).mul(f.rest2));
      a.intoArray(m1, mo + i);
      b.intoArray(m2, vo + i);
      FloatVector change = a.mul(f.rate).div(b.sqrt().mul(f.root).add(f.epsilon));
      FloatVector.fromArray(F, p, po + i).mul(f.keep).sub(change).intoArray(p, po + i);
    }
    for (; i < count; i++) {
      float d = g[go + i];
      float a = m1[mo + i] * f.beta1 + d * f.rest1;
      float b = m2[vo + i] * f.beta2 + d * d * f.rest2;
      m1[mo + i] = a;
      m2[vo + i] = b;
      p[po + i] = p[po + i] * f.keep - a * f.rate / ((float) Math.sqrt(b) * f.root + f.epsilon);
    }
  }

  @Override
  public void squaredNorm(Tensor gradient, Tensor sum) {
    SimdTensor g = SimdTensor.of(gradient);
    SimdTensor to = SimdTensor.of(sum);
    int chunks = chunks(g.size());
    if (partial.length < chunks) {
      partial = new double[chunks];
    }
    double[] sums = partial;
    bench
        .pool()
        .run(
            chunks,
            (chunk, worker) -> {
              int start = chunk * CHUNK;
              int count = Math.min(CHUNK, g.size() - start);
              double[] lanes = bench.scratch()[worker].doubleLanes;
              sums[chunk] = Sums.squares(g.data(), g.offset() + start, count, lanes);
            });
    double total = 0;
    for (int i = 0; i < chunks; i++) {
      total += sums[i];
    }
    to.data()[to.offset()] = (float) (to.data()[to.offset()] + total);
  }

  @Override
  public void clip(Tensor gradient, Tensor squaredNorm, float maxNorm) {
    SimdTensor g = SimdTensor.of(gradient);
    SimdTensor norm = SimdTensor.of(squaredNorm);
    double square = norm.data()[norm.offset()];
    float factor = (float) Math.min(1, maxNorm / (Math.sqrt(square) + 1e-6));
    if (factor == 1f) {
      return;
    }
    bench
        .pool()
        .run(
            chunks(g.size()),
            (chunk, worker) -> {
              int start = chunk * CHUNK;
              scale(g.data(), g.offset() + start, Math.min(CHUNK, g.size() - start), factor);
            });
  }

  private static void scale(float[] g, int from, int count, float factor) {
    int i = 0;
    for (; i <= count - L; i += L) {
      FloatVector.fromArray(F, g, from + i).mul(factor).intoArray(g, from + i);
    }
    for (; i < count; i++) {
      g[from + i] *= factor;
    }
  }

  private static int chunks(int size) {
    return (size + CHUNK - 1) / CHUNK;
  }
}
