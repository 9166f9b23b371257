package io.mola.core.verify;

import io.mola.core.adapter.AdapterShape;
import io.mola.core.adapter.BalanceLoss;
import io.mola.core.train.BatchSource;
import io.mola.core.train.OptimizerConfig;
import io.mola.core.train.Prefixes;
import io.mola.core.weights.WeightSource;

/**
 * The beginning of a training run that two backends compute.
 *
 * @param source the frozen model
 * @param shape of the adapter
 * @param balance which routers share a term of the balance loss
 * @param coefficient of the balance loss
 * @param optimizer AdamW and its schedule
 * @param batches examples of each step
 * @param microBatchSize examples that run at a time
 * @param prefixes whether examples that begin alike share rows
 * @param seed of the parameters and of dropout
 */
public record ParityRun(
    WeightSource source,
    AdapterShape shape,
    BalanceLoss balance,
    double coefficient,
    OptimizerConfig optimizer,
    BatchSource batches,
    int microBatchSize,
    Prefixes prefixes,
    long seed) {}
