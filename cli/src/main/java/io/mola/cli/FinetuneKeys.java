package io.mola.cli;

import io.mola.cli.settings.Key;
import io.mola.cli.settings.Keys;
import java.util.ArrayList;
import java.util.List;

/** The settings of a fine-tuning run, which planning and running share. */
final class FinetuneKeys {
  /** How examples become tokens. */
  static final List<Key<?>> DATA =
      List.of(
          Keys.CUTOFF_LEN,
          Keys.EXCESS_LENGTH_STRATEGY,
          Keys.TRAIN_ON_INPUTS,
          Keys.PROMPT_STYLE,
          Keys.SHARE_PREFIX);

  /** What computes and with how much. */
  static final List<Key<?>> MACHINE = List.of(Keys.BACKEND, Keys.THREADS, Keys.MAX_MEMORY);

  /** All of them. */
  static final List<Key<?>> ALL = all();

  private FinetuneKeys() {}

  private static List<Key<?>> all() {
    List<Key<?>> keys = new ArrayList<>();
    keys.addAll(
        List.of(
            Keys.BASE_MODEL,
            Keys.DATA_PATH,
            Keys.ADAPTER,
            Keys.OUTPUT_DIR,
            Keys.OVERWRITE,
            Keys.FORCE));
    keys.addAll(AdapterSettings.KEYS);
    keys.addAll(TrainingSettings.KEYS);
    keys.addAll(RunContinuity.KEYS);
    keys.addAll(DATA);
    keys.addAll(MACHINE);
    keys.add(Keys.PROFILE);
    return List.copyOf(keys);
  }
}
