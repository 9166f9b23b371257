package io.mola.core.verify;

import io.mola.core.backend.InnerPrecision;
import io.mola.core.verify.CaseResult.Measure;

/**
 * What passes, by the precision in which the backend multiplies. Recorded numbers are float32, and
 * a backend of float32 is judged by the recording's own absolute tolerances. One that rounds more
 * coarsely is judged by relative ones, because its error is a share of what it computes:
 *
 * <pre>{@code
 * t = u √(20 (L + 1))     u: unit roundoff of the precision, L: blocks of the model
 * }</pre>
 *
 * Some 20 roundings follow each other in a block, forward and backward, and some 20 in embedding,
 * head and loss; independent errors add up as the square root of their number.
 *
 * <table>
 * <caption>Relative tolerances</caption>
 * <tr><th>of</th><th>relative to</th><th>largest</th></tr>
 * <tr><td>logits</td><td>their 2-norm</td><td>t</td></tr>
 * <tr><td>gradients, all as one vector; of a projection in all blocks</td><td>their 2-norm</td><td>{@value #GRADIENTS} t</td></tr>
 * <tr><td>gradients of routers alone, differences of two terms: {@code g_i (dg_i − Σ g_j
 * dg_j)}</td><td>their 2-norm</td><td>{@value #ROUTER_GRADIENTS} t</td></tr>
 * <tr><td>loss, norm of gradients</td><td>itself</td><td>t</td></tr>
 * <tr><td>log probability</td><td>the largest logit, since it is the difference of two</td><td>2
 * t</td></tr>
 * <tr><td>balance loss, a product of two shares</td><td>itself</td><td>2 t</td></tr>
 * <tr><td>picks of experts</td><td>all picks: those near a tie turn over</td><td>t</td></tr>
 * <tr><td>norm of later gradients</td><td>itself</td><td>{@value #MOVES} t</td></tr>
 * <tr><td>parameters after steps</td><td>the way that they have gone</td><td>2 √({@value #GRADIENTS}
 * t / π)</td></tr>
 * </table>
 *
 * No share passes above a half, however many blocks: see {@link #largest}.
 *
 * <p>Parameters follow the signs of gradients: AdamW's first step moves each by the learning rate,
 * whatever the gradient's size. Where gradients differ by noise of a share ν of their own size,
 * atan (ν) / π of them change their sign, each then stands two ways apart, and the 2-norm over all
 * is 2 √(ν / π) of the way. ν is what gradients may differ by.
 *
 * <p>For BF16 t is 0.039 with 4 blocks and 0.097 with 30, for TF32 an eighth of that. AdamW on
 * recorded gradients has the float32 tolerance in every precision, for optimisers compute in
 * float32.
 *
 * @param precision of the backend
 * @param blocks of the model
 */
record Tolerances(InnerPrecision precision, int blocks) {
  /** Later gradients are those of parameters that are already apart. */
  static final double MOVES = 10;

  /**
   * A token near a tie between two experts goes to the other one, whose gradient gains what the
   * first one loses. Single tensors may then have nothing in common, and where no pick turns over
   * gradients are as far apart as logits to within a factor of two.
   */
  static final double GRADIENTS = 4;

  /** See the table. */
  static final double ROUTER_GRADIENTS = 2 * GRADIENTS;

  /**
   * No share passes above it, however many blocks: parameters that never moved, and a gradient of
   * zero, are 1 off.
   */
  private static final double LARGEST = 0.5;

  private static final int ROUNDINGS = 20;

  /**
   * The same for a case where a pick of an expert turned over: it weighs as much in any precision,
   * so t is that of BF16.
   */
  Tolerances afterATurn() {
    return areRecorded() ? this : new Tolerances(InnerPrecision.BF16, blocks);
  }

  /** Whether the recording's own tolerances hold. */
  boolean areRecorded() {
    return precision == InnerPrecision.F32;
  }

  /** t of the table. */
  double relative() {
    return precision.unitRoundoff() * Math.sqrt(ROUNDINGS * (blocks + 1.0));
  }

  /**
   * A measure, absolute with the recording's tolerance or relative with that of the table.
   *
   * @param key of the absolute measure, which ends with {@code _abs}
   * @param recorded absolute tolerance
   * @param factor of t
   */
  Measure measure(String key, Worst worst, double recorded, double factor) {
    if (areRecorded()) {
      return new Measure(key, worst.absolute(), recorded);
    }
    String name = key.replaceFirst("(_max)?_abs$", "_rel");
    return new Measure(name, worst.relative(), factor * relative());
  }

  /** The tolerance of something that may be {@code factor} times {@code relative} off. */
  static double largest(double factor, double relative) {
    return Math.min(factor * relative, LARGEST);
  }

  /** What parameters after steps may differ by, as a share of the way that they have gone. */
  static double way(double relative) {
    return Math.min(2 * Math.sqrt(GRADIENTS * relative / Math.PI), LARGEST);
  }

  /** A measure that is relative anyway. */
  Measure share(String key, double value, double recorded, double factor) {
    return new Measure(key, value, areRecorded() ? recorded : largest(factor, relative()));
  }
}
