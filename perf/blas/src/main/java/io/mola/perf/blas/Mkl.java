package io.mola.perf.blas;

import io.mola.perf.product.FrozenProduct;
import io.mola.perf.product.Operands;
import io.mola.perf.product.ProductLibrary;
import org.bytedeco.mkl.global.mkl_rt;

/** Intel's MKL on Intel's OpenMP threads. */
public final class Mkl implements ProductLibrary {
  @Override
  public String name() {
    return "mkl";
  }

  @Override
  public FrozenProduct open(Operands operands, int threads) {
    mkl_rt.MKL_Set_Dynamic(0); // as many threads as asked for, even where MKL would take fewer
    mkl_rt.MKL_Set_Num_Threads(threads);
    return new SgemmProduct(mkl_rt::cblas_sgemm, operands);
  }
}
