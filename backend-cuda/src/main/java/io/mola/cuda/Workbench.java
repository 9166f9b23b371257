package io.mola.cuda;

import io.mola.cuda.driver.Closing;
import io.mola.cuda.driver.Device;
import io.mola.cuda.driver.Element;
import io.mola.cuda.driver.Kernels;
import io.mola.cuda.driver.Launch;
import io.mola.cuda.driver.PinnedRing;
import io.mola.cuda.driver.Products;
import io.mola.cuda.driver.Varying;
import io.mola.cuda.driver.Workspace;
import java.util.function.Supplier;

/** What every group of operations works with. */
final class Workbench implements AutoCloseable {
  /** Elements that a thread of an elementwise kernel handles: PACK of prelude.cu. */
  static final int PACK = 8;

  private static final int ELEMENTWISE_THREADS = 256;
  private static final int WARP = 32;
  private static final int VECTOR_BYTES = 16;

  private final Device device;
  private final Kernels kernels;
  private final Varying varying;
  private final Launch launch;
  private final Products products;
  private final Workspace workspace;
  private final PinnedRing ring;
  private final Element activation;

  Workbench(CudaSettings settings) {
    activation = settings.precision().activation();
    device = new Device(0, settings.graph() && !settings.synchronous());
    try {
      kernels = new Kernels(device, activation, settings.kernelCache());
      workspace = new Workspace(device);
      ring = new PinnedRing(device);
      varying = new Varying(device, ring);
      launch = new Launch(device, kernels, varying, settings.synchronous());
      products = new Products(device, settings.precision());
    } catch (RuntimeException | LinkageError e) {
      Closing.after(e, device::close);
      throw e;
    }
  }

  /** Starts an operation: names it for messages, and gives its workspace back. */
  void begin(Supplier<String> description) {
    workspace.reset();
    device.queue().operation(description);
  }

  Device device() {
    return device;
  }

  Products products() {
    return products;
  }

  Workspace workspace() {
    return workspace;
  }

  PinnedRing ring() {
    return ring;
  }

  /** The element of activations and of operands of products. */
  Element activation() {
    return activation;
  }

  /** A launch of that kernel. */
  Launch kernel(String group, String name) {
    return launch.of(group, name);
  }

  /** Enqueues an elementwise kernel whose threads handle {@link #PACK} elements each. */
  static void runPacked(Launch launch, long elements) {
    runEach(launch, (elements + PACK - 1) / PACK);
  }

  /** Enqueues a kernel with one thread for each of {@code items}. */
  static void runEach(Launch launch, long items) {
    launch.run((items + ELEMENTWISE_THREADS - 1) / ELEMENTWISE_THREADS, ELEMENTWISE_THREADS);
  }

  /** Threads of a block that works through a row of that many items: whole warps, at most 512. */
  static int threadsFor(long items) {
    return Math.clamp((items + WARP - 1) / WARP * WARP, WARP, 512);
  }

  /** Whether all rows may be read 16 bytes at a time. */
  static boolean whole(int cols, long... addresses) {
    return cols % PACK == 0 && aligned(addresses);
  }

  /** Whether all addresses allow accesses of 16 bytes. */
  static boolean aligned(long... addresses) {
    long bits = 0;
    for (long address : addresses) {
      bits |= address;
    }
    return bits % VECTOR_BYTES == 0;
  }

  /** Enqueues {@code to = from}, from float32 to act or, with {@code widen}, back. */
  void convert(long from, long to, long size, boolean widen) {
    runPacked(
        kernel("activation", widen ? "widen" : "narrow")
            .i64(from)
            .i64(to)
            .i64(size)
            .flag(aligned(from, to)),
        size);
  }

  /** Enqueues {@code high + low = from}, act from float32. */
  void split(long from, long high, long low, long size) {
    runPacked(
        kernel("activation", "split")
            .i64(from)
            .i64(high)
            .i64(low)
            .i64(size)
            .flag(aligned(from, high, low)),
        size);
  }

  /** Waits, then frees everything; once the device is lost there is nothing left to free. */
  @Override
  public void close() {
    Closing closing = new Closing();
    if (!device.isLost()) {
      closing
          .step(products::close)
          .step(varying::close)
          .step(ring::close)
          .step(workspace::close)
          .step(kernels::close);
    }
    closing.step(device::close).finish();
  }
}
