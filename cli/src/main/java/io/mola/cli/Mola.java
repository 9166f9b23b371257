package io.mola.cli;

import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Help.Ansi;
import picocli.CommandLine.Option;

/** The program: {@code mola <command>}. */
@Command(
    name = "mola",
    synopsisSubcommandLabel = "COMMAND",
    version = "mola 0.1.0",
    header = "Fine-tunes language models with mixtures of LoRA experts, on the CPU.%n",
    description = {
      "%nNew here? You need a model (a GGUF file or a checkpoint folder) and examples. First see what"
          + " would be trained and how much memory it takes, then train, then ask:%n",
      "  mola plan --base-model MODEL.gguf --data-path DATA.jsonl",
      "  mola finetune --base-model MODEL.gguf --data-path DATA.jsonl --output-dir my-adapter",
      "  mola generate --base-model MODEL.gguf --adapter my-adapter --prompt \"...\"%n"
    },
    footer = {
      "%n'mola COMMAND --help' explains a command.",
      "Exit codes: 0 done, 1 failed while running, 2 wrong usage or input, 130 interrupted."
    })
public final class Mola {
  @Option(
      names = {"-h", "--help"},
      usageHelp = true,
      description = "Show this help.")
  @SuppressWarnings("unused") // picocli asks the annotation, not the field
  private boolean help;

  @Option(
      names = {"-V", "--version"},
      versionHelp = true,
      description = "Show the version.")
  @SuppressWarnings("unused") // picocli asks the annotation, not the field
  private boolean version;

  private Mola() {}

  /** Runs a command and exits with its code. */
  public static void main(String[] args) {
    HeldBackErrors.release();
    int code = commandLine().execute(args);
    System.out.flush();
    Interruption.exit(code);
  }

  /** All commands with their options. */
  static CommandLine commandLine() {
    CommandLine root = new CommandLine(new Mola());
    Subcommand.all().forEach(command -> root.addSubcommand(command.commandLine()));
    Failures failures = new Failures();
    root.setParameterExceptionHandler(failures);
    root.setExecutionExceptionHandler(failures);
    root.setExecutionStrategy(parsed -> {
      if (parsed.subcommand() == null && !CommandLine.printHelpIfRequested(parsed)) {
        root.usage(System.err, Ansi.AUTO);
        return 2;
      }
      return new CommandLine.RunLast().execute(parsed);
    });
    return root;
  }
}
