/** The CPU backend: JDK Vector API. */
@org.jspecify.annotations.NullMarked
module io.mola.simd {
  requires static transitive org.jspecify;
  requires transitive io.mola.core;
  requires jdk.incubator.vector;
  requires com.github.benmanes.caffeine;

  provides io.mola.core.backend.BackendProvider with
      io.mola.simd.SimdBackendProvider;
}
