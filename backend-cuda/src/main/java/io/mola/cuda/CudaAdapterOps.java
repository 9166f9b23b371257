package io.mola.cuda;

import io.mola.core.backend.AdapterOps;
import io.mola.core.backend.Dropout;
import io.mola.core.backend.Experts;
import io.mola.core.backend.Experts.Member;
import io.mola.core.backend.FrozenMatrix;
import io.mola.core.tensor.Tensor;
import io.mola.cuda.driver.Element;
import io.mola.cuda.driver.Operand;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * Mixtures of low-rank experts in the dense stacked form: two products of the input give all logits
 * and all z of a group, and what lies between the products is one kernel each.
 */
final class CudaAdapterOps implements AdapterOps {
  private final Workbench bench;
  private final FrozenProducts frozen;
  private final Routing routing;

  CudaAdapterOps(Workbench bench) {
    this.bench = bench;
    this.frozen = new FrozenProducts(bench);
    this.routing = new Routing(bench);
  }

  @Override
  public void forward(
      Tensor x,
      List<FrozenMatrix> weights,
      Experts experts,
      Dropout dropout,
      State state,
      List<Tensor> ys) {
    bench.begin(() -> "adapters.forward of x " + x + " with " + weights);
    CudaTensor input = CudaTensor.of(x, bench.activation());
    int n = x.rows();
    int in = x.cols();
    int rank = experts.stackedRank();
    CudaTensor z = CudaTensor.of(state.z(), Element.F32);
    if (experts.router() != null) {
      CudaTensor logits = f32(state.logits());
      logits(input, experts.router(), logits);
      routing.choose(logits, experts, f32(state.gates()));
    }
    bench
        .products()
        .multiply(
            dropped(input, dropout),
            parameter(experts.a()).transpose(),
            z.operand(),
            n,
            rank,
            in,
            false);
    Operand u = routing.mix(z, state.gates(), experts);
    for (int i = 0; i < weights.size(); i++) {
      Member member = experts.members().get(i);
      CudaTensor y = CudaTensor.of(ys.get(i), bench.activation());
      frozen.forward(input.operand(), CudaFrozenMatrix.of(weights.get(i)), y.operand(), n, false);
      if (member.b() != null) {
        bench
            .products()
            .multiply(
                u.fromColumn(member.rankOffset()),
                parameter(member.b()),
                y.operand(),
                n,
                y.cols(),
                member.width(),
                true);
      }
    }
  }

  @Override
  public void backward(
      List<Tensor> dys,
      Tensor x,
      List<FrozenMatrix> weights,
      Experts experts,
      Dropout dropout,
      State state,
      Experts gradients,
      @Nullable Tensor dLogits,
      @Nullable Tensor dx) {
    bench.begin(() -> "adapters.backward of x " + x + " with " + weights);
    CudaTensor input = CudaTensor.of(x, bench.activation());
    int n = x.rows();
    int in = x.cols();
    int rank = experts.stackedRank();
    Routing.Gradients g = routing.unmix(gradientOfMixed(dys, experts, n), state, experts, dLogits);
    gradientsOfB(dys, experts, gradients, g.u(), n);
    bench
        .products()
        .multiply(
            g.dz().transpose(),
            dropped(input, dropout),
            f32(gradients.a()).operand(),
            rank,
            in,
            n,
            true);
    if (experts.router() != null) {
      bench
          .products()
          .multiply(
              g.dLogits().transpose(),
              input.operand(),
              f32(gradients.router()).operand(),
              experts.routed(),
              in,
              n,
              true);
    }
    if (dx != null) {
      gradientOfInput(dys, weights, experts, dropout, g, CudaTensor.of(dx, bench.activation()));
    }
  }

  /**
   * {@code logits[n,E] = x · routerᵀ}. The choice of experts hangs on them, so a router that must
   * be rounded comes in two parts, which together have twice the mantissa.
   */
  private void logits(CudaTensor x, Tensor router, CudaTensor logits) {
    int n = x.rows();
    int in = x.cols();
    CudaTensor parameter = CudaTensor.of(router, Element.F32);
    int routed = parameter.rows();
    Operand sum = logits.operand();
    if (bench.activation() == Element.F32) {
      Operand all = parameter.operand().transpose();
      bench.products().multiply(x.operand(), all, sum, n, routed, in, false);
      return;
    }
    long bytes = parameter.size() * bench.activation().bytes();
    Operand high = Operand.of(bench.workspace().take(bytes), bench.activation(), in);
    Operand low = Operand.of(bench.workspace().take(bytes), bench.activation(), in);
    bench.split(parameter.address(), high.address(), low.address(), parameter.size());
    bench.products().multiply(x.operand(), high.transpose(), sum, n, routed, in, false);
    bench.products().multiply(x.operand(), low.transpose(), sum, n, routed, in, true);
  }

