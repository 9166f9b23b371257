package io.mola.core.train;

import io.mola.core.adapter.AdapterFolder;
import io.mola.core.adapter.AdapterParameters;
import io.mola.core.adapter.LoadedAdapter;
import io.mola.core.failure.MalformedFileException;
import io.mola.core.failure.UsageException;
import io.mola.core.safetensors.SafetensorsFile;
import io.mola.core.safetensors.SafetensorsTensor;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Objects;

/**
 * The whole state of a run between two steps: a folder {@code checkpoint-STEP} with the adapter,
 * AdamW's moments ({@code optimizer.safetensors}) and {@code training_state.json}, which holds the
 * step, the run's identity and the SHA-256 of the other files.
 *
 * <p>Nothing else is state: data order, dropout and learning rate are functions of seed and step,
 * which {@link RunIdentity} fixes. So a run that goes on from here does what the uninterrupted run
 * would have done, bit for bit.
 */
public final class Checkpoint {
  static final String PREFIX = "checkpoint-";
  static final String STATE = "training_state.json";
  static final String OPTIMIZER = "optimizer.safetensors";
  static final List<String> HASHED =
      List.of(AdapterFolder.TENSORS, AdapterFolder.CONFIG, OPTIMIZER);

  private final Path folder;
  private final CheckpointState state;

  private Checkpoint(Path folder, CheckpointState state) {
    this.folder = folder;
    this.state = state;
  }

  /**
   * Opens a checkpoint and checks that it is undamaged; reads every byte, allocates nothing large.
   *
   * @throws UsageException if there is none
   * @throws MalformedFileException if a file is missing or changed; it names the file
   */
  public static Checkpoint open(Path folder) {
    if (!Files.isDirectory(folder)) {
      throw new UsageException(folder + ": no such folder; name a checkpoint, or latest");
    }
    CheckpointState state = CheckpointState.read(folder.resolve(STATE));
    for (String name : HASHED) {
      Path file = folder.resolve(name);
      if (!Files.isRegularFile(file)) {
        throw new MalformedFileException(file, "is missing; use another checkpoint");
      }
      String actual = AdapterFolder.sha256(file);
      String expected = state.sha256().get(name);
      if (!actual.equals(expected)) {
        throw new MalformedFileException(
            file,
            "SHA-256 is %s, but %s says %s; the file is damaged, use another checkpoint"
                .formatted(actual, STATE, expected));
      }
    }
    return new Checkpoint(folder, state);
  }

  /**
   * The checkpoint of the highest step in an output folder.
   *
   * @throws UsageException if there is none
   */
  public static Checkpoint latest(Path output) {
    List<Path> all = CheckpointFolder.list(output);
    if (all.isEmpty()) {
      throw new UsageException(
          output + ": holds no checkpoint to go on from; start without --resume-from-checkpoint");
    }
    return open(all.getLast());
  }

  /** Its folder. */
  public Path folder() {
    return folder;
  }

  /** Steps that are done. */
  public int step() {
    return state.step();
  }

  /** The backend that computed it. */
  public String backend() {
    return state.backend();
  }

  /**
   * Refuses to go on with another run.
   *
   * @throws UsageException naming the first setting that differs, and both values
   */
  void requireSame(RunIdentity now) {
    Map<String, String> then = state.identity();
    now.values()
        .forEach((name, value) -> {
          String before = then.getOrDefault(name, "unknown");
          if (!before.equals(value)) {
            throw new UsageException(
                "%s: made with %s %s, but now it is %s; give the settings of that run, or start a new run from its parameters with --adapter %s"
                    .formatted(folder, name, before, value, folder));
          }
        });
  }

  /**
   * The trained parameters.
   *
   * @throws MalformedFileException if they are not those of an adapter of this layout
   */
  float[] parameters(AdapterParameters layout) {
    LoadedAdapter adapter =
        AdapterFolder.load(folder, layout.config(), AdapterFolder.Defaults.OF_THE_PAPER);
    if (!adapter.layout().tensors().equals(layout.tensors())) {
      throw new MalformedFileException(
          folder.resolve(AdapterFolder.TENSORS),
          "holds other tensors than " + STATE + " says; use another checkpoint");
    }
    return adapter.parameters();
  }

  /**
   * Checks the moments in place, before anything is allocated for them.
   *
   * @param steps of the whole run
   * @throws MalformedFileException if one is missing, of another size or holds what no training
   *     gives
   */
  void requireMoments(AdapterParameters layout, int steps) {
    if (step() > steps) {
      throw new MalformedFileException(
          folder.resolve(STATE), "step %d is beyond the %d of its run".formatted(step(), steps));
    }
    Path file = folder.resolve(OPTIMIZER);
    try (SafetensorsFile tensors = SafetensorsFile.open(file)) {
      for (String name : List.of(TrainingStep.FIRST_MOMENT, TrainingStep.SECOND_MOMENT)) {
        SafetensorsTensor tensor = tensors.tensors().get(name);
        if (tensor == null) {
          throw new MalformedFileException(file, "tensor " + name + " is missing");
        }
        if (!tensor.dtype().equals("F32")
            || !tensor.hasShape(layout.rows(), AdapterParameters.COLUMNS)) {
          throw new MalformedFileException(
              file,
              "%s is %s %s, but this adapter needs F32 [%d, %d]"
                  .formatted(
                      name,
                      tensor.dtype(),
                      tensor.shape(),
                      layout.rows(),
                      AdapterParameters.COLUMNS));
        }
        requirePossible(file, tensor, layout.size());
      }
    }
  }

  /**
   * One of AdamW's moments, flat, in the layout; {@link #requireMoments} has passed.
   *
   * @param name {@link TrainingStep#FIRST_MOMENT} or {@link TrainingStep#SECOND_MOMENT}
   * @param to receives it
   */
  void readMoment(String name, float[] to) {
    try (SafetensorsFile tensors = SafetensorsFile.open(folder.resolve(OPTIMIZER))) {
      Objects.requireNonNull(tensors.tensors().get(name)).floats(0, to, to.length);
    }
  }

  private static void requirePossible(Path file, SafetensorsTensor tensor, int size) {
    boolean square = tensor.name().equals(TrainingStep.SECOND_MOMENT);
    float[] chunk = new float[AdapterParameters.COLUMNS];
    for (int first = 0; first < size; first += chunk.length) {
      tensor.floats(first, chunk, chunk.length);
      for (int i = 0; i < chunk.length; i++) {
        if (!Float.isFinite(chunk[i]) || (square && chunk[i] < 0)) {
          throw new MalformedFileException(
              file,
              "%s has the value %s at %d, which no training gives; use another checkpoint"
                  .formatted(tensor.name(), chunk[i], first + i));
        }
      }
    }
  }
}
