package io.mola.core.adapter;

import io.mola.core.failure.UsageException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/**
 * One number per layer, as users write it: {@code 8} everywhere, a list {@code 2,2,4,4}, runs
 * {@code 2x8,4x8} (2 for eight layers, then 4 for eight), and where groups are allowed a number for
 * each group of layers: digits {@code 2468}, {@code 10-2-2-2} for numbers above nine, or the name
 * of a shape.
 *
 * <p>Groups are as equal as the layer count permits, larger groups first: 30 layers in four groups
 * are 8, 8, 7, 7.
 */
final class LayerNumbers {
  /** The shapes of the paper (section 4.2) with its budget of 20, lowest layers first. */
  private static final Map<String, int[]> SHAPES =
      Map.of(
          "inverted-triangle", new int[] {2, 4, 6, 8},
          "triangle", new int[] {8, 6, 4, 2},
          "hourglass", new int[] {8, 2, 2, 8},
          "diamond", new int[] {2, 8, 8, 2},
          "rectangle", new int[] {5, 5, 5, 5},
          "square", new int[] {5, 5, 5, 5});

  private static final Pattern RUN = Pattern.compile("(\\d+)(?:[x*](\\d+))?");

  private final String key;
  private final int layers;

  /**
   * A reader of one setting.
   *
   * @param key its name, for messages
   * @param layers of the model
   */
  LayerNumbers(String key, int layers) {
    this.key = key;
    this.layers = layers;
  }

  /** Names of all shapes, sorted. */
  static List<String> shapeNames() {
    return SHAPES.keySet().stream().sorted().toList();
  }

  /** A number for all layers, a list or runs: for ranks and top-k. */
  int[] perLayer(String text) {
    String spec = text.strip();
    if (spec.matches("\\d+")) {
      int[] numbers = new int[layers];
      Arrays.fill(numbers, number(spec, spec));
      return numbers;
    }
    return runs(spec);
  }

  /** As {@link #perLayer}, but digits are one number per group, and shapes have names. */
  int[] perLayerOrGroup(String text) {
    String spec = text.strip();
    String name = spec.toLowerCase(Locale.ROOT).replace('_', '-').replace(' ', '-');
    int[] shape = SHAPES.get(name);
    if (shape != null) {
      return layers < shape.length ? sampled(shape) : grouped(spec, shape);
    }
    if (spec.matches("\\d+")) {
      int[] digits = spec.chars().map(c -> c - '0').toArray();
      if (Arrays.stream(digits).anyMatch(digit -> digit == 0)) {
        throw new UsageException(
            "%s: %s is read as one digit per group of layers, and 0 is no number of experts; for"
                    .formatted(key, spec)
                + " %s in every layer write %sx%d".formatted(spec, spec, layers));
      }
      return grouped(spec, digits);
    }
    if (spec.matches("\\d+(-\\d+)+")) {
      return grouped(
          spec, Arrays.stream(spec.split("-", -1)).mapToInt(s -> number(s, spec)).toArray());
    }
    return runs(spec);
  }

  /** Sizes of the groups: as equal as possible, larger ones first. */
  static int[] groupSizes(int layers, int groups) {
    int[] sizes = new int[groups];
    for (int i = 0; i < groups; i++) {
      sizes[i] = layers / groups + (i < layers % groups ? 1 : 0);
    }
    return sizes;
  }

  /** The shortest form: {@code 2x8,4x8,6x7,8x7}. */
  static String format(int[] numbers) {
    List<String> runs = new ArrayList<>();
    for (int start = 0, end; start < numbers.length; start = end) {
      end = start + 1;
      while (end < numbers.length && numbers[end] == numbers[start]) {
        end++;
      }
      runs.add(end - start == 1 ? "" + numbers[start] : numbers[start] + "x" + (end - start));
    }
    return String.join(",", runs);
  }

  private int[] grouped(String spec, int[] groups) {
    if (groups.length > layers) {
      throw new UsageException(
          "%s: %s names %d groups of layers, but the model has %d layers; give one number per layer"
              .formatted(key, spec, groups.length, layers));
    }
    int[] sizes = groupSizes(layers, groups.length);
    int[] numbers = new int[layers];
    int layer = 0;
    for (int group = 0; group < groups.length; group++) {
      Arrays.fill(numbers, layer, layer + sizes[group], groups[group]);
      layer += sizes[group];
    }
    return numbers;
  }

  /** Fewer layers than groups: each layer takes the group at the middle of its share. */
  private int[] sampled(int[] shape) {
    int[] numbers = new int[layers];
    for (int layer = 0; layer < layers; layer++) {
      numbers[layer] = shape[(2 * layer + 1) * shape.length / (2 * layers)];
    }
    return numbers;
  }

  private int[] runs(String spec) {
    List<Integer> numbers = new ArrayList<>();
    boolean repeats = false;
    for (String part : spec.split(",", -1)) {
      Matcher run = RUN.matcher(part.strip());
      if (!run.matches()) {
        throw new UsageException(
            "%s: cannot read '%s' in '%s'; write %s".formatted(key, part.strip(), spec, forms()));
      }
      String count = run.group(2);
      repeats |= count != null;
      int times = count == null ? 1 : number(count, spec);
      if (times > layers - numbers.size()) {
        throw wrongLength(spec, repeats, "more than " + layers);
      }
      for (int i = 0; i < times; i++) {
        numbers.add(number(run.group(1), spec));
      }
    }
    if (numbers.size() != layers) {
      throw wrongLength(spec, repeats, "" + numbers.size());
    }
    return numbers.stream().mapToInt(Integer::intValue).toArray();
  }

  private UsageException wrongLength(String spec, boolean repeats, String found) {
    long listed = repeats ? -1 : spec.chars().filter(c -> c == ',').count() + 1;
    String covered = listed < 0 ? found : "" + listed;
    return new UsageException(
        "%s: '%s' covers %s layers, but the model has %d%s"
            .formatted(
                key,
                spec,
                covered,
                layers,
                repeats ? " (2x8 means the number 2 for 8 layers)" : "; one number per layer"));
  }

  private String forms() {
    return "a number, a list as long as the model has layers, runs like 2x8,4x8"
        + (key.startsWith("num_experts")
            ? ", digits like 2468 or one of "
                + shapeNames().stream().collect(Collectors.joining(", "))
            : "");
  }

  private int number(String digits, String spec) {
    try {
      return Integer.parseInt(digits);
    } catch (NumberFormatException e) {
      throw new UsageException("%s: %s in '%s' is too large".formatted(key, digits, spec), e);
    }
  }
}
