package io.mola.cli.settings;

import io.mola.cli.settings.Key.Alias;
import io.mola.cli.settings.Key.Section;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * The table of all settings. Names are those that users of other fine-tuners know; defaults are the
 * paper's where it gives one.
 */
public final class Keys {
  private static final List<Key<?>> ALL = new ArrayList<>();

  /** More than any machine has processors; each needs a stack and a workspace of its own. */
  private static final int MOST_THREADS = 1024;

  /** Frozen model. */
  public static final Key<Path> BASE_MODEL =
      key("base_model", ValueType.path(), null, Section.FILES)
          .help("model: a GGUF file or a checkpoint folder")
          .aliases("model", "model_name_or_path");

  /** Examples. */
  public static final Key<Path> DATA_PATH =
      key("data_path", ValueType.path(), null, Section.FILES)
          .help(
              "examples: JSON or JSONL (instruction/output, messages, prompt/completion, input_ids)")
          .aliases("data", "dataset", "train_file");

  /** Where results go. */
  public static final Key<Path> OUTPUT_DIR =
      key("output_dir", ValueType.path(), "./mola-out", Section.FILES)
          .help("folder for the result")
          .aliases("adapter_path");

  /** An existing adapter. */
  public static final Key<Path> ADAPTER =
      key("adapter", ValueType.path(), null, Section.FILES)
          .help("adapter to use; finetune trains it further, into the output folder")
          .aliases();

  /** Recorded cases. */
  public static final Key<Path> GOLDEN =
      key("golden", ValueType.path(), null, Section.FILES)
          .help("folder of recorded cases (replay.json, case.json), searched with its sub-folders")
          .aliases();

  /** Another backend to compare with. */
  public static final Key<String> AGAINST =
      key("against", ValueType.text("NAME"), null, Section.MACHINE)
          .help("backend to compare --backend with, on --base-model and --data-path")
          .aliases();

  /** What may differ. */
  public static final Key<Double> TOLERANCE =
      key("tolerance", ValueType.number("a number above 0", x -> x > 0), null, Section.MACHINE)
          .help(
              "largest relative difference between two backends; default: 1e-3 in float32, and"
                  + " what rounding lets one expect where one of them multiplies in TF32 or BF16")
          .aliases();

  /** What merged matrices are stored as. */
  public static final Key<String> MERGED_TYPE =
      key("merged_type", ValueType.choice("f32", "f16", "bf16"), "f32", Section.FILES)
          .help("what merged matrices are stored as; f32 is exact, everything else is copied")
          .aliases();

  /** Replace results. */
  public static final Key<Boolean> OVERWRITE =
      key("overwrite", ValueType.truth(), "false", Section.FILES)
          .help("replace the adapter and the checkpoints that are in the output folder")
          .aliases();

  /** Use an adapter on another base. */
  public static final Key<Boolean> FORCE =
      key("force", ValueType.truth(), "false", Section.FILES)
          .help("use an adapter although it was trained on another base model")
          .aliases();

  /** N. */
  public static final Key<String> NUM_EXPERTS =
      key("num_experts", ValueType.text("SPEC"), "inverted-triangle", Section.ADAPTER)
          .help(
              "experts per layer: a shape (inverted-triangle, triangle, hourglass, diamond,"
                  + " rectangle), digits per group of layers (2468), runs (2x8,4x8), or a list; also"
                  + " per projection (q_proj=2468;down_proj=4). 1 everywhere is plain LoRA")
          .aliases("number_experts");

  /** K. */
  public static final Key<String> TOP_K =
      key("top_k", ValueType.text("SPEC"), "2", Section.ADAPTER)
          .help("experts that each token uses: one number, a list or runs")
          .aliases("expert_top_k");

  /** r. */
  public static final Key<String> LORA_R =
      key("lora_r", ValueType.text("SPEC"), "8", Section.ADAPTER)
          .help("rank of the experts: one number, a list or runs")
          .aliases("r", "lora_rank", "rank");

  /** Numerator of the scale. */
  public static final Key<Double> LORA_ALPHA =
      key("lora_alpha", ValueType.number("a number above 0", x -> x > 0), "16", Section.ADAPTER)
          .help("experts are scaled by alpha / r")
          .aliases("alpha");

  /** Dropout on the experts' input. */
  public static final Key<Double> LORA_DROPOUT =
      key("lora_dropout", fraction(), "0.05", Section.ADAPTER)
          .help("probability of dropping an input of the experts while training")
          .aliases("dropout");

