package io.mola.core.train;

import io.mola.core.adapter.AdapterShape;
import io.mola.core.adapter.BalanceLoss;
import io.mola.core.adapter.LoadedAdapter;
import io.mola.core.backend.BackendProvider;
import io.mola.core.data.Example;
import io.mola.core.failure.UsageException;
import io.mola.core.weights.WeightSource;
import java.util.List;
import java.util.Optional;

/**
 * A fine-tuning run.
 *
 * @param source frozen weights, open for the whole run
 * @param backend that computes
 * @param threads worker threads
 * @param memoryLimitBytes bound of the process's resident memory
 * @param shape experts, ranks, top-k, alpha and dropout
 * @param start adapter of that shape to go on from; empty: a new one, drawn from the seed
 * @param balanceLoss variant of the balance loss
 * @param balanceCoefficient its factor
 * @param optimizer AdamW, schedule, clipping
 * @param training examples
 * @param validation held-back examples, may be empty
 * @param batchSize examples of an effective batch
 * @param microBatchSize examples that run at a time
 * @param prefixes of the examples of a micro-batch
 * @param epochs passes over the training examples
 * @param maxSteps upper bound of the steps; 0: none
 * @param recompute whether all blocks but one are computed again in the backward pass, even where
 *     memory would suffice
 * @param seed of initialisation, order and dropout
 */
public record FineTuneRequest(
    WeightSource source,
    BackendProvider backend,
    int threads,
    long memoryLimitBytes,
    AdapterShape shape,
    Optional<LoadedAdapter> start,
    BalanceLoss balanceLoss,
    double balanceCoefficient,
    OptimizerConfig optimizer,
    List<Example> training,
    List<Example> validation,
    int batchSize,
    int microBatchSize,
    Prefixes prefixes,
    int epochs,
    int maxSteps,
    boolean recompute,
    long seed) {

  /** Copies the lists and checks them. */
  public FineTuneRequest {
    training = List.copyOf(training);
    validation = List.copyOf(validation);
    if (training.isEmpty()) {
      throw new UsageException("no training example is left; check --data-path");
    }
    int vocabulary = source.config().vocabularySize();
    for (List<Example> examples : List.of(training, validation)) {
      examples.forEach(example -> requireTrainable(example, vocabulary));
    }
  }

  /** The same run with another number of examples at a time. */
  public FineTuneRequest withMicroBatchSize(int size) {
    return new FineTuneRequest(
        source,
        backend,
        threads,
        memoryLimitBytes,
        shape,
        start,
        balanceLoss,
        balanceCoefficient,
        optimizer,
        training,
        validation,
        batchSize,
        size,
        prefixes,
        epochs,
        maxSteps,
        recompute,
        seed);
  }

  private static void requireTrainable(Example example, int vocabulary) {
    if (example.targets() == 0) {
      throw new UsageException(
          example.origin() + ": no token of this example is a target, so nothing can be learnt");
    }
    for (int token : example.tokens()) {
      requireKnown(example, token, vocabulary);
    }
    for (int label : example.labels()) {
      if (label != Example.IGNORE) {
        requireKnown(example, label, vocabulary);
      }
    }
  }

  private static void requireKnown(Example example, int token, int vocabulary) {
    if (token < 0 || token >= vocabulary) {
      throw new UsageException(
          example.origin()
              + ": token id "
              + token
              + " is outside the vocabulary of "
              + vocabulary
              + " tokens");
    }
  }
}
