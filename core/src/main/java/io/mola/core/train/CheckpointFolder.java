package io.mola.core.train;

import io.mola.core.adapter.AdapterProvenance;
import io.mola.core.failure.UsageException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.stream.Stream;

/**
 * Where and how often a run keeps checkpoints.
 *
 * @param output folder that gets a {@code checkpoint-STEP} each time
 * @param everySteps steps between two of them
 * @param keep how many of the newest stay; 0: all
 * @param provenance of the adapters in them
 */
public record CheckpointFolder(
    Path output, int everySteps, int keep, AdapterProvenance provenance) {

  /**
   * Refuses a folder with checkpoints of an earlier run, so that a new run does not mix with it.
   *
   * @throws UsageException naming the newest of them
   */
  public static void requireNone(Path output, boolean overwrite) {
    List<Path> found = list(output);
    if (!overwrite && !found.isEmpty()) {
      throw new UsageException(
          found.getLast()
              + ": a checkpoint of an earlier run; go on with --resume-from-checkpoint latest, choose another folder or pass --overwrite");
    }
  }

  /** All checkpoints in a folder, by step; none if the folder does not exist. */
  static List<Path> list(Path output) {
    if (!Files.isDirectory(output)) {
      return List.of();
    }
    try (Stream<Path> entries = Files.list(output)) {
      return entries
          .filter(entry -> stepOf(entry) > 0 && Files.isDirectory(entry))
          .sorted(Comparator.comparingInt(CheckpointFolder::stepOf))
          .toList();
    } catch (IOException e) {
      throw new UsageException(output + ": cannot be read: " + e.getMessage(), e);
    }
  }

  /** The folder of a step. */
  Path of(int step) {
    return output.resolve(Checkpoint.PREFIX + step);
  }

  /** STEP of {@code checkpoint-STEP}; 0 for other names. */
  static int stepOf(Path folder) {
    String name = folder.getFileName().toString();
    return name.matches(Checkpoint.PREFIX + "[1-9][0-9]{0,8}")
        ? Integer.parseInt(name.substring(Checkpoint.PREFIX.length()))
        : 0;
  }
}
