package io.mola.core.backend;

/** ServiceLoader entry: cheap to construct, touches no device until {@link #open}. */
public interface BackendProvider {
  /** Short name, for example {@code simd}. */
  String name();

  /**
   * Whether this machine can run it, and if not, why. Allocates nothing and leaves nothing behind.
   */
  Availability probe();

  /**
   * Opens the device.
   *
   * @throws io.mola.core.failure.UsageException with the reason of {@link #probe} if unusable
   */
  Backend open(BackendSettings settings);

  /** Result of {@link #probe}. */
  sealed interface Availability {
    /**
     * Usable.
     *
     * @param priority higher wins when the user did not choose
     * @param detail for people, for example {@code 512-bit vectors, 16 processors}
     */
    record Usable(int priority, String detail) implements Availability {}

    /**
     * Not usable.
     *
     * @param reason what is missing
     * @param remedy what to do about it
     */
    record Unusable(String reason, String remedy) implements Availability {}
  }
}
