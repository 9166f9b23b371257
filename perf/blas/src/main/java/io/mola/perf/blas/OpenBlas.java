package io.mola.perf.blas;

import io.mola.perf.product.FrozenProduct;
import io.mola.perf.product.Operands;
import io.mola.perf.product.ProductLibrary;
import org.bytedeco.openblas.global.openblas_nolapack;

/** OpenBLAS with threads of its own. */
public final class OpenBlas implements ProductLibrary {
  @Override
  public String name() {
    return "openblas";
  }

  @Override
  public FrozenProduct open(Operands operands, int threads) {
    openblas_nolapack.blas_set_num_threads(threads);
    return new SgemmProduct(openblas_nolapack::cblas_sgemm, operands);
  }
}
