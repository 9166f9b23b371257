/**
 * The CUDA backend. It calls native code: start with {@code
 * --enable-native-access=io.mola.cuda,org.bytedeco.javacpp}.
 */
@org.jspecify.annotations.NullMarked
module io.mola.cuda {
  requires static transitive org.jspecify;
  requires transitive io.mola.core;
  requires org.bytedeco.javacpp;
  requires org.bytedeco.cuda;

  provides io.mola.core.backend.BackendProvider with
      io.mola.cuda.CudaBackendProvider;
}
