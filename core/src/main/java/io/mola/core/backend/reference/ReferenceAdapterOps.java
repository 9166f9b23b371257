package io.mola.core.backend.reference;

import io.mola.core.backend.AdapterOps;
import io.mola.core.backend.Dropout;
import io.mola.core.backend.Experts;
import io.mola.core.backend.Experts.Member;
import io.mola.core.backend.FrozenMatrix;
import io.mola.core.tensor.Tensor;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/** Mixtures of low-rank experts in the dense stacked form. */
final class ReferenceAdapterOps implements AdapterOps {
  @Override
  public void forward(
      Tensor x,
      List<FrozenMatrix> weights,
      Experts experts,
      Dropout dropout,
      State state,
      List<Tensor> ys) {
    double[][] input = ReferenceTensor.read(x);
    if (experts.router() != null) {
      Tensor logits = Objects.requireNonNull(state.logits());
      Tensor gates = Objects.requireNonNull(state.gates());
      ReferenceTensor.write(timesTransposed(input, ReferenceTensor.read(experts.router())), logits);
      ReferenceTensor.write(Gating.gates(ReferenceTensor.read(logits), experts.members()), gates);
    }
    double[][] dropped = DropoutMask.times(input, x.cols(), dropout);
    ReferenceTensor.write(timesTransposed(dropped, ReferenceTensor.read(experts.a())), state.z());
    double[][] z = ReferenceTensor.read(state.z());
    double[][] gates = readOrEmpty(state.gates());
    for (int i = 0; i < weights.size(); i++) {
      double[][] y = ReferenceLinearOps.timesTransposed(input, weights.get(i));
      Member member = experts.members().get(i);
      if (member.b() != null) {
        addTimes(gated(z, gates, member), ReferenceTensor.read(member.b()), y);
      }
      ReferenceTensor.write(y, ys.get(i));
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
    double[][] input = ReferenceTensor.read(x);
    double[][] dropped = DropoutMask.times(input, x.cols(), dropout);
    double[][] dz = backwardOfMembers(dys, experts, state, gradients, dLogits);
    ReferenceTensor.add(transposedTimes(dz, dropped, x.cols()), gradients.a());
    double[][] dInput = new double[x.rows()][x.cols()];
    addTimes(dz, ReferenceTensor.read(experts.a()), dInput);
    dInput = DropoutMask.times(dInput, x.cols(), dropout);
    if (experts.router() != null) {
      double[][] dl = ReferenceTensor.read(Objects.requireNonNull(dLogits));
      ReferenceTensor.add(
          transposedTimes(dl, input, x.cols()), Objects.requireNonNull(gradients.router()));
      addTimes(dl, ReferenceTensor.read(experts.router()), dInput);
    }
    if (dx != null) {
      for (int i = 0; i < weights.size(); i++) {
        ReferenceLinearOps.addTimes(ReferenceTensor.read(dys.get(i)), weights.get(i), dInput);
      }
      ReferenceTensor.add(dInput, dx);
    }
  }

  /** Accumulates db and dLogits of all members; returns dz [n, R]. */
  private static double[][] backwardOfMembers(
      List<Tensor> dys, Experts experts, State state, Experts gradients, @Nullable Tensor dLogits) {
    double[][] z = ReferenceTensor.read(state.z());
    double[][] gates = readOrEmpty(state.gates());
    double[][] dz = new double[state.z().rows()][experts.stackedRank()];
    for (int i = 0; i < experts.members().size(); i++) {
      Member member = experts.members().get(i);
      if (member.b() == null) {
        continue;
      }
      double[][] dy = ReferenceTensor.read(dys.get(i));
      double[][] du = timesTransposed(dy, ReferenceTensor.read(member.b()));
      Tensor db = Objects.requireNonNull(gradients.members().get(i).b());
      ReferenceTensor.add(transposedTimes(gated(z, gates, member), dy, db.cols()), db);
      for (int t = 0; t < dz.length; t++) {
        for (int j = 0; j < member.width(); j++) {
          dz[t][member.rankOffset() + j] = member.scale() * du[t][j] * gate(gates, t, j, member);
        }
      }
      if (member.isRouted()) {
        double[][] dGates = gradientOfGates(du, z, member);
        Gating.addBackward(dGates, gates, member, Objects.requireNonNull(dLogits));
      }
    }
    return dz;
  }

  /** {@code dgate[t,e] = scale · Σ_j du[t, e·r + j] · z[t, e·r + j]}. */
  private static double[][] gradientOfGates(double[][] du, double[][] z, Member member) {
    double[][] dGates = new double[du.length][member.experts()];
    for (int t = 0; t < du.length; t++) {
      for (int j = 0; j < member.width(); j++) {
        dGates[t][j / member.rank()] += member.scale() * du[t][j] * z[t][member.rankOffset() + j];
      }
    }
    return dGates;
  }

  /** {@code u[n, N·r] = scale · z ⊙ rep(gates)} of one member. */
  private static double[][] gated(double[][] z, double[][] gates, Member member) {
    double[][] u = new double[z.length][member.width()];
    for (int t = 0; t < z.length; t++) {
      for (int j = 0; j < member.width(); j++) {
        u[t][j] = member.scale() * z[t][member.rankOffset() + j] * gate(gates, t, j, member);
      }
    }
    return u;
  }

  /** The gate of the expert that owns column j of the member. */
  private static double gate(double[][] gates, int t, int j, Member member) {
    return member.isRouted() ? gates[t][member.expertOffset() + j / member.rank()] : 1;
  }

  private static double[][] readOrEmpty(@Nullable Tensor tensor) {
    return tensor == null ? new double[0][0] : ReferenceTensor.read(tensor);
  }

  /** {@code x[n,k] · mᵀ}, m [rows, k]. */
  private static double[][] timesTransposed(double[][] x, double[][] m) {
    double[][] y = new double[x.length][m.length];
    for (int t = 0; t < x.length; t++) {
      for (int o = 0; o < m.length; o++) {
        for (int i = 0; i < m[o].length; i++) {
          y[t][o] += x[t][i] * m[o][i];
        }
      }
    }
    return y;
  }

  /** {@code sum[n,k] += y[n,rows] · m[rows,k]}. */
  private static void addTimes(double[][] y, double[][] m, double[][] sum) {
    for (int t = 0; t < y.length; t++) {
      for (int o = 0; o < m.length; o++) {
        for (int i = 0; i < m[o].length; i++) {
          sum[t][i] += y[t][o] * m[o][i];
        }
      }
    }
  }

  /** {@code aᵀ[rows,n] · b[n,cols]}. */
  private static double[][] transposedTimes(double[][] a, double[][] b, int cols) {
    int rows = a.length == 0 ? 0 : a[0].length;
    double[][] product = new double[rows][cols];
    for (int t = 0; t < a.length; t++) {
      for (int r = 0; r < rows; r++) {
        for (int c = 0; c < cols; c++) {
          product[r][c] += a[t][r] * b[t][c];
        }
      }
    }
    return product;
  }
}
