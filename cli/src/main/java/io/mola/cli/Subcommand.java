package io.mola.cli;

import io.mola.cli.settings.Given;
import io.mola.cli.settings.Key;
import io.mola.cli.settings.RunFile;
import io.mola.cli.settings.Settings;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParseResult;

/**
 * A command: the settings it uses, as flags and from {@code --config}, and what it does with them.
 */
@Command(
    synopsisHeading = "Usage: ",
    customSynopsis = "",
    sortOptions = false,
    usageHelpAutoWidth = true)
abstract class Subcommand implements Callable<Integer> {
  @Option(
      names = {"-h", "--help"},
      usageHelp = true,
      description = "Show this help.")
  @SuppressWarnings("unused") // picocli asks the annotation, not the field
  private boolean help;

  @Option(
      names = "--json",
      description = "Print one JSON object on standard output; text goes to standard error.")
  private boolean json;

  @Option(
      names = {"-v", "--verbose"},
      description = "Show the stack trace of a failure.")
  private boolean verbose;

  private @Nullable CommandLine commandLine;

  /** All commands, in the order of {@code mola --help}. */
  static List<Subcommand> all() {
    return List.of(
        new FinetuneCommand(),
        new GenerateCommand(),
        new EvalCommand(),
        new MergeCommand(),
        new PlanCommand(),
        new InspectCommand(),
        new VerifyCommand(),
        new BackendsCommand());
  }

  /** The settings this command uses. */
  abstract List<Key<?>> keys();

  /**
   * Does it.
   *
   * @return exit code
   */
  abstract int run(Output output) throws Exception;

  /** With the flags of {@link #keys}. */
  final CommandLine commandLine() {
    CommandLine command = new CommandLine(this);
    CommandSpec spec = command.getCommandSpec();
    spec.usageMessage().customSynopsis("mola " + spec.name() + " [OPTIONS]" + operands());
    KeyFlags.add(spec, keys());
    commandLine = command;
    return command;
  }

  /** What follows the options in the synopsis. */
  String operands() {
    return "";
  }

  /** Settings of the command line and of the file it names. */
  final Settings settings() {
    ParseResult parsed = parsed();
    List<Given> file =
        KeyFlags.configFile(parsed).map(path -> RunFile.read(Path.of(path))).orElse(List.of());
    return new Settings(KeyFlags.given(parsed, keys()), file);
  }

  /** The options as typed, for messages that repeat the command. */
  final List<String> typed() {
    return new ArrayList<>(parsed().originalArgs());
  }

  /** Whether stack traces are wanted. */
  final boolean verbose() {
    return verbose;
  }

  @Override
  public final Integer call() throws Exception {
    try {
      return run(new Output(json));
    } catch (Error e) {
      return Failures.report(e, verbose);
    }
  }

  private ParseResult parsed() {
    if (commandLine == null) {
      throw new IllegalStateException("not parsed yet");
    }
    return commandLine.getParseResult();
  }
}
