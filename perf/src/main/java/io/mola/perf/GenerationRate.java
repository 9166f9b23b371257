package io.mola.perf;

import io.mola.core.adapter.AdapterFolder;
import io.mola.core.adapter.AdapterFolder.Defaults;
import io.mola.core.adapter.AdapterParameters;
import io.mola.core.adapter.LoadedAdapter;
import io.mola.core.adapter.MolaHook;
import io.mola.core.backend.Backend;
import io.mola.core.backend.BackendSettings;
import io.mola.core.backend.Backends;
import io.mola.core.backend.OperationTimes;
import io.mola.core.backend.ProfiledBackend;
import io.mola.core.backend.Region;
import io.mola.core.generate.Generator;
import io.mola.core.model.InferenceSession;
import io.mola.core.model.LinearHook;
import io.mola.core.model.PlainProjections;
import io.mola.core.model.Transformer;
import io.mola.core.tensor.MemoryPlan;
import io.mola.core.tensor.Tensor;
import io.mola.core.weights.WeightFormats;
import io.mola.core.weights.WeightSource;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Locale;
import java.util.SplittableRandom;

/**
 * Tokens per second of prompts and of generation, counted as llama.cpp's llama-bench counts them: a
 * prompt of {@value #PROMPT} tokens, of which the last one's logits are wanted, and {@value
 * #ANSWER} tokens one by one into an empty cache, without sampling. Tokens are random.
 *
 * <p>With {@code --profile} operations are timed instead, which costs a little time itself.
 */
public final class GenerationRate {
  private static final int PROMPT = 512;
  private static final int ANSWER = 128;
  private static final long SEED = 1;

  private final InferenceSession session;
  private final int[] tokens;
  private final float[] logits;

  private GenerationRate(InferenceSession session, int vocabulary) {
    this.session = session;
    tokens = new SplittableRandom(SEED).ints(PROMPT, 0, vocabulary).toArray();
    logits = new float[vocabulary];
  }

  /** Arguments: MODEL [--threads N] [--rounds N] [--adapter FOLDER] [--profile]. */
  public static void main(String[] arguments) throws IOException {
    Path file = Path.of(arguments[0]);
    int threads = Integer.parseInt(option(arguments, "--threads", "2"));
    int rounds = Integer.parseInt(option(arguments, "--rounds", "5"));
    String folder = option(arguments, "--adapter", "");
    OperationTimes times = new OperationTimes();
    boolean profile = Arrays.asList(arguments).contains("--profile");
    BackendSettings settings = new BackendSettings(threads, Runtime.getRuntime().maxMemory() / 2);
    double read = ReadRate.measure(threads);
    Backend plain = Backends.choose("simd").open(settings);
    try (WeightSource source = WeightFormats.open(file);
        Backend backend = profile ? new ProfiledBackend(plain, times) : plain;
        Transformer model = Transformer.load(backend, source);
        Adapted adapted = Adapted.of(model, folder);
        InferenceSession session =
            new InferenceSession(model, adapted.hook(), PROMPT, Generator.PROMPT_CHUNK)) {
      GenerationRate rate = new GenerationRate(session, source.config().vocabularySize());
      double prompts = rate.measure("prompt " + PROMPT, rate::prompt, PROMPT, rounds, times);
      double answers = rate.measure("generate " + ANSWER, rate::answer, ANSWER, rounds, times);
      double weights = Files.size(file) * answers;
      System.out.printf(
          Locale.ROOT,
          "a token is the file once: %.1f GB/s; memory is read at %.1f GB/s%n",
          weights / 1e9,
          read / 1e9);
      System.out.printf(Locale.ROOT, "pp%d %.1f tg%d %.1f%n", PROMPT, prompts, ANSWER, answers);
    }
  }

  /** The model's projections, or those of an adapter in its region. */
  private record Adapted(LinearHook hook, Region region) implements AutoCloseable {
    static Adapted of(Transformer model, String folder) {
      Backend backend = model.backend();
      MemoryPlan.Builder plan = new MemoryPlan.Builder().f32("nothing", 1, 1);
      if (folder.isEmpty()) {
        return new Adapted(new PlainProjections(backend), backend.memory().allocate(plan.build()));
      }
      LoadedAdapter loaded =
          AdapterFolder.load(Path.of(folder), model.config(), Defaults.OF_THE_PAPER);
      plan.f32("parameters", loaded.layout().rows(), AdapterParameters.COLUMNS);
      MolaHook.inferencePlan(plan, loaded.layout(), Generator.PROMPT_CHUNK);
      Region region = backend.memory().allocate(plan.build());
      Tensor parameters = region.tensor("parameters");
      backend.memory().upload(loaded.parameters(), parameters);
      MolaHook hook =
          new MolaHook(
              backend, loaded.layout(), region, parameters, null, MolaHook.Settings.INFERENCE);
      return new Adapted(hook, region);
    }

    @Override
    public void close() {
      region.close();
    }
  }

  private void prompt() {
    session.truncate(0);
    session.append(tokens, logits);
  }

  private void answer() {
    session.truncate(0);
    for (int i = 0; i < ANSWER; i++) {
      session.append(new int[] {tokens[i]}, logits);
    }
  }

  /** The first run, which also packs and compiles, then the median of the rounds. */
  private double measure(String name, Runnable work, int count, int rounds, OperationTimes times) {
    double first = rate(work, count);
    rate(work, count);
    times.clear();
    double[] rates = new double[rounds];
    for (int i = 0; i < rounds; i++) {
      rates[i] = rate(work, count);
    }
    double[] sorted = rates.clone();
    Arrays.sort(sorted);
    System.out.printf(
        Locale.ROOT,
        "%-14s %8.1f tokens/s (%.1f - %.1f of %d); first run %.1f%n",
        name,
        sorted[rounds / 2],
        sorted[0],
        sorted[rounds - 1],
        rounds,
        first);
    for (OperationTimes.Row row : times.rows()) {
      System.out.printf(
          Locale.ROOT,
          "  %-34s %8.1f calls %9.3f ms a run, %8.1f us a call%n",
          row.operation(),
          row.calls() / (double) rounds,
          row.nanos() / 1e6 / rounds,
          row.nanos() / 1e3 / row.calls());
    }
    return sorted[rounds / 2];
  }

  private static double rate(Runnable work, int count) {
    long start = System.nanoTime();
    work.run();
    return count * 1e9 / (System.nanoTime() - start);
  }

  private static String option(String[] arguments, String name, String otherwise) {
    int at = Arrays.asList(arguments).indexOf(name);
    return at < 0 ? otherwise : arguments[at + 1];
  }
}
