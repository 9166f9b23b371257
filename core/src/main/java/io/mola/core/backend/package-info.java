/**
 * The contract between the model and the mathematics.
 *
 * <p><b>Letters.</b> n tokens (rows), d hidden size, f intermediate size, h query heads, g
 * key-value heads, c head dim, E routed experts, R stacked rank (sum of experts times rank), V
 * vocabulary.
 *
 * <p><b>Rules.</b>
 *
 * <ol>
 *   <li>Calls are queued in order on one stream; only {@link io.mola.core.backend.Memory#download}
 *       waits. No operation returns a value that depends on device data, so a backend may record a
 *       step as a graph.
 *   <li>The sign in an operation's formula decides: {@code =} overwrites, {@code +=} accumulates.
 *       Forward overwrites, backward accumulates, and each exception shows in its formula.
 *   <li>Inputs are never written. An output may not overlap an input unless the doc says "in
 *       place".
 *   <li>Buffers come from one {@link io.mola.core.tensor.MemoryPlan} made before anything is
 *       allocated. A backend whose device has memory of its own says by {@link
 *       io.mola.core.backend.Memory#device} how a run would lie in it, so that the plan can be
 *       printed and refused there, too.
 *   <li>{@link io.mola.core.backend.FrozenMatrix} is opaque and has no gradient.
 *   <li>Shapes are checked once, by {@link io.mola.core.backend.CheckedBackend}, in the same words
 *       for every backend; kernels stay bare.
 *   <li>The same result for any number of threads and any run: reductions over tokens use fixed
 *       chunks in a fixed order, random numbers are counter-based ({@link
 *       io.mola.core.backend.Dropout}).
 *   <li>The reference backend is the definition: naive loops, double accumulators.
 * </ol>
 *
 * <p><b>Adding an operation.</b> Write its line of mathematics in the group's interface; implement
 * it in {@code backend.reference}; add its check to {@code CheckedBackend} and its test to the
 * group's contract in testdata (forward against naive doubles, backward as adjoint or by finite
 * differences); then in each backend.
 */
package io.mola.core.backend;
