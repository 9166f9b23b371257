package io.mola.core.train;

import io.mola.core.adapter.AdapterFolder;
import io.mola.core.adapter.AdapterParameters;
import io.mola.core.backend.Memory;
import io.mola.core.backend.Region;
import io.mola.core.safetensors.AtomicFile;
import io.mola.core.safetensors.AtomicFolder;
import io.mola.core.safetensors.SafetensorsWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Writes the checkpoints of a run and removes those that are not to be kept. */
final class CheckpointWriter {
  private final CheckpointFolder where;
  private final RunIdentity identity;
  private final String backend;
  private final AdapterParameters layout;
  private final Memory memory;
  private final Region region;
  private final float[] host;

  /** Checkpoints of another run, which the first of this run replaces. */
  private final List<Path> foreign;

  private @Nullable Path newest;

  /**
   * @param backend its name
   * @param region that holds parameters and moments
   * @param host receives parameters and moments on their way to the disk
   * @param resumed the checkpoint that the run goes on from; null if it starts anew
   */
  CheckpointWriter(
      CheckpointFolder where,
      RunIdentity identity,
      String backend,
      AdapterParameters layout,
      Memory memory,
      Region region,
      float[] host,
      @Nullable Checkpoint resumed) {
    this.where = where;
    this.identity = identity;
    this.backend = backend;
    this.layout = layout;
    this.memory = memory;
    this.region = region;
    this.host = host;
    foreign = new ArrayList<>(resumed == null ? CheckpointFolder.list(where.output()) : List.of());
    newest = resumed == null ? null : resumed.folder();
    AtomicFolder.removeLeftovers(where.output(), Checkpoint.PREFIX);
  }

  /** The newest checkpoint of this run, if there is one. */
  @Nullable Path newest() {
    return newest;
  }

  /** Told after every step: writes a checkpoint when it is time. */
  void afterStep(int done) {
    if (done % where.everySteps() == 0) {
      save(done);
    }
  }

  /** Writes the checkpoint of a step if it is not there yet. */
  void save(int done) {
    Path target = where.of(done);
    if (target.equals(newest)) {
      return;
    }
    AtomicFolder.write(target, folder -> write(folder, done));
    newest = target;
    foreign.remove(target);
    foreign.forEach(AtomicFolder::remove);
    foreign.clear();
    List<Path> all = CheckpointFolder.list(where.output());
    if (where.keep() > 0) {
      all.stream()
          .filter(old -> !old.equals(target))
          .limit(Math.max(0, all.size() - where.keep()))
          .forEach(AtomicFolder::remove);
    }
  }

  private void write(Path folder, int done) {
    memory.download(region.tensor(TrainingStep.PARAMETERS), host);
    AdapterFolder.save(folder, layout, host, where.provenance(), false);
    SafetensorsWriter.write(
        folder.resolve(Checkpoint.OPTIMIZER),
        Map.of(),
        List.of(moment(TrainingStep.FIRST_MOMENT), moment(TrainingStep.SECOND_MOMENT)));
    Map<String, String> sha256 = new LinkedHashMap<>();
    for (String name : Checkpoint.HASHED) {
      sha256.put(name, AdapterFolder.sha256(folder.resolve(name)));
    }
    String state = new CheckpointState(done, backend, identity.values(), sha256).json();
    AtomicFile.write(
        folder.resolve(Checkpoint.STATE), out -> out.write(state.getBytes(StandardCharsets.UTF_8)));
  }

  /** The host array serves all: a moment is downloaded when it is its turn to be written. */
  private SafetensorsWriter.Source moment(String slot) {
    return new SafetensorsWriter.Source(
        slot,
        "F32",
        List.of((long) layout.rows(), (long) AdapterParameters.COLUMNS),
        (long) Float.BYTES * layout.size(),
        out -> {
          memory.download(region.tensor(slot), host);
          SafetensorsWriter.writeFloats(out, host);
        });
  }
}
