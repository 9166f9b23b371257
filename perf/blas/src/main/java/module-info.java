/** Matrix products of OpenBLAS and MKL, for comparison in the benchmarks alone. */
@org.jspecify.annotations.NullMarked
module io.mola.perf.blas {
  requires static transitive org.jspecify;
  requires io.mola.perf;
  requires org.bytedeco.javacpp;
  requires org.bytedeco.openblas;
  requires org.bytedeco.mkl;
  // the native libraries, so that they are found on the module path
  requires org.bytedeco.javacpp.linux.x86_64;
  requires org.bytedeco.openblas.linux.x86_64;
  requires org.bytedeco.mkl.linux.x86_64;
  requires org.bytedeco.mkl.linux.x86_64.redist;

  provides io.mola.perf.product.ProductLibrary with
      io.mola.perf.blas.OpenBlas,
      io.mola.perf.blas.Mkl;
}
