package io.mola.cli;

import io.mola.cli.settings.Keys;
import io.mola.cli.settings.Settings;
import io.mola.core.data.Example;
import io.mola.core.failure.UsageException;
import io.mola.core.tokenizer.TokenizerFingerprint;
import io.mola.core.weights.WeightSource;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.SplittableRandom;

/**
 * The examples of a run.
 *
 * @param training examples to learn from, in file order
 * @param validation held-back examples, in file order
 * @param tokenizerFingerprint of the tokenizer that made them
 */
record TrainingData(
    List<Example> training,
    List<Example> validation,
    Optional<TokenizerFingerprint> tokenizerFingerprint) {

  /**
   * Reads the file and holds back what {@code val_set_size} says.
   *
   * @throws UsageException naming file and line of the first example that cannot be used
   */
  static TrainingData read(Settings settings, WeightSource source, Path path, Output output) {
    ExampleFile file = ExampleFile.read(settings, source, path, output);
    int held = heldBack(settings, file.examples().size());
    boolean[] isHeld = draw(held, file.examples().size(), settings.get(Keys.SEED));
    List<Example> training = new ArrayList<>();
    List<Example> validation = new ArrayList<>();
    for (int i = 0; i < isHeld.length; i++) {
      (isHeld[i] ? validation : training).add(file.examples().get(i));
    }
    return new TrainingData(training, validation, file.tokenizerFingerprint());
  }

  private static int heldBack(Settings settings, int examples) {
    double size = settings.get(Keys.VAL_SET_SIZE);
    long held = size < 1 ? Math.round(size * examples) : (long) size;
    if (size >= 1 && size != held) {
      throw new UsageException(
          settings.place(Keys.VAL_SET_SIZE) + ": " + size + " is neither a number nor a share");
    }
    if (held > 0 && held >= examples) {
      throw new UsageException(
          settings.place(Keys.VAL_SET_SIZE)
              + ": holding back "
              + held
              + " of "
              + examples
              + " examples leaves none to learn from");
    }
    return (int) held;
  }

  /** {@code held} of {@code n}, all subsets alike likely (selection sampling). */
  private static boolean[] draw(int held, int n, long seed) {
    boolean[] drawn = new boolean[n];
    SplittableRandom random = new SplittableRandom(seed);
    int left = held;
    for (int i = 0; i < n; i++) {
      drawn[i] = random.nextInt(n - i) < left;
      left -= drawn[i] ? 1 : 0;
    }
    return drawn;
  }
}