  /** Which projections. */
  public static final Key<String> LORA_TARGET_MODULES =
      key("lora_target_modules", ValueType.text("NAMES"), null, Section.ADAPTER)
          .help(
              "projections with experts: q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj,"
                  + " down_proj; default all seven (all-linear)")
          .aliases("target_modules", "lora_target");

  /** Weight of the balance loss. */
  public static final Key<Double> ROUTER_AUX_LOSS_COEF =
      key("router_aux_loss_coef", atLeastZero(), "0.001", Section.ADAPTER)
          .help("weight of that loss")
          .aliases("moe_aux_loss_coef");

  /** Whether there is a balance loss. */
  public static final Key<Boolean> ROUTER_LOSS =
      key("router_loss", ValueType.truth(), "true", Section.ADAPTER)
          .help("whether a loss keeps the experts equally used")
          .aliases("obalance");

  /** Form of the balance loss. */
  public static final Key<String> ROUTER_AUX_LOSS_TYPE =
      key(
              "router_aux_loss_type",
              ValueType.choice("auto", "masked", "masked-per-module", "authors"),
              "auto",
              Section.ADAPTER)
          .help(
              "form of that loss: one term per layer (masked), one per projection"
                  + " (masked-per-module, for unequal numbers), or the paper authors' unmasked form")
          .aliases();

  /** Peak rate. */
  public static final Key<Double> LEARNING_RATE =
      key(
              "learning_rate",
              ValueType.number("a number above 0", x -> x > 0),
              "3e-4",
              Section.TRAINING)
          .help("peak learning rate")
          .aliases("lr", "lora_lr");

  /** Shape of the schedule. */
  public static final Key<String> LR_SCHEDULER_TYPE =
      key(
              "lr_scheduler_type",
              ValueType.choice("cosine", "linear", "constant", "constant-with-warmup"),
              "cosine",
              Section.TRAINING)
          .help("how the rate falls after the warm-up")
          .aliases("lr_scheduler", "scheduler_type");

  /** Warm-up in steps. */
  public static final Key<Integer> WARMUP_STEPS =
      key("warmup_steps", ValueType.whole(0), null, Section.TRAINING)
          .help("steps of linear warm-up; default: warmup_ratio of all steps")
          .aliases();

  /** Warm-up as a share. */
  public static final Key<Double> WARMUP_RATIO =
      key("warmup_ratio", fraction(), "0.03", Section.TRAINING)
          .help("share of all steps that warms up")
          .aliases();

  /** Effective batch. */
  public static final Key<Integer> BATCH_SIZE =
      key("batch_size", ValueType.whole(1), null, Section.TRAINING)
          .help(
              "examples per optimiser step; needs micro_batch_size, because other tools mean that"
                  + " by the same word")
          .aliases();

  /** Value of {@link #MICRO_BATCH_SIZE} that leaves the number to the memory plan. */
  public static final int AUTOMATIC = 0;

  /** Examples at once. */
  public static final Key<Integer> MICRO_BATCH_SIZE =
      key("micro_batch_size", ValueType.wholeOr("auto", AUTOMATIC), null, Section.TRAINING)
          .help(
              "examples computed at once; more of them need more memory and share more beginnings;"
                  + " auto: the fastest that --max-memory allows; default: 1")
          .aliases("per_device_train_batch_size");

  /** Micro-batches per step. */
  public static final Key<Integer> GRADIENT_ACCUMULATION_STEPS =
      key("gradient_accumulation_steps", ValueType.whole(1), null, Section.TRAINING)
          .help("micro-batches per optimiser step; default: batch_size / micro_batch_size, or 1")
          .aliases("grad_accumulation_steps");

  /** Passes over the data. */
  public static final Key<Integer> NUM_EPOCHS =
      key("num_epochs", ValueType.whole(1), "3", Section.TRAINING)
          .help("passes over the examples")
          .aliases("num_train_epochs", "epochs");

  /** Steps. */
  public static final Key<Integer> MAX_STEPS =
      key("max_steps", ValueType.whole(1), null, Section.TRAINING)
          .help(
              "stop after this many optimiser steps; without num_epochs the examples are repeated"
                  + " until then")
          .aliases("iters");

  /** Decoupled decay. */
  public static final Key<Double> WEIGHT_DECAY =
      key("weight_decay", atLeastZero(), "0.01", Section.TRAINING)
          .help("decoupled weight decay of AdamW")
          .aliases();

  /** First moment. */
  public static final Key<Double> ADAM_BETA1 =
      key("adam_beta1", fraction(), "0.9", Section.TRAINING)
          .help("decay of AdamW's first moment")
          .aliases();

