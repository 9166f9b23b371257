package io.mola.core.train;

import io.mola.core.backend.DevicePlacement;
import io.mola.core.failure.UsageException;
import java.util.function.IntFunction;
import org.jspecify.annotations.Nullable;

/**
 * How many examples to compute at once, where the user leaves it to the memory.
 *
 * <p>More at once share more beginnings and decode weights less often, but leave less room for
 * activations and packed weights. Which of these weighs more depends on all sizes together, so
 * every divisor of the batch is planned and the plan with the least estimated work is taken.
 */
public final class FastestMicroBatch {
  /**
   * Decoding all weights, forward and backward, takes about as long as training on so many tokens:
   * from the processor times of runs with Q4_1 weights packed and decoded, on two cores.
   */
  private static final double TOKENS_PER_DECODING = 100;

  /** Forward is a third of a token's work. */
  private static final double FORWARD_SHARE = 1 / 3.0;

  private FastestMicroBatch() {}

  /**
   * The size, a divisor of the batch; 1 if none fits, so that planning it tells what is missing.
   *
   * @param batch examples of an effective batch
   * @param planning plan of a size; throws UsageException where it does not fit
   */
  public static int of(int batch, IntFunction<FootprintPlan> planning) {
    int fastest = 1;
    double least = Double.POSITIVE_INFINITY;
    for (int size = batch; size >= 1; size--) {
      FootprintPlan plan = batch % size == 0 ? ifFits(size, planning) : null;
      if (plan != null && work(plan, batch / size) < least) {
        fastest = size;
        least = work(plan, batch / size);
      }
    }
    return fastest;
  }

  private static @Nullable FootprintPlan ifFits(int size, IntFunction<FootprintPlan> planning) {
    try {
      return planning.apply(size);
    } catch (UsageException e) {
      return null; // does not fit: an answer here, not a failure
    }
  }

  /** Work of a step, in tokens that are trained with everything kept. */
  private static double work(FootprintPlan plan, int parts) {
    double again = 1 - plan.limits().keptBlocks() / (double) plan.layers();
    double decoded = plan.device().map(FastestMicroBatch::streamed).orElseGet(() -> decoded(plan));
    double tokens = plan.limits().tokens() * (1 + FORWARD_SHARE * again);
    return parts * (tokens + TOKENS_PER_DECODING * decoded);
  }

  private static double decoded(FootprintPlan plan) {
    return plan.allPackedBytes() == 0
        ? 0
        : 1 - plan.weightCacheBytes() / (double) plan.allPackedBytes();
  }

  /** On a device decoding is cheap; what counts is the share of weights that are fetched anew. */
  private static double streamed(DevicePlacement placement) {
    DevicePlacement.Frozen frozen = placement.frozen();
    long all = frozen.decodedBytes() + frozen.encodedBytes() + frozen.streamedBytes();
    return all == 0 ? 0 : frozen.streamedBytes() / (double) all;
  }
}
