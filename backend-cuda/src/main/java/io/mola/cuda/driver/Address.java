package io.mola.cuda.driver;

import org.bytedeco.javacpp.Pointer;

/** A raw address as JavaCPP passes it; it owns nothing and frees nothing. */
final class Address extends Pointer {
  Address(long address) {
    this.address = address;
  }

  /** Points it elsewhere, so that a hot call allocates no object. */
  Address at(long newAddress) {
    address = newAddress;
    return this;
  }
}
