/**
 * What every backend must do, as abstract JUnit classes: one per group of operations, and one for
 * whole steps whose examples share rows. A backend runs them by a class of two lines each:
 *
 * <pre>{@code
 * final class SimdLinearOpsTest extends LinearOpsContract {
 *   @Override
 *   protected Backend open(BackendSettings settings) {
 *     return new SimdBackendProvider().open(settings);
 *   }
 * }
 * }</pre>
 *
 * <p>Each class compares with the reference backend over sizes that break kernels; with formulas
 * written here once more, in double, independent of the reference; and checks gradients by the
 * adjoint identity or by finite differences of those formulas. {@link
 * io.mola.testdata.contract.Bench} surrounds every operand with a guard zone and sees to it that
 * inputs stay as they were and outputs are overwritten where they should be.
 *
 * <p>Adding an operation: an experiment (a lambda over a bench) in the group's class, passed to
 * {@code matchesReference} and {@code sameBitsForAnyThreads}; its formula; its line in {@link
 * io.mola.testdata.contract.Tolerance}.
 */
package io.mola.testdata.contract;
