package io.mola.core.train;

import java.util.Arrays;

/**
 * What one optimiser step measured.
 *
 * @param step from 0
 * @param loss mean cross-entropy over the targets of the effective batch, natural logarithm
 * @param balance balance loss L of every layer, without its coefficient; 1 is perfect balance, 0
 *     where the layer has no router or no balance loss is used
 * @param gradientNorm global norm before clipping
 * @param rate learning rate
 * @param tokens tokens of the examples of the effective batch, whether rows are shared or not
 * @param targets targets of these examples
 * @param nanos duration
 */
public record StepReport(
    int step,
    double loss,
    double[] balance,
    double gradientNorm,
    double rate,
    int tokens,
    int targets,
    long nanos) {

  /** Sum of the balance losses over the layers. */
  public double balanceSum() {
    return Arrays.stream(balance).sum();
  }
}
