package io.mola.simd;

import io.mola.core.backend.FrozenMatrix;
import io.mola.core.backend.LossOps;
import io.mola.core.tensor.IntTensor;
import io.mola.core.tensor.Tensor;
import io.mola.simd.lanes.Exponential;
import io.mola.simd.lanes.Sums;
import io.mola.simd.lanes.VectorWidth;
import io.mola.simd.tiles.FrozenPanels.Direction;
import io.mola.simd.tiles.PackedActivations;
import io.mola.simd.tiles.Panels;
import io.mola.simd.tiles.Product;
import io.mola.simd.tiles.Term;
import io.mola.simd.tiles.Workbench;
import io.mola.simd.tiles.WorkerScratch;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorSpecies;
import org.jspecify.annotations.Nullable;

/**
 * Head and cross-entropy, chunk by chunk of rows. Within a chunk the gradient of the logits is
 * packed and multiplied block by block of the vocabulary, so that its packed form stays small.
 */
final class SimdLossOps implements LossOps {
  private static final VectorSpecies<Float> F = VectorWidth.FLOAT;
  private static final int L = VectorWidth.LANES;

  /** Floats that stay in the inner cache while they pass through the exponential function. */
  private static final int RUN = 2048;

  /** Packed elements of a block of the vocabulary. */
  private static final int PACKED = 1 << 20;

  private final Workbench bench;
  private double[] losses = new double[0];

  SimdLossOps(Workbench bench) {
    this.bench = bench;
  }

  @Override
  public void crossEntropyHead(
      Tensor x,
      FrozenMatrix head,
      IntTensor targets,
      IntTensor weights,
      float factor,
      Tensor scratch,
      Tensor loss,
      @Nullable Tensor dx) {
    SimdTensor input = SimdTensor.of(x);
    SimdTensor logits = SimdTensor.of(scratch);
    SimdTensor sum = SimdTensor.of(loss);
    SimdFrozenMatrix matrix = SimdFrozenMatrix.of(head);
    Panels forward = matrix.panels(Direction.FORWARD);
    Panels backward = dx == null ? null : matrix.panels(Direction.BACKWARD);
    int[] labels = SimdIntTensor.of(targets).data();
    int[] counts = SimdIntTensor.of(weights).data();
    if (losses.length < logits.rows()) {
      losses = new double[logits.rows()];
    }
    double total = 0;
    for (int first = 0; first < input.rows(); first += logits.rows()) {
      int rows = Math.min(logits.rows(), input.rows() - first);
      logits(input, first, rows, forward, logits);
      softmax(logits, rows, labels, counts, first, factor, dx != null);
      for (int r = 0; r < rows; r++) {
        total += losses[r];
      }
      if (dx != null && backward != null) {
        gradient(logits, rows, backward, SimdTensor.of(dx), first);
      }
    }
    sum.data()[sum.offset()] = (float) (sum.data()[sum.offset()] + total);
  }

  private void logits(SimdTensor x, int first, int rows, Panels head, SimdTensor logits) {
    bench.workspace().reset();
    PackedActivations packed = new PackedActivations().shape(bench.workspace(), rows, x.cols());
    bench
        .pool()
        .run(
            packed.fromRows(x.data(), x.at(first), x.cols()),
            Product.of(
                bench,
                logits.data(),
                logits.offset(),
                logits.cols(),
                false,
                new Term(packed, head)));
  }

  private void softmax(
      SimdTensor logits,
      int rows,
      int[] labels,
      int[] counts,
      int first,
      float factor,
      boolean gradient) {
    double[] to = losses;
    bench
        .pool()
        .run(
            rows,
            (row, worker) -> {
              int at = logits.at(row);
              int target = at + labels[first + row];
              int weight = counts[first + row];
              float[] v = logits.data();
              float logit = v[target];
              float largest = Sums.max(v, at, logits.cols());
              double sum = exponentials(v, at, logits.cols(), largest, bench.scratch()[worker]);
              to[row] = weight * (largest - (double) logit + StrictMath.log(sum));
              if (gradient) {
                float scale = (float) (factor * weight / sum);
                scale(v, at, logits.cols(), scale);
                v[target] -= factor * weight;
              }
            });
  }

  /** {@code v = exp(v − shift)}; returns the sum. */
  private static double exponentials(
      float[] v, int from, int count, float shift, WorkerScratch scratch) {
    double sum = 0;
    for (int start = 0; start < count; start += RUN) {
      int run = Math.min(RUN, count - start);
      int at = from + start;
      int i = 0;
      for (; i <= run - L; i += L) {
        FloatVector.fromArray(F, v, at + i).sub(shift).intoArray(v, at + i);
      }
      for (; i < run; i++) {
        v[at + i] -= shift;
      }
      Exponential.apply(v, at, run);
      sum += Sums.sum(v, at, run, scratch.doubleLanes);
    }
    return sum;
  }

  private static void scale(float[] v, int from, int count, float factor) {
    int i = 0;
    for (; i <= count - L; i += L) {
      FloatVector.fromArray(F, v, from + i).mul(factor).intoArray(v, from + i);
    }
    for (; i < count; i++) {
      v[from + i] *= factor;
    }
  }

  /** {@code dx = dLogits · W}, one block of the vocabulary after the other. */
  private void gradient(SimdTensor dLogits, int rows, Panels head, SimdTensor dx, int first) {
    int vocabulary = dLogits.cols();
    int longest = PackedActivations.longestBlock(rows);
    int block = Math.max(1, PACKED / Math.max(rows, PackedActivations.ROWS) / longest) * longest;
    for (int v0 = 0; v0 < vocabulary; v0 += block) {
      int width = Math.min(block, vocabulary - v0);
      bench.workspace().reset();
      PackedActivations packed =
          new PackedActivations().shape(bench.workspace(), rows, width, longest);
      bench
          .pool()
          .run(
              packed.fromRows(dLogits.data(), dLogits.offset() + v0, vocabulary),
              Product.of(
                  bench, dx.data(), dx.at(first), dx.cols(), v0 > 0, new Term(packed, head, v0)));
    }
  }
}
