package io.mola.core.adapter;

import io.mola.core.failure.UsageException;
import io.mola.core.model.Projection;
import io.mola.core.quant.RowDecoder;
import io.mola.core.quant.StoredMatrix;
import io.mola.core.weights.RowChange;
import io.mola.core.weights.WeightNames;
import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Weights with a plain LoRA worked in: {@code W + alpha/r · B · A}, row by row, so that no more
 * than one row of a matrix need be in memory. Sums are in double and rounded once.
 *
 * <p>Only an adapter with at most one expert everywhere can be merged: with more, the router makes
 * the update a function of each token, and no fixed matrix computes it.
 */
public final class MergedWeights implements RowChange {
  private final Map<String, Update> updates = new HashMap<>();

  /**
   * @param a [r, in]
   * @param b [out, r]
   */
  private record Update(float[] a, float[] b, int rank, int in, int out, double scale) {}

  /**
   * Prepares the updates of an adapter.
   *
   * @throws UsageException if some projection has more than one expert
   */
  public MergedWeights(LoadedAdapter adapter) {
    AdapterShape shape = adapter.layout().shape();
    Map<String, float[]> as = new HashMap<>();
    for (AdapterTensor tensor : adapter.layout().tensors()) {
      int n = shape.layers().get(tensor.layer()).experts(tensor.projection());
      if (n > 1) {
        throw notMergeable(adapter, tensor.layer(), tensor.projection(), n);
      }
      String weight = WeightNames.inLayer(tensor.layer(), tensor.projection().path());
      float[] values = tensor.read(adapter.parameters());
      if (tensor.kind() == AdapterTensor.Kind.A) {
        as.put(weight, values);
      } else {
        int rank = tensor.cols();
        int out = tensor.rows();
        float[] a = as.getOrDefault(weight, new float[0]);
        double scale = shape.alpha() / rank;
        updates.put(weight, new Update(a, values, rank, a.length / rank, out, scale));
      }
    }
  }

  private static UsageException notMergeable(
      LoadedAdapter adapter, int layer, Projection projection, int experts) {
    return new UsageException(
        "%s: cannot be merged: %s of layer %d chooses between %d experts for each token, so no fixed matrix computes the same; only adapters with one expert everywhere can be merged"
            .formatted(adapter.path(), projection.shortName(), layer, experts));
  }

  /** Whether the adapter changes the matrix of that canonical name. */
  @Override
  public boolean changes(String canonicalName) {
    return updates.containsKey(canonicalName);
  }

  /**
   * {@code to[offset .. offset + in) = } row {@code row} of W, plus that of alpha/r · B · A where
   * the adapter changes the matrix.
   *
   * @param matrix W under its canonical name
   * @throws io.mola.core.failure.MalformedFileException if a value of W is not finite
   * @throws UsageException if the matrix has another shape than the adapter was made for, or a
   *     merged value is too large for a float
   */
  public void decodeRow(StoredMatrix matrix, int row, float[] to, int offset) {
    RowDecoder.decodeRow(matrix, row, to, offset);
    RowDecoder.requireFinite(matrix, row, to, offset);
    @Nullable Update update = updates.get(matrix.name());
    if (update == null) {
      return;
    }
    if (matrix.out() != update.out() || matrix.in() != update.in()) {
      throw new UsageException(
          "%s is [%d, %d], but the adapter was made for [%d, %d]"
              .formatted(matrix.name(), matrix.out(), matrix.in(), update.out(), update.in()));
    }
    add(update, matrix.name(), row, to, offset);
  }

  @Override
  public void apply(String canonicalName, int row, float[] values) {
    @Nullable Update update = updates.get(canonicalName);
    if (update != null) {
      if (values.length != update.in()) {
        throw new UsageException(
            "%s has rows of %d, but the adapter was made for rows of %d"
                .formatted(canonicalName, values.length, update.in()));
      }
      add(update, canonicalName, row, values, 0);
    }
  }

  private static void add(Update update, String name, int row, float[] to, int offset) {
    for (int i = 0; i < update.in(); i++) {
      double sum = 0;
      for (int j = 0; j < update.rank(); j++) {
        sum += (double) update.b()[row * update.rank() + j] * update.a()[j * update.in() + i];
      }
      float merged = (float) (to[offset + i] + update.scale() * sum);
      if (!Float.isFinite(merged)) {
        throw new UsageException(
            "%s: the merged value of row %d, column %d is %s".formatted(name, row, i, merged));
      }
      to[offset + i] = merged;
    }
  }
}
