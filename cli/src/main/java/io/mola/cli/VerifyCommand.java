package io.mola.cli;

import io.mola.cli.settings.Key;
import io.mola.cli.settings.Keys;
import io.mola.cli.settings.Settings;
import io.mola.core.backend.Backend;
import io.mola.core.backend.InnerPrecision;
import io.mola.core.failure.UsageException;
import io.mola.core.verify.CaseResult;
import io.mola.core.verify.CaseResult.Measure;
import io.mola.core.verify.Verification;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import picocli.CommandLine.Command;

/** Measures differences: from recorded cases, or between two backends. */
@Command(
    name = "verify",
    description =
        "Check a backend on this machine: replay recorded runs of other implementations (--golden),"
            + " or compare it with another backend on a model and data of your own (--against), and"
            + " measure the largest differences. Exit code 2 if one exceeds its tolerance.%n")
final class VerifyCommand extends Subcommand {
  @Override
  List<Key<?>> keys() {
    List<Key<?>> keys = new ArrayList<>(List.of(Keys.GOLDEN, Keys.BACKEND, Keys.THREADS));
    keys.addAll(BackendParity.KEYS);
    return keys;
  }

  @Override
  int run(Output output) {
    Settings settings = settings();
    Map<String, Object> answer = new LinkedHashMap<>();
    List<CaseResult> results =
        settings.find(Keys.AGAINST).isPresent()
            ? parity(settings, output)
            : replay(settings, answer, output);
    boolean ok = results.stream().allMatch(CaseResult::ok);
    long failed = results.stream().filter(result -> !result.ok()).count();
    output.text().printf("%d cases, %d failed%n", results.size(), failed);
    answer.put("ok", ok);
    answer.put("cases", results.stream().map(VerifyCommand::entry).toList());
    output.answer(answer);
    return ok ? 0 : 2;
  }

  private static List<CaseResult> replay(
      Settings settings, Map<String, Object> answer, Output output) {
    try (Backend backend = ComputeSettings.open(settings)) {
      InnerPrecision precision = backend.precision();
      output
          .text()
          .printf(
              "backend %s, inner precision %s: %s%n",
              backend.name(),
              name(precision),
              precision == InnerPrecision.F32
                  ? "judged by the recordings' tolerances"
                  : "the recordings are float32, so differences are relative and may be what"
                      + " rounding lets one expect");
      answer.put("precision", name(precision));
      return new Verification(backend, result -> show(result, output))
          .run(settings.require(Keys.GOLDEN));
    }
  }

  private static List<CaseResult> parity(Settings settings, Output output) {
    if (settings.find(Keys.GOLDEN).isPresent()) {
      throw new UsageException(
          "--golden replays recorded cases and --against compares two backends; give one");
    }
    List<CaseResult> results = BackendParity.compare(settings, output);
    results.forEach(result -> show(result, output));
    return results;
  }

  private static String name(InnerPrecision precision) {
    return precision.name().toLowerCase(Locale.ROOT);
  }

  private static void show(CaseResult result, Output output) {
    StringBuilder line = new StringBuilder(result.ok() ? "ok      " : "FAILED  ");
    line.append(result.name());
    for (Measure measure : result.measures()) {
      line.append(
          String.format(
              "  %s %.3g (%s %.3g)",
              measure.key(),
              measure.value(),
              measure.ok() ? "<=" : "exceeds",
              measure.tolerance()));
    }
    if (result.failure() != null) {
      line.append("  ").append(result.failure());
    }
    output.text().println(line);
  }

  private static Map<String, Object> entry(CaseResult result) {
    Map<String, Object> entry = new LinkedHashMap<>();
    entry.put("name", result.name());
    entry.put("ok", result.ok());
    if (result.failure() != null) {
      entry.put("failure", result.failure());
    }
    Map<String, Double> tolerances = new LinkedHashMap<>();
    for (Measure measure : result.measures()) {
      entry.put(measure.key(), Double.isFinite(measure.value()) ? measure.value() : null);
      tolerances.put(measure.key(), measure.tolerance());
    }
    entry.put("tolerances", tolerances);
    return entry;
  }
}
