package io.mola.core.adapter;

import org.jspecify.annotations.Nullable;

/**
 * What an adapter was trained on and with, as far as its folder says.
 *
 * @param baseModel the base model as the user named it
 * @param baseFingerprint {@link io.mola.core.weights.WeightSource#fingerprint} of the base
 * @param tokenizerHash SHA-256 of the tokenizer in its canonical form
 * @param chatTemplateHash SHA-256 of the chat template; null also where none was used
 * @param balanceLoss kind of the balance loss
 * @param balanceCoefficient its factor
 */
public record AdapterProvenance(
    @Nullable String baseModel,
    @Nullable String baseFingerprint,
    @Nullable String tokenizerHash,
    @Nullable String chatTemplateHash,
    BalanceLoss balanceLoss,
    double balanceCoefficient) {

  /** Nothing is known. */
  public static final AdapterProvenance UNKNOWN =
      new AdapterProvenance(null, null, null, null, BalanceLoss.NONE, 0);
}
