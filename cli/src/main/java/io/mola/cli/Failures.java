package io.mola.cli;

import io.mola.cli.settings.Nearest;
import io.mola.core.failure.MolaException;
import java.io.UncheckedIOException;
import java.util.List;
import java.util.Locale;
import picocli.CommandLine;
import picocli.CommandLine.IExecutionExceptionHandler;
import picocli.CommandLine.IParameterExceptionHandler;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.ParseResult;
import picocli.CommandLine.UnmatchedArgumentException;

/** Failures as one line on the error stream and an exit code. */
final class Failures implements IParameterExceptionHandler, IExecutionExceptionHandler {
  private static final int RUNNING = 1;
  private static final int USAGE = 2;

  @Override
  public int handleParseException(ParameterException failure, String[] args) {
    CommandLine command = failure.getCommandLine();
    say(parseFault(failure, command) + "; see '" + helpCommand(command) + "'");
    return USAGE;
  }

  @Override
  public int handleExecutionException(Exception failure, CommandLine command, ParseResult parsed) {
    return report(failure, command.getCommand() instanceof Subcommand sub && sub.verbose());
  }

  /** Says what happened in one line; the stack trace only if asked for. */
  static int report(Throwable failure, boolean verbose) {
    say(line(failure));
    if (verbose) {
      failure.printStackTrace(System.err);
    }
    return failure instanceof MolaException known ? known.exitCode() : RUNNING;
  }

  private static String line(Throwable failure) {
    return switch (failure) {
      case MolaException known -> String.valueOf(known.getMessage());
      case OutOfMemoryError full ->
          String.format(
              Locale.ROOT,
              "out of memory with a heap of at most %,d MiB (%s): raise --max-memory, or lower"
                  + " --micro-batch-size or --cutoff-len",
              Runtime.getRuntime().maxMemory() >> 20,
              full.getMessage());
      case UncheckedIOException io -> String.valueOf(io.getMessage());
      default -> "internal error, please report it with the output of --verbose: " + failure;
    };
  }

  private static void say(String line) {
    System.err.println("mola: " + line.replaceAll("\\s*\\R\\s*", " "));
  }

  private static String parseFault(ParameterException failure, CommandLine command) {
    if (failure instanceof UnmatchedArgumentException unmatched) {
      String argument = unmatched.getUnmatched().getFirst();
      if (command.getParent() == null && !argument.startsWith("-")) {
        return "unknown command "
            + argument
            + Nearest.hint(argument, command.getSubcommands().keySet());
      }
      String kind = argument.startsWith("-") ? "unknown flag " : "unexpected argument ";
      String name = argument.replaceFirst("=.*", "");
      return kind + name + Nearest.hint(name, flags(command));
    }
    return String.valueOf(failure.getMessage());
  }

  private static List<String> flags(CommandLine command) {
    return command.getCommandSpec().options().stream().map(OptionSpec::longestName).toList();
  }

  private static String helpCommand(CommandLine command) {
    return command.getCommandSpec().qualifiedName() + " --help";
  }
}
