package io.mola.core.backend;

import java.util.LinkedHashMap;
import java.util.Map;

/**
 * Where a run lies that a device with memory of its own computes.
 *
 * @param device as it names itself
 * @param totalBytes memory of the device
 * @param freeBytes what of it the run may take
 * @param slotBytes buffers of the plan, as the device stores them
 * @param workspaceBytes scratch of the operations
 * @param reserveBytes left to the driver: compiled kernels, and its rounding of allocations
 * @param frozen the frozen weights
 * @param streaming how those come that have no place on the device
 * @param hostBytes memory of the host for copies, for what is remembered of steps, and for streamed
 *     weights
 */
public record DevicePlacement(
    String device,
    long totalBytes,
    long freeBytes,
    long slotBytes,
    long workspaceBytes,
    long reserveBytes,
    Frozen frozen,
    Streaming streaming,
    long hostBytes) {

  /**
   * Bytes of the frozen weights by the form in which they lie.
   *
   * @param decodedBytes on the device, as activations are stored
   * @param grownBytes the part of it that is larger than in the file
   * @param encodedBytes on the device, as in the file
   * @param streamedBytes in host memory, copied to the device at each use
   */
  public record Frozen(long decodedBytes, long grownBytes, long encodedBytes, long streamedBytes) {}

  /**
   * The cost of streaming; all 0 if nothing is streamed.
   *
   * @param bufferBytes buffers on the device
   * @param bytesPerMicroBatch copied for the forward and backward pass of a micro-batch
   * @param bytesPerSecond rate of the connection
   * @param rateSource where the rate comes from, for example {@code assumed, PCIe 4 with 16 lanes}
   */
  public record Streaming(
      long bufferBytes, long bytesPerMicroBatch, double bytesPerSecond, String rateSource) {
    /** Copies of a step, in bytes. */
    public long bytesPerStep(int microBatches) {
      return microBatches * bytesPerMicroBatch;
    }

    /** Copies of a step, in seconds; they run beside the computation of other layers. */
    public double secondsPerStep(int microBatches) {
      return bytesPerStep(microBatches) / bytesPerSecond;
    }
  }

  /** Bytes of the device that the run takes. */
  public long plannedBytes() {
    return slotBytes
        + workspaceBytes
        + reserveBytes
        + frozen.decodedBytes()
        + frozen.encodedBytes()
        + streaming.bufferBytes();
  }

  /** The parts of {@link #plannedBytes}, for tables. */
  public Map<String, Long> parts() {
    Map<String, Long> parts = new LinkedHashMap<>();
    parts.put("frozen weights, decoded", frozen.decodedBytes());
    parts.put("frozen weights, as in the file", frozen.encodedBytes());
    parts.put("buffers for streamed weights", streaming.bufferBytes());
    parts.put("adapter and activations", slotBytes);
    parts.put("backend workspace", workspaceBytes);
    parts.put("left to the driver", reserveBytes);
    return parts;
  }

  /** Whether the device has so much. */
  public boolean fits() {
    return plannedBytes() <= freeBytes;
  }
}
