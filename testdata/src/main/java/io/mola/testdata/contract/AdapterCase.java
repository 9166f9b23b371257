package io.mola.testdata.contract;

import io.mola.core.backend.AdapterOps.State;
import io.mola.core.backend.Dropout;
import io.mola.core.backend.Experts;
import io.mola.core.backend.Experts.Member;
import io.mola.core.quant.QuantType;
import io.mola.core.quant.RowOrder;
import io.mola.core.quant.StoredMatrix;
import io.mola.core.tensor.Tensor;
import io.mola.testdata.HostTensor;
import io.mola.testdata.QuantisedMatrices;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Random;
import org.jspecify.annotations.Nullable;

/**
 * A group of projections with adapters, on the host. Parameters are named {@code a}, {@code
 * router}, {@code b0}, {@code b1} ..; gradients have a {@code d} before.
 *
 * @param adapters one per projection
 * @param weights frozen W_i
 * @param parameters a, router and b of those that exist
 * @param starts what the gradients hold on entry, by name
 */
record AdapterCase(
    List<Adapter> adapters,
    HostTensor x,
    List<StoredMatrix> weights,
    List<HostTensor> dys,
    Map<String, HostTensor> parameters,
    Map<String, HostTensor> starts,
    Dropout dropout) {
  /** Far above the error of a logit, even of one from bfloat16 operands. */
  private static final double CLEAR_GAP = 0.03;

  /** A member: N experts of rank r, K chosen, and the projection's outputs. */
  record Adapter(int experts, int rank, int topK, int out) {
    int width() {
      return experts * rank;
    }

    int routed() {
      return experts > 1 ? experts : 0;
    }

    float scale() {
      return 2f / Math.max(1, rank);
    }
  }

  static AdapterCase random(
      List<Adapter> adapters, int n, int in, Dropout dropout, Precision precision, long seed) {
    Random random = new Random(seed);
    QuantType type = in % 32 == 0 ? QuantType.Q8_0 : QuantType.F32;
    List<StoredMatrix> weights = new ArrayList<>();
    List<HostTensor> dys = new ArrayList<>();
    Map<String, HostTensor> parameters = new LinkedHashMap<>();
    double deviation = 1 / Math.sqrt(in);
    parameters.put("a", HostTensor.random(rank(adapters), in, deviation, random));
    if (routed(adapters) > 0) {
      parameters.put("router", HostTensor.random(routed(adapters), in, deviation, random));
    }
    for (int i = 0; i < adapters.size(); i++) {
      Adapter adapter = adapters.get(i);
      weights.add(QuantisedMatrices.random(type, adapter.out, in, RowOrder.PLAIN, 100 * seed + i));
      dys.add(rounded(HostTensor.random(n, adapter.out, 1, random), precision));
      if (adapter.experts > 0) {
        parameters.put("b" + i, HostTensor.random(adapter.width(), adapter.out, 0.4, random));
      }
    }
    HostTensor x = rounded(HostTensor.random(n, in, 1, random), precision);
    Map<String, HostTensor> starts = new LinkedHashMap<>();
    parameters.forEach(
        (name, p) -> starts.put("d" + name, HostTensor.random(p.rows(), p.cols(), 1, random)));
    starts.put("dx", rounded(HostTensor.random(n, in, 1, random), precision));
    if (routed(adapters) > 0) {
      starts.put("dLogits", HostTensor.random(n, routed(adapters), 0.5, random));
    }
    AdapterCase drawn = new AdapterCase(adapters, x, weights, dys, parameters, starts, dropout);
    if (drawn.routed() > 0) {
      drawn.separateChoices(random, precision);
    }
    return drawn;
  }

  /** x of ones and A the identity, so that z is the dropout mask. */
  static AdapterCase showingTheMask(int n, int in, Dropout dropout) {
    HostTensor identity = HostTensor.filled(in, in, 0);
    for (int i = 0; i < in; i++) {
      identity.set(i, i, 1);
    }
    return new AdapterCase(
        List.of(new Adapter(1, in, 1, 1)),
        HostTensor.filled(n, in, 1),
        List.of(QuantisedMatrices.f32(HostTensor.filled(1, in, 0))),
        List.of(),
        Map.of("a", identity, "b0", HostTensor.filled(in, 1, 0)),
        Map.of(),
        dropout);
  }

  /** Rounds in place to values that an activation holds exactly. */
  static HostTensor rounded(HostTensor tensor, Precision precision) {
    for (int i = 0; i < tensor.values().length; i++) {
      tensor.values()[i] = precision.round(tensor.values()[i]);
    }
    return tensor;
  }

  private static int rank(List<Adapter> adapters) {
    return adapters.stream().mapToInt(Adapter::width).sum();
  }

  private static int routed(List<Adapter> adapters) {
    return adapters.stream().mapToInt(Adapter::routed).sum();
  }

  int routed() {
    return routed(adapters);
  }

  /** First column of the member in z. */
  int rankOffset(int member) {
    return rank(adapters.subList(0, member));
  }

  /** First column of the member in logits and gates; -1 without a router. */
  int expertOffset(int member) {
    return adapters.get(member).routed() == 0 ? -1 : routed(adapters.subList(0, member));
  }

  HostTensor parameter(String name) {
    return Objects.requireNonNull(parameters.get(name), name);
  }

  HostTensor start(String name) {
    return Objects.requireNonNull(starts.get(name), name);
  }

  /** Draws rows of x again until no choice of experts hangs on a rounding. */
  private void separateChoices(Random random, Precision precision) {
    for (int t = 0; t < x.rows(); t++) {
      while (smallestGap(t) < CLEAR_GAP) {
        HostTensor row = rounded(HostTensor.random(1, x.cols(), 1, random), precision);
        System.arraycopy(row.values(), 0, x.values(), t * x.cols(), x.cols());
      }
    }
  }

  /** The least distance in row t between a logit that is chosen and one that is not. */
  private double smallestGap(int t) {
    double[][] row = x.rows(t, t + 1).toRows();
    double[] logits = Doubles.timesTransposed(row, parameter("router").toRows())[0];
    double smallest = Double.POSITIVE_INFINITY;
    for (int i = 0; i < adapters.size(); i++) {
      Adapter adapter = adapters.get(i);
      if (adapter.topK < adapter.routed()) {
        int first = expertOffset(i);
        double[] sorted = Arrays.copyOfRange(logits, first, first + adapter.experts);
        Arrays.sort(sorted);
        int lastChosen = adapter.experts - adapter.topK;
        smallest = Math.min(smallest, sorted[lastChosen] - sorted[lastChosen - 1]);
      }
    }
    return smallest;
  }

  /** Outputs {@code z}, {@code logits}, {@code gates}, {@code y0}, {@code y1} .. */
  BackendContract.Experiment forward() {
    return bench -> {
      int n = x.rows();
      boolean hasRouters = routed() > 0;
      List<Tensor> ys = new ArrayList<>();
      for (int i = 0; i < adapters.size(); i++) {
        ys.add(bench.activationOutput("y" + i, n, adapters.get(i).out));
      }
      State state =
          new State(
              bench.f32Output("z", n, rank(adapters)),
              hasRouters ? bench.f32Output("logits", n, routed()) : null,
              hasRouters ? bench.f32Output("gates", n, routed()) : null);
      bench
          .backend()
          .adapters()
          .forward(
              bench.activation("x", x),
              weights.stream().map(bench::matrix).toList(),
              experts(name -> bench.f32(name, parameter(name))),
              dropout,
              state,
              ys);
    };
  }

  /** Outputs {@code da}, {@code drouter}, {@code db0} .., {@code dLogits}, {@code dx}. */
  BackendContract.Experiment backward(Outputs saved, boolean withInput) {
    return bench -> {
      List<Tensor> gradientsOfOutputs = new ArrayList<>();
      for (int i = 0; i < dys.size(); i++) {
        gradientsOfOutputs.add(bench.activation("dy" + i, dys.get(i)));
      }
      bench
          .backend()
          .adapters()
          .backward(
              gradientsOfOutputs,
              bench.activation("x", x),
              weights.stream().map(bench::matrix).toList(),
              experts(name -> bench.f32(name, parameter(name))),
              dropout,
              new State(
                  Objects.requireNonNull(input(bench, "z", saved)),
                  input(bench, "logits", saved),
                  input(bench, "gates", saved)),
              experts(name -> bench.f32Sum("d" + name, start("d" + name))),
              routed() > 0 ? bench.f32Sum("dLogits", start("dLogits")) : null,
              withInput ? bench.activationSum("dx", start("dx")) : null);
    };
  }

  private static @Nullable Tensor input(Bench bench, String name, Outputs saved) {
    HostTensor values = saved.find(name);
    return values == null ? null : bench.f32(name, values);
  }

  /** Makes the tensor of a parameter or of its gradient. */
  @FunctionalInterface
  private interface Placement {
    Tensor of(String parameter);
  }

  private Experts experts(Placement placement) {
    List<Member> members = new ArrayList<>();
    for (int i = 0; i < adapters.size(); i++) {
      Adapter adapter = adapters.get(i);
      members.add(
          new Member(
              adapter.experts,
              adapter.rank,
              adapter.topK,
              adapter.scale(),
              rankOffset(i),
              expertOffset(i),
              adapter.experts == 0 ? null : placement.of("b" + i)));
    }
    return new Experts(placement.of("a"), routed() == 0 ? null : placement.of("router"), members);
  }
}
