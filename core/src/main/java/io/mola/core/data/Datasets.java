package io.mola.core.data;

import io.mola.core.failure.UsageException;
import io.mola.core.tokenizer.Tokenizer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.stream.Collectors;

/** Reads data sets. */
public final class Datasets {
  private static final int NAMED = 5;

  private Datasets() {}

  /**
   * All examples of a file. The format is recognised by the keys of the first record and then
   * expected of all.
   *
   * @throws UsageException naming file and line, if a record is malformed, has no target or is too
   *     long, or if there is no example
   */
  public static DataSet read(Path file, Tokenizer tokenizer, DataOptions options) {
    Reading reading = new Reading(new ExampleBuilder(tokenizer, options), options);
    Records.read(file, reading::accept);
    return reading.finish(file);
  }

  /** One file being read. */
  private static final class Reading {
    private final ExampleBuilder builder;
    private final DataOptions options;
    private final List<Example> examples = new ArrayList<>();
    private final List<String> dropped = new ArrayList<>();
    private final List<String> truncated = new ArrayList<>();
    private final List<String> excess = new ArrayList<>();
    private Optional<DatasetFormat> format = Optional.empty();

    Reading(ExampleBuilder builder, DataOptions options) {
      this.builder = builder;
      this.options = options;
    }

    void accept(DataRecord record) {
      DatasetFormat known = format.orElseGet(() -> recognise(record));
      format = Optional.of(known);
      if (!known.recognises(record)) {
        throw record.fault("expected the keys " + known.keys() + " as in the first record");
      }
      Example example = known.example(record, builder);
      if (example.targets() == 0) {
        throw record.fault("no token of this example is a target, so nothing can be learnt");
      }
      if (options.cutoffLength() > 0 && example.length() > options.cutoffLength()) {
        tooLong(example);
      } else {
        examples.add(example);
      }
    }

    private static DatasetFormat recognise(DataRecord record) {
      return DatasetFormat.all().stream()
          .filter(format -> format.recognises(record))
          .findFirst()
          .orElseThrow(() ->
              record.fault(
                  "unknown kind of record; expected the keys "
                      + DatasetFormat.all().stream()
                          .map(DatasetFormat::keys)
                          .collect(Collectors.joining(", or "))));
    }

    private void tooLong(Example example) {
      String place = example.origin() + " (" + example.length() + " tokens)";
      switch (options.excess()) {
        case RAISE -> excess.add(place);
        case DROP -> dropped.add(place);
        case TRUNCATE -> truncate(example, place);
      }
    }

    private void truncate(Example example, String place) {
      Example cut =
          new Example(
              Arrays.copyOf(example.tokens(), options.cutoffLength()),
              Arrays.copyOf(example.labels(), options.cutoffLength()),
              example.origin());
      if (cut.targets() == 0) {
        dropped.add(place + ", no target would be left");
      } else {
        truncated.add(place);
        examples.add(cut);
      }
    }

    DataSet finish(Path file) {
      if (!excess.isEmpty()) {
        throw new UsageException(
            "%d examples are longer than --cutoff-len %d: %s%s; raise it, or choose --excess-length-strategy drop or truncate"
                .formatted(
                    excess.size(),
                    options.cutoffLength(),
                    String.join(", ", excess.subList(0, Math.min(NAMED, excess.size()))),
                    excess.size() > NAMED ? ", ..." : ""));
      }
      if (examples.isEmpty()) {
        throw new UsageException(
            file
                + (dropped.isEmpty()
                    ? ": no example in it"
                    : ": every example is too long, the first is "
                        + dropped.getFirst()
                        + "; raise --cutoff-len"));
      }
      return new DataSet(examples, dropped, truncated);
    }
  }
}
