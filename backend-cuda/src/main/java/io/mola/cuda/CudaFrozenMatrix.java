package io.mola.cuda;

import io.mola.core.backend.FrozenMatrix;
import io.mola.core.quant.QuantType;
import io.mola.core.quant.RowDecoder;
import io.mola.core.quant.StoredMatrix;
import io.mola.cuda.driver.Element;
import io.mola.cuda.driver.HostBlock;
import org.jspecify.annotations.Nullable;

/**
 * A frozen matrix, rows in logical order: on the device decoded, or in its file encoding and then
 * decoded tile by tile at each use; or in host memory, from where it visits the device.
 */
final class CudaFrozenMatrix implements FrozenMatrix {
  private final StoredMatrix stored;
  private final FrozenStore store;
  private boolean decoded;
  private long address;
  private @Nullable HostBlock block;
  private boolean closed;

  CudaFrozenMatrix(StoredMatrix stored, FrozenStore store) {
    this.stored = stored;
    this.store = store;
  }

  /** The matrix of this backend. */
  static CudaFrozenMatrix of(FrozenMatrix matrix) {
    if (matrix instanceof CudaFrozenMatrix cuda) {
      return cuda;
    }
    throw new IllegalArgumentException(
        "matrix of another backend: " + matrix.getClass().getSimpleName());
  }

  StoredMatrix stored() {
    return stored;
  }

  /** Its bytes are at that address. */
  void onDevice(long newAddress, boolean isDecoded) {
    address = newAddress;
    decoded = isDecoded;
  }

  /** Its bytes, in the form that they had on the device, are in host memory. */
  void onHost(HostBlock newBlock) {
    block = newBlock;
  }

  boolean isOnDevice() {
    return address != 0;
  }

  long address() {
    return address;
  }

  /** Its address, for whoever frees it. */
  long takeAddress() {
    long taken = address;
    address = 0;
    return taken;
  }

  /** Its host memory, for whoever frees it; null if it is on the device. */
  @Nullable HostBlock takeHostBlock() {
    HostBlock taken = block;
    block = null;
    return taken;
  }

  /** Whether it lies decoded, as activations are stored. */
  boolean isDecoded() {
    return decoded;
  }

  /** Size when decoded. */
  long decodedBytes() {
    return (long) stored.out() * stored.in() * store.activation().bytes();
  }

  /** Size in its present form. */
  long deviceBytes() {
    return decoded ? decodedBytes() : stored.bytes().byteSize();
  }

  /** Whether its file encoding is smaller than its decoded form. */
  boolean growsByDecoding() {
    return decodedBytes() > stored.bytes().byteSize();
  }

  /** Whether it is on the device in a form that is larger than it need be. */
  boolean hasGrown() {
    return isOnDevice() && decoded && growsByDecoding();
  }

  /** How its rows lie in device memory. */
  QuantType rowType() {
    if (!decoded) {
      return stored.type();
    }
    return store.activation() == Element.BF16 ? QuantType.BF16 : QuantType.F32;
  }

  /**
   * Address on the device for kernels queued before {@link #done}.
   *
   * @throws io.mola.core.failure.MalformedFileException if a value is not finite
   */
  long fetch() {
    store.requireFinite(this);
    HostBlock streamed = block;
    return streamed == null ? address : store.host().fetch(streamed);
  }

  /** All kernels that use the fetched address are queued. */
  void done() {
    HostBlock streamed = block;
    if (streamed != null) {
      store.host().done(streamed);
    }
  }

  /** Looks for values that are not finite in the mapping, the slow way, to name the row. */
  void examine() {
    float[] row = new float[stored.in()];
    for (int r = 0; r < stored.out(); r++) {
      RowDecoder.decodeRow(stored, r, row, 0);
      RowDecoder.requireFinite(stored, r, row, 0);
    }
  }

  @Override
  public int out() {
    return stored.out();
  }

  @Override
  public int in() {
    return stored.in();
  }

  @Override
  public void close() {
    if (!closed) {
      closed = true;
      store.release(this);
    }
  }

  @Override
  public String toString() {
    return stored.name() + " [" + out() + ", " + in() + "] " + stored.type();
  }
}
