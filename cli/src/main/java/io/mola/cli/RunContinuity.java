package io.mola.cli;

import io.mola.cli.settings.Key;
import io.mola.cli.settings.Keys;
import io.mola.cli.settings.Settings;
import io.mola.core.adapter.AdapterProvenance;
import io.mola.core.failure.UsageException;
import io.mola.core.train.Checkpoint;
import io.mola.core.train.CheckpointFolder;
import io.mola.core.train.Continuity;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Supplier;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * What the settings say of stopping and going on.
 *
 * @param output folder of the checkpoints
 * @param everySteps steps between two checkpoints; empty: none are written
 * @param keep how many of them stay; 0: all
 * @param resume checkpoint to go on from
 */
record RunContinuity(
    Path output, Optional<Integer> everySteps, int keep, Optional<Checkpoint> resume) {
  /** Their keys. */
  static final List<Key<?>> KEYS =
      List.of(Keys.SAVE_STEPS, Keys.SAVE_TOTAL_LIMIT, Keys.RESUME_FROM_CHECKPOINT);

  private static final Path LATEST = Path.of("latest");

  /**
   * Reads the settings, and every byte of the checkpoint that they name.
   *
   * @param output folder of the result, in which {@code latest} is looked for
   * @throws UsageException if that checkpoint is missing or damaged, or a new run would mix its
   *     checkpoints with those of another
   */
  static RunContinuity of(Settings settings, Path output) {
    Optional<Integer> steps = settings.find(Keys.SAVE_STEPS);
    if (steps.isEmpty() && settings.given(Keys.SAVE_TOTAL_LIMIT).isPresent()) {
      throw new UsageException(
          settings.place(Keys.SAVE_TOTAL_LIMIT)
              + ": no checkpoint is written without --save-steps; give it too");
    }
    Optional<Path> named = settings.find(Keys.RESUME_FROM_CHECKPOINT);
    if (steps.isPresent() && named.isEmpty()) {
      CheckpointFolder.requireNone(output, settings.get(Keys.OVERWRITE));
    }
    Optional<Checkpoint> resume =
        named.map(path -> path.equals(LATEST) ? Checkpoint.latest(output) : Checkpoint.open(path));
    return new RunContinuity(output, steps, settings.find(Keys.SAVE_TOTAL_LIMIT).orElse(0), resume);
  }

  /**
   * For the run itself. One that goes on from a checkpoint writes one at least when it is stopped.
   *
   * @param provenance of the adapters in its checkpoints, asked for if there may be any
   */
  Continuity toRun(BaseFingerprint base, Supplier<AdapterProvenance> provenance) {
    if (everySteps.isEmpty() && resume.isEmpty()) {
      return Continuity.NONE;
    }
    CheckpointFolder folder =
        new CheckpointFolder(output, everySteps.orElse(Integer.MAX_VALUE), keep, provenance.get());
    return new Continuity(base.value(), Optional.of(folder), resume);
  }

  /** The command that goes on from a checkpoint, for a shell. */
  static String command(List<String> typed, Path checkpoint) {
    List<String> resume =
        Stream.concat(
                Stream.of(Keys.RESUME_FROM_CHECKPOINT.flag()),
                Keys.RESUME_FROM_CHECKPOINT.aliases().stream().map(Key.Alias::flag))
            .toList();
    List<String> words = new ArrayList<>(List.of("./mola"));
    boolean skip = false;
    for (String word : typed) {
      if (!skip && !resume.contains(word.replaceFirst("=.*", ""))) {
        words.add(word);
      }
      skip = !skip && resume.contains(word);
    }
    words.addAll(List.of(Keys.RESUME_FROM_CHECKPOINT.flag(), checkpoint.toString()));
    return words.stream().map(RunContinuity::quoted).collect(Collectors.joining(" "));
  }

  private static String quoted(String word) {
    return word.matches("[A-Za-z0-9_@%+=:,./-]+") ? word : "'" + word.replace("'", "'\\''") + "'";
  }
}
