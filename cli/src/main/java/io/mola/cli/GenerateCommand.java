package io.mola.cli;

import io.mola.cli.settings.Key;
import io.mola.cli.settings.Keys;
import io.mola.cli.settings.Settings;
import io.mola.core.backend.Region;
import io.mola.core.data.Prompts;
import io.mola.core.failure.UsageException;
import io.mola.core.generate.Generator;
import io.mola.core.generate.Sampling;
import io.mola.core.tensor.MemoryPlan;
import io.mola.core.tokenizer.TokenStream;
import io.mola.core.tokenizer.Tokenizer;
import java.io.PrintStream;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import picocli.CommandLine.Command;

/** Lets the model answer. */
@Command(
    name = "generate",
    description =
        "Let the model continue a prompt, with or without an adapter. The answer appears as it is"
            + " made.%n")
final class GenerateCommand extends Subcommand {
  @Override
  List<Key<?>> keys() {
    List<Key<?>> own =
        List.of(
            Keys.PROMPT,
            Keys.PROMPT_STYLE,
            Keys.MAX_NEW_TOKENS,
            Keys.TEMPERATURE,
            Keys.SAMPLE_TOP_K,
            Keys.SAMPLE_TOP_P,
            Keys.SEED);
    return Stream.concat(FrozenModel.KEYS.stream(), own.stream()).toList();
  }

  @Override
  int run(Output output) {
    Settings settings = settings();
    String prompt = settings.require(Keys.PROMPT);
    Sampling sampling =
        new Sampling(
            settings.get(Keys.TEMPERATURE),
            settings.get(Keys.SAMPLE_TOP_K),
            settings.get(Keys.SAMPLE_TOP_P),
            settings.get(Keys.SEED));
    int most = settings.get(Keys.MAX_NEW_TOKENS);
    try (FrozenModel model = FrozenModel.open(settings)) {
      Tokenizer tokenizer = model.tokenizer();
      int[] ids = Prompts.encode(prompt, tokenizer, ExampleFile.style(settings));
      int capacity = capacity(ids.length, most, model.source().config().contextLength());
      MemoryPlan.Builder plan = new MemoryPlan.Builder().f32("generate", 1, 1);
      model.planHook(plan, Generator.PROMPT_CHUNK);
      try (Region region = model.backend().memory().allocate(plan.build());
          Generator generator = new Generator(model.transformer(), model.hook(region), capacity)) {
        int[] answer =
            answer(generator, ids, capacity - ids.length, sampling, tokenizer, output.text());
        Map<String, Object> result = new LinkedHashMap<>();
        result.put("text", tokenizer.decode(answer, false));
        result.put("token_ids", Arrays.stream(answer).boxed().toList());
        result.put("prompt_tokens", ids.length);
        output.answer(result);
      }
    }
    return 0;
  }

  /** Room for prompt and answer: never beyond what the model was made for. */
  private static int capacity(int prompt, int most, int context) {
    if (prompt >= context) {
      throw new UsageException(
          Keys.PROMPT.flag()
              + ": has "
              + prompt
              + " tokens with its template, and the model's context of "
              + context
              + " leaves no room for an answer; shorten it, or give it without a template by"
              + " --prompt-style raw");
    }
    return (int) Math.min((long) prompt + most, context);
  }

  private static int[] answer(
      Generator generator,
      int[] prompt,
      int most,
      Sampling sampling,
      Tokenizer tokenizer,
      PrintStream out) {
    TokenStream stream = new TokenStream(tokenizer, prompt, false);
    int[] answer =
        generator.generate(
            prompt,
            most,
            sampling,
            tokenizer::isStop,
            id -> {
              out.print(stream.next(id));
              out.flush();
            });
    out.println(stream.finish());
    return answer;
  }
}