  /** {@code du[n,R][i] = dys_i · b_iᵀ}. */
  private CudaTensor gradientOfMixed(List<Tensor> dys, Experts experts, int n) {
    int rank = experts.stackedRank();
    CudaTensor du =
        new CudaTensor(bench.workspace().take((long) n * rank * Float.BYTES), Element.F32, n, rank);
    for (int i = 0; i < dys.size(); i++) {
      Member member = experts.members().get(i);
      if (member.b() != null) {
        CudaTensor dy = CudaTensor.of(dys.get(i), bench.activation());
        bench
            .products()
            .multiply(
                dy.operand(),
                parameter(member.b()).transpose(),
                du.operand().fromColumn(member.rankOffset()),
                n,
                member.width(),
                dy.cols(),
                false);
      }
    }
    return du;
  }

  /** {@code db_i += u[i]ᵀ · dys_i}. */
  private void gradientsOfB(
      List<Tensor> dys, Experts experts, Experts gradients, Operand u, int n) {
    for (int i = 0; i < dys.size(); i++) {
      Member member = experts.members().get(i);
      if (member.b() != null) {
        CudaTensor dy = CudaTensor.of(dys.get(i), bench.activation());
        bench
            .products()
            .multiply(
                u.fromColumn(member.rankOffset()).transpose(),
                dy.operand(),
                f32(gradients.members().get(i).b()).operand(),
                member.width(),
                dy.cols(),
                n,
                true);
      }
    }
  }

  /** {@code dx += Σ_i dys_i · W_i + (dz · a) ⊙ D + dLogits · router}. */
  private void gradientOfInput(
      List<Tensor> dys,
      List<FrozenMatrix> weights,
      Experts experts,
      Dropout dropout,
      Routing.Gradients g,
      CudaTensor dx) {
    int n = dx.rows();
    int in = dx.cols();
    int rank = experts.stackedRank();
    for (int i = 0; i < dys.size(); i++) {
      CudaTensor dy = CudaTensor.of(dys.get(i), bench.activation());
      frozen.backward(dy.operand(), CudaFrozenMatrix.of(weights.get(i)), dx.operand(), n, true);
    }
    if (experts.router() != null) {
      bench
          .products()
          .multiply(
              g.dLogits(),
              parameter(experts.router()),
              dx.operand(),
              n,
              in,
              experts.routed(),
              true);
    }
    Operand a = parameter(experts.a());
    if (dropout.probability() == 0) {
      bench.products().multiply(g.dz(), a, dx.operand(), n, in, rank, true);
    } else {
      long kept = bench.workspace().take(dx.bytes());
      Operand sum = Operand.of(kept, dx.element(), in);
      bench.products().multiply(g.dz(), a, sum, n, in, rank, false);
      DropoutKernels.addDropped(bench, kept, dx, dropout);
    }
  }

  /** {@code x ⊙ D}, in the workspace unless nothing is dropped. */
  private Operand dropped(CudaTensor x, Dropout dropout) {
    if (dropout.probability() == 0) {
      return x.operand();
    }
    long to = bench.workspace().take(x.bytes());
    DropoutKernels.drop(bench, x, to, dropout);
    return Operand.of(to, x.element(), x.cols());
  }

  /** A float32 parameter as an operand of a product: rounded in the workspace if it must be. */
  private Operand parameter(Tensor tensor) {
    CudaTensor parameter = CudaTensor.of(tensor, Element.F32);
    if (bench.activation() == Element.F32) {
      return parameter.operand();
    }
    long to = bench.workspace().take(parameter.size() * bench.activation().bytes());
    bench.convert(parameter.address(), to, parameter.size(), false);
    return Operand.of(to, bench.activation(), parameter.cols());
  }

  private static CudaTensor f32(@Nullable Tensor tensor) {
    return CudaTensor.of(Objects.requireNonNull(tensor), Element.F32);
  }
}