  /** Second moment. */
  public static final Key<Double> ADAM_BETA2 =
      key("adam_beta2", fraction(), "0.999", Section.TRAINING)
          .help("decay of AdamW's second moment")
          .aliases();

  /** Added to the root. */
  public static final Key<Double> ADAM_EPSILON =
      key(
              "adam_epsilon",
              ValueType.number("a number above 0", x -> x > 0),
              "1e-8",
              Section.TRAINING)
          .help("added to the root of the second moment")
          .aliases();

  /** Clipping bound. */
  public static final Key<Double> MAX_GRAD_NORM =
      key("max_grad_norm", atLeastZero(), "1.0", Section.TRAINING)
          .help("clip the global gradient norm; 0: never")
          .aliases();

  /** Recomputation. */
  public static final Key<String> GRADIENT_CHECKPOINTING =
      key(
              "gradient_checkpointing",
              ValueType.choice("auto", "on", "off", "true", "false"),
              "auto",
              Section.TRAINING)
          .help("compute blocks again in the backward pass to save memory; auto: if needed")
          .aliases("grad_checkpoint");

  /** Held-back examples. */
  public static final Key<Double> VAL_SET_SIZE =
      key("val_set_size", atLeastZero(), "0", Section.TRAINING)
          .help("examples held back to measure the loss: a number, or a share below 1")
          .aliases("val_size");

  /** Randomness. */
  public static final Key<Long> SEED =
      key("seed", ValueType.seed(), "42", Section.TRAINING)
          .help("same seed, same bytes")
          .aliases("random_seed");

  /** Checkpoints. */
  public static final Key<Integer> SAVE_STEPS =
      key("save_steps", ValueType.whole(1), null, Section.CONTINUITY)
          .help(
              "write a checkpoint, OUTPUT_DIR/checkpoint-STEP, every N steps and on Ctrl-C; default:"
                  + " never")
          .aliases("save_every");

  /** How many checkpoints stay. */
  public static final Key<Integer> SAVE_TOTAL_LIMIT =
      key("save_total_limit", ValueType.whole(1), null, Section.CONTINUITY)
          .help("checkpoints that are kept, the newest; default: all")
          .aliases();

  /** Where a run goes on. */
  public static final Key<Path> RESUME_FROM_CHECKPOINT =
      key("resume_from_checkpoint", ValueType.pathOr("latest"), null, Section.CONTINUITY)
          .help(
              "go on from a checkpoint of the same run, or from the latest in the output folder; the"
                  + " result is the same as without the stop")
          .aliases("resume_from", "resume");

  /** Longest example. */
  public static final Key<Integer> CUTOFF_LEN =
      key("cutoff_len", ValueType.whole(2), null, Section.DATA)
          .help("longest example in tokens; default: the longest of the data")
          .aliases("max_seq_length", "sequence_len", "max_length");

  /** What happens to longer ones. */
  public static final Key<String> EXCESS_LENGTH_STRATEGY =
      key(
              "excess_length_strategy",
              ValueType.choice("raise", "drop", "truncate"),
              "raise",
              Section.DATA)
          .help("what to do with longer examples")
          .aliases("overflow");

  /** Loss on the prompt. */
  public static final Key<Boolean> TRAIN_ON_INPUTS =
      key("train_on_inputs", ValueType.truth(), "false", Section.DATA)
          .help("learn the prompts too, not only the answers")
          .inverse("mask_prompt", "completion_only_loss", "assistant_only_loss")
          .aliases("train_on_prompt");

  /** How prompts are rendered. */
  public static final Key<String> PROMPT_STYLE =
      key("prompt_style", ValueType.choice("auto", "chat", "alpaca", "raw"), "auto", Section.DATA)
          .help(
              "how prompts are written: the model's chat template, the Alpaca template, or as they"
                  + " are; auto: the chat template if the model has one, otherwise Alpaca's")
          .aliases();

  /** Common beginnings. */
  public static final Key<Boolean> SHARE_PREFIX =
      key("share_prefix", ValueType.truth(), "true", Section.DATA)
          .help(
              "compute tokens with which examples of a micro-batch begin alike (a system prompt, an"
                  + " instruction) only once; exact, except that dropout is then drawn once for"
                  + " them. --no-share-prefix turns it off")
          .inverse("no_share_prefix")
          .aliases();

  /** Prompt of generate. */
  public static final Key<String> PROMPT =
      key("prompt", ValueType.text("TEXT"), null, Section.GENERATION)
          .help("what the model is asked")
          .aliases();

