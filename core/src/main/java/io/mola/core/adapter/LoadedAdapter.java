package io.mola.core.adapter;

import io.mola.core.failure.UsageException;
import java.nio.file.Path;

/**
 * An adapter read from a file or folder.
 *
 * @param path as the user named it
 * @param layout where each parameter lies
 * @param parameters flat, in that layout
 * @param provenance what it was trained on
 */
public record LoadedAdapter(
    Path path, AdapterParameters layout, float[] parameters, AdapterProvenance provenance) {

  /**
   * Checks that it was trained on the base model at hand. An adapter that does not say on which (of
   * another program) passes.
   *
   * @param fingerprint of the base model at hand
   * @param force passes in any case
   * @throws UsageException naming both fingerprints
   */
  public void requireBase(String fingerprint, boolean force) {
    String trained = provenance.baseFingerprint();
    if (force || trained == null || trained.equals(fingerprint)) {
      return;
    }
    throw new UsageException(
        "%s: trained on a base model with fingerprint %s%s, but this one has %s; use that base, or --force"
            .formatted(
                path,
                trained,
                provenance.baseModel() == null ? "" : " (" + provenance.baseModel() + ")",
                fingerprint));
  }
}
