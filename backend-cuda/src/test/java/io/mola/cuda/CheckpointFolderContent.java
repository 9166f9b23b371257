package io.mola.cuda;

import io.mola.core.train.Checkpoint;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;

/**
 * What a run has left in its output folder.
 *
 * @param whole names of checkpoints, each opened and found undamaged
 * @param others everything else
 */
record CheckpointFolderContent(List<String> whole, List<String> others) {
  static CheckpointFolderContent of(Path output) {
    if (!Files.exists(output)) {
      return new CheckpointFolderContent(List.of(), List.of());
    }
    try (Stream<Path> entries = Files.list(output)) {
      List<Path> all = entries.sorted().toList();
      List<Path> checkpoints =
          all.stream().filter(p -> p.getFileName().toString().startsWith("checkpoint-")).toList();
      checkpoints.forEach(Checkpoint::open);
      return new CheckpointFolderContent(
          names(checkpoints), names(all.stream().filter(p -> !checkpoints.contains(p)).toList()));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static List<String> names(List<Path> paths) {
    return paths.stream().map(path -> path.getFileName().toString()).toList();
  }
}
