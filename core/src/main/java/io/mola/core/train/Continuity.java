package io.mola.core.train;

import java.util.Optional;

/**
 * How a run may be stopped and gone on with.
 *
 * @param baseFingerprint {@link io.mola.core.weights.WeightSource#fingerprint} of the base model
 * @param checkpoints where they are kept; empty: none are
 * @param resume checkpoint to go on from
 */
public record Continuity(
    String baseFingerprint, Optional<CheckpointFolder> checkpoints, Optional<Checkpoint> resume) {
  /** From the start to the end, without checkpoints. */
  public static final Continuity NONE = new Continuity("", Optional.empty(), Optional.empty());
}