  /** Tokens at most. */
  public static final Key<Integer> MAX_NEW_TOKENS =
      key("max_new_tokens", ValueType.whole(1), "128", Section.GENERATION)
          .help("longest answer in tokens")
          .aliases("max_tokens");

  /** Sampling temperature. */
  public static final Key<Double> TEMPERATURE =
      key("temperature", atLeastZero(), "0", Section.GENERATION)
          .help("0: always the likeliest token; higher: more varied")
          .aliases("temp");

  /** Candidates when sampling. */
  public static final Key<Integer> SAMPLE_TOP_K =
      key("sample_top_k", ValueType.whole(0), "0", Section.GENERATION)
          .help("sample among the k likeliest tokens; 0: all")
          .aliases();

  /** Probability mass when sampling. */
  public static final Key<Double> SAMPLE_TOP_P =
      key(
              "sample_top_p",
              ValueType.number("a number above 0 and at most 1", x -> x > 0 && x <= 1),
              "1",
              Section.GENERATION)
          .help("sample among the likeliest tokens that together reach this probability")
          .aliases("top_p");

  /** Device. */
  public static final Key<String> BACKEND =
      key("backend", ValueType.text("NAME"), "auto", Section.MACHINE)
          .help("what computes, see 'mola backends'")
          .aliases("device", "executor");

  /** Worker threads. */
  public static final Key<Integer> THREADS =
      key("threads", ValueType.whole(1, MOST_THREADS), null, Section.MACHINE)
          .help("threads; default: all processors. The result is the same for any number")
          .aliases();

  /** Where the time goes. */
  public static final Key<Boolean> PROFILE =
      key("profile", ValueType.truth(), "false", Section.MACHINE)
          .help("after training, print which operations a step's time went to")
          .aliases();

  /** Limit for the plan and the heap. */
  public static final Key<Long> MAX_MEMORY =
      key("max_memory", ValueType.bytes(), null, Section.MACHINE)
          .help(
              "largest resident memory of the whole process, the mapped model file included, for"
                  + " example 8G; default: 75 % of the machine's")
          .aliases();

  private static final Map<String, Key<?>> BY_NAME = byName();

  private Keys() {}

  /** All keys in the order of the table. */
  public static List<Key<?>> all() {
    return Collections.unmodifiableList(ALL);
  }

  /** The key of a canonical name or an alias, in snake_case. */
  public static Optional<Key<?>> named(String name) {
    return Optional.ofNullable(BY_NAME.get(name));
  }

  /** All names and aliases. */
  public static Set<String> names() {
    return Collections.unmodifiableSet(BY_NAME.keySet());
  }

  /** Whether a name is an alias that means the opposite of its key. */
  static boolean isInverse(String name) {
    return named(name).stream()
        .flatMap(key -> key.aliases().stream())
        .anyMatch(alias -> alias.name().equals(name) && alias.inverse());
  }

  private static Map<String, Key<?>> byName() {
    Map<String, Key<?>> map = new HashMap<>();
    for (Key<?> key : ALL) {
      put(map, key.name(), key);
      key.aliases().forEach(alias -> put(map, alias.name(), key));
    }
    return map;
  }

  private static void put(Map<String, Key<?>> map, String name, Key<?> key) {
    if (map.put(name, key) != null) {
      throw new IllegalStateException("two keys named " + name);
    }
  }

  private static ValueType<Double> atLeastZero() {
    return ValueType.number("a number of at least 0", x -> x >= 0);
  }

  private static ValueType<Double> fraction() {
    return ValueType.number("a number from 0 to below 1", x -> x >= 0 && x < 1);
  }

  private static <T> Row<T> key(
      String name, ValueType<T> type, @Nullable String fallback, Section section) {
    return new Row<>(name, type, fallback, section);
  }

  /** A row of the table while it is written. */
  private static final class Row<T> {
    private final String name;
    private final ValueType<T> type;
    private final @Nullable String fallback;
    private final Section section;
    private final List<Alias> aliases = new ArrayList<>();
    private String help = "";

    Row(String name, ValueType<T> type, @Nullable String fallback, Section section) {
      this.name = name;
      this.type = type;
      this.fallback = fallback;
      this.section = section;
    }

    Row<T> help(String text) {
      help = text;
      return this;
    }

    Row<T> inverse(String... names) {
      Arrays.stream(names).map(other -> new Alias(other, true)).forEach(aliases::add);
      return this;
    }

    Key<T> aliases(String... names) {
      Arrays.stream(names).map(other -> new Alias(other, false)).forEach(aliases::add);
      Key<T> key = new Key<>(name, type, fallback, section, help, aliases);
      ALL.add(key);
      return key;
    }
  }
}
