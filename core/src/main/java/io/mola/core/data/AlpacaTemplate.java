package io.mola.core.data;

/** The prompt templates of Alpaca-LoRA, which the MoLA authors use. */
final class AlpacaTemplate {
  private static final String ALONE =
      "Below is an instruction that describes a task. Write a response that appropriately"
          + " completes the request.\n\n### Instruction:\n";
  private static final String WITH_INPUT =
      "Below is an instruction that describes a task, paired with an input that provides further"
          + " context. Write a response that appropriately completes the request.\n\n"
          + "### Instruction:\n";
  private static final String RESPONSE = "\n\n### Response:\n";

  private AlpacaTemplate() {}

  /** The text before the answer. */
  static String prompt(String instruction, String input) {
    return input.isEmpty()
        ? ALONE + instruction + RESPONSE
        : WITH_INPUT + instruction + "\n\n### Input:\n" + input + RESPONSE;
  }
}
