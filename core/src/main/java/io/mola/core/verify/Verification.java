package io.mola.core.verify;

import io.mola.core.backend.Backend;
import io.mola.core.failure.MolaException;
import io.mola.core.failure.UsageException;
import io.mola.core.model.Transformer;
import io.mola.core.weights.WeightFormats;
import io.mola.core.weights.WeightSource;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import java.util.stream.Stream;

/**
 * Replays recorded cases of other implementations below a folder: forward passes ({@code
 * replay.json}) and training runs ({@code case.json}). It measures and compares, and assumes
 * nothing: a case that cannot be run has failed.
 */
public final class Verification {
  private final Backend backend;
  private final Consumer<CaseResult> listener;

  /**
   * @param listener told of each case when it is done
   */
  public Verification(Backend backend, Consumer<CaseResult> listener) {
    this.backend = backend;
    this.listener = listener;
  }

  /**
   * Runs all cases of a folder and its sub-folders, in the order of their paths.
   *
   * @throws UsageException if there is none
   */
  public List<CaseResult> run(Path folder) {
    List<CaseResult> results = new ArrayList<>();
    for (Path file : caseFiles(folder)) {
      String place = folder.relativize(file.resolveSibling("")).toString();
      if (file.endsWith("replay.json")) {
        replay(file, place, results);
      } else {
        add(trainingRun(file, place), results);
      }
    }
    return results;
  }

  private void add(CaseResult result, List<CaseResult> results) {
    results.add(result);
    listener.accept(result);
  }

  private static List<Path> caseFiles(Path folder) {
    if (!Files.isDirectory(folder)) {
      throw new UsageException(
          folder + ": no such folder; --golden takes a folder of recorded cases");
    }
    try (Stream<Path> files = Files.walk(folder)) {
      List<Path> cases =
          files
              .filter(file -> file.endsWith("replay.json") || file.endsWith("case.json"))
              .sorted()
              .toList();
      if (cases.isEmpty()) {
        throw new UsageException(folder + ": no replay.json or case.json below it");
      }
      return cases;
    } catch (IOException e) {
      throw new UsageException(folder + ": cannot be listed: " + e.getMessage(), e);
    }
  }

  private void replay(Path file, String place, List<CaseResult> results) {
    Map<Path, List<ReplayCase>> byModel = new LinkedHashMap<>();
    for (ReplayCase c : ReplayCase.read(file)) {
      byModel.computeIfAbsent(c.model(), path -> new ArrayList<>()).add(c);
    }
    byModel.forEach((path, cases) -> replayModel(path, cases, place, results));
  }

  private void replayModel(
      Path path, List<ReplayCase> cases, String place, List<CaseResult> results) {
    try (WeightSource source = WeightFormats.open(path);
        Transformer model = Transformer.load(backend, source)) {
      ReplayVerifier verifier = new ReplayVerifier(model);
      for (ReplayCase c : cases) {
        add(named(place, verifier.run(c)), results);
      }
    } catch (MolaException e) {
      for (ReplayCase c : cases) {
        if (results.stream().noneMatch(done -> done.name().equals(name(place, c.name())))) {
          add(CaseResult.failed(name(place, c.name()), String.valueOf(e.getMessage())), results);
        }
      }
    }
  }

  private CaseResult trainingRun(Path file, String place) {
    String name = place.isEmpty() ? "training run" : place;
    try {
      StepCase c = StepCase.read(file);
      try (WeightSource source = WeightFormats.open(c.folder());
          Transformer model = Transformer.load(backend, source)) {
        return new StepVerifier(c, model).run(name);
      }
    } catch (MolaException e) {
      return CaseResult.failed(name, String.valueOf(e.getMessage()));
    }
  }

  private static CaseResult named(String place, CaseResult result) {
    return new CaseResult(name(place, result.name()), result.measures(), result.failure());
  }

  private static String name(String place, String name) {
    return place.isEmpty() ? name : place + "/" + name;
  }
}
