package io.mola.simd;

import io.mola.core.backend.AdapterOps;
import io.mola.core.backend.Dropout;
import io.mola.core.backend.Experts;
import io.mola.core.backend.Experts.Member;
import io.mola.core.backend.FrozenMatrix;
import io.mola.core.tensor.Tensor;
import io.mola.simd.lanes.DropoutLanes;
import io.mola.simd.tiles.FloatPanels;
import io.mola.simd.tiles.FrozenPanels.Direction;
import io.mola.simd.tiles.Mask;
import io.mola.simd.tiles.PackedActivations;
import io.mola.simd.tiles.Panels;
import io.mola.simd.tiles.Product;
import io.mola.simd.tiles.RowProduct;
import io.mola.simd.tiles.Strips;
import io.mola.simd.tiles.Term;
import io.mola.simd.tiles.Workbench;
import io.mola.simd.work.Stage;
import io.mola.simd.work.StageList;
import io.mola.simd.work.Workspace;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * Groups of projections with experts, each way in one dispatch.
 *
 * <p>Forward: x is packed once for frozen weights, experts and routers. The second factor of the
 * experts is one more term of the frozen product, added before its sums are written: alone it would
 * be bound by reading and writing y.
 *
 * <p>Backward: each dy is packed once for {@code dy · W} and {@code dy · bᵀ}. Gradients of the
 * experts contract over tokens; the packed side is their few columns, the other side is read in
 * place. {@code dz · a} is one more term of dx, masked by dropout before the others are added.
 */
final class SimdAdapterOps implements AdapterOps {
  private static final int ROWS_PER_TASK = 8;

  private final Workbench bench;

  SimdAdapterOps(Workbench bench) {
    this.bench = bench;
  }

  @Override
  public void forward(
      Tensor x,
      List<FrozenMatrix> weights,
      Experts experts,
      Dropout dropout,
      State state,
      List<Tensor> ys) {
    SimdTensor input = SimdTensor.of(x);
    Panels[] frozen = SimdLinearOps.panels(weights, Direction.FORWARD);
    Workspace space = bench.workspace();
    space.reset();
    int n = input.rows();
    int in = input.cols();
    if (n == 1 && dropout.probability() == 0 && RowProduct.reads(frozen)) {
      SimdTensor z = SimdTensor.of(state.z());
      SimdTensor u = floats(space, 1, z.cols());
      Stage gating = gatedRows(experts, state, z, u);
      new AdapterRow(bench, input, experts, state, ys).forward(frozen, gating, u);
      return;
    }
    StageList packing = new StageList();
    PackedActivations packed = new PackedActivations().shape(space, n, in);
    PackedActivations dropped = packed;
    if (dropout.probability() > 0) {
      dropped = new PackedActivations().shape(space, n, in);
      packing.add(tilesAndDropped(input, dropout, packed, dropped));
    } else {
      packing.add(packed.fromRows(input.data(), input.offset(), in));
    }
    SimdTensor a = SimdTensor.of(experts.a());
    SimdTensor z = SimdTensor.of(state.z());
    FloatPanels aPanels = new FloatPanels(space, in, a.rows());
    packing.add(aPanels.fromRows(a.data(), a.offset()));
    StageList narrow = new StageList();
    narrow.add(product(z, false, new Term(dropped, aPanels)));
    if (experts.router() != null) {
      SimdTensor router = SimdTensor.of(experts.router());
      FloatPanels routerPanels = new FloatPanels(space, in, router.rows());
      packing.add(routerPanels.fromRows(router.data(), router.offset()));
      SimdTensor logits = SimdTensor.of(Objects.requireNonNull(state.logits()));
      narrow.add(product(logits, false, new Term(packed, routerPanels)));
    }
    SimdTensor u = floats(space, n, z.cols());
    StageList secondPacking = new StageList();
    StageList products = new StageList();
    for (int i = 0; i < frozen.length; i++) {
      SimdTensor y = SimdTensor.of(ys.get(i));
      Member member = experts.members().get(i);
      Term first = new Term(packed, frozen[i]);
      if (member.b() == null) {
        products.add(product(y, false, first));
      } else {
        SimdTensor b = SimdTensor.of(member.b());
        PackedActivations gated = new PackedActivations().shape(space, n, member.width());
        secondPacking.add(gated.fromRows(u.data(), u.offset() + member.rankOffset(), u.cols()));
        products.add(product(y, false, first, new Term(gated, strips(b))));
      }
    }
    bench
        .pool()
        .run(
            packing.all(),
            narrow.all(),
            gatedRows(experts, state, z, u),
            secondPacking.all(),
            products.all());
  }

  /** Packs x and x ⊙ D tile by tile, so that x is read once. */
  private Stage tilesAndDropped(
      SimdTensor x, Dropout dropout, PackedActivations plain, PackedActivations into) {
    int in = x.cols();
    return Stage.of(
        into.tiles(),
        (tile, worker) -> {
          int first = tile * PackedActivations.ROWS;
          int rows = Math.min(PackedActivations.ROWS, x.rows() - first);
          plain.packRows(x.data(), x.at(first), in, tile);
          float[] masked = bench.scratch()[worker].sums(PackedActivations.ROWS * in);
          int[] words = bench.scratch()[worker].words(DropoutLanes.wordsLength(in));
          for (int r = 0; r < rows; r++) {
            DropoutLanes.apply(
                dropout, first + r, in, x.data(), x.at(first + r), masked, r * in, words);
          }
          into.packRows(masked, 0, in, tile);
        });
  }

  /** Gates from logits, then {@code u = scale · z ⊙ rep(gates)}. */
  private static Stage gatedRows(Experts experts, State state, SimdTensor z, SimdTensor u) {
    SimdTensor logits = state.logits() == null ? null : SimdTensor.of(state.logits());
    SimdTensor gates = state.gates() == null ? null : SimdTensor.of(state.gates());
    int n = z.rows();
    return Stage.of(
        Math.ceilDiv(n, ROWS_PER_TASK),
        (task, worker) -> {
          int first = task * ROWS_PER_TASK;
          int rows = Math.min(ROWS_PER_TASK, n - first);
          if (logits != null && gates != null) {
            Gates.forward(experts.members(), logits, gates, first, rows);
          }
          // by index: an iterator for each task would be much of what a step allocates
          List<Member> members = experts.members();
          for (int i = 0; i < members.size(); i++) {
            for (int t = first; t < first + rows; t++) {
              scaleByGates(members.get(i), gates, t, z, u);
            }
          }
        });
  }

  /** {@code to = scale · from ⊙ rep(gates)} in the columns of a member. */
  private static void scaleByGates(
      Member member, @Nullable SimdTensor gates, int t, SimdTensor from, SimdTensor to) {
    int rank = member.rank();
    for (int e = 0; e < member.experts(); e++) {
      float factor = member.scale() * gate(member, gates, t, e);
      int at = member.rankOffset() + e * rank;
      for (int j = 0; j < rank; j++) {
        to.data()[to.at(t) + at + j] = factor * from.data()[from.at(t) + at + j];
      }
    }
  }

  private static float gate(Member member, @Nullable SimdTensor gates, int t, int e) {
    return gates == null || !member.isRouted()
        ? 1f
        : gates.data()[gates.at(t) + member.expertOffset() + e];
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
    bench.workspace().reset();
    new Backward(dys, x, weights, experts, dropout, state, gradients, dLogits, dx).run();
  }

  /** The stages of one backward pass. */
  private final class Backward {
    private final Workspace space = bench.workspace();
    private final Experts experts;
    private final Experts gradients;
    private final Dropout dropout;
    private final SimdTensor input;
    private final SimdTensor z;
    private final @Nullable SimdTensor gates;
    private final @Nullable SimdTensor dLogits;
    private final @Nullable SimdTensor dx;
    private final int n;

    /** Becomes dz after the gates. */
    private final SimdTensor du;

    private final SimdTensor u;
    private final StageList packing = new StageList();
    private final StageList narrow = new StageList();
    private final StageList secondPacking = new StageList();
    private final StageList products = new StageList();
    private final List<Term> intoDx = new ArrayList<>();

    Backward(
        List<Tensor> dys,
        Tensor x,
        List<FrozenMatrix> weights,
        Experts experts,
        Dropout dropout,
        State state,
        Experts gradients,
        @Nullable Tensor dLogits,
        @Nullable Tensor dx) {
      this.experts = experts;
      this.gradients = gradients;
      this.dropout = dropout;
      input = SimdTensor.of(x);
      z = SimdTensor.of(state.z());
      gates = state.gates() == null ? null : SimdTensor.of(state.gates());
      this.dLogits = dLogits == null ? null : SimdTensor.of(dLogits);
      this.dx = dx == null ? null : SimdTensor.of(dx);
      n = input.rows();
      du = floats(space, n, z.cols());
      u = floats(space, n, z.cols());
      Panels @Nullable [] frozen =
          dx == null ? null : SimdLinearOps.panels(weights, Direction.BACKWARD);
      for (int i = 0; i < dys.size(); i++) {
        member(i, SimdTensor.of(dys.get(i)), frozen == null ? null : frozen[i]);
      }
      routers();
      firstFactors();
    }

    /** dy of a projection: packed once for dx and du; db. */
    private void member(int i, SimdTensor dy, @Nullable Panels frozen) {
      Member member = experts.members().get(i);
      if (frozen == null && member.b() == null) {
        return;
      }
      PackedActivations packed = new PackedActivations().shape(space, n, dy.cols());
      packing.add(packed.fromRows(dy.data(), dy.offset(), dy.cols()));
      if (frozen != null) {
        intoDx.add(new Term(packed, frozen));
      }
      if (member.b() == null) {
        return;
      }
      SimdTensor b = SimdTensor.of(member.b());
      FloatPanels bPanels = new FloatPanels(space, dy.cols(), member.width());
      packing.add(bPanels.fromRows(b.data(), b.offset()));
      narrow.add(
          Product.of(
              bench,
              du.data(),
              du.offset() + member.rankOffset(),
              du.cols(),
              false,
              new Term(packed, bPanels)));
      PackedActivations uT = new PackedActivations().shape(space, member.width(), n);
      secondPacking.add(uT.fromColumns(u.data(), u.offset() + member.rankOffset(), u.cols()));
      SimdTensor db = SimdTensor.of(Objects.requireNonNull(gradients.members().get(i).b()));
      products.add(product(db, true, new Term(uT, strips(dy))));
    }

    private void routers() {
      if (dLogits == null || experts.router() == null) {
        return;
      }
      PackedActivations transposed = new PackedActivations().shape(space, dLogits.cols(), n);
      secondPacking.add(transposed.fromColumns(dLogits.data(), dLogits.offset(), dLogits.cols()));
      SimdTensor into = SimdTensor.of(Objects.requireNonNull(gradients.router()));
      products.add(product(into, true, new Term(transposed, strips(input))));
      if (dx != null) {
        PackedActivations rows = new PackedActivations().shape(space, n, dLogits.cols());
        secondPacking.add(rows.fromRows(dLogits.data(), dLogits.offset(), dLogits.cols()));
        intoDx.add(new Term(rows, strips(SimdTensor.of(experts.router()))));
      }
    }

    /** da, and what the first factor gives to dx. */
    private void firstFactors() {
      Mask mask = null;
      if (dropout.probability() > 0) {
        mask = new Mask(space, n, input.cols(), dropout.keptScale());
        packing.add(drawn(mask, input.cols()));
      }
      PackedActivations transposed = new PackedActivations().shape(space, z.cols(), n);
      secondPacking.add(transposed.fromColumns(du.data(), du.offset(), du.cols()));
      Strips seen = new Strips(input.data(), input.offset(), input.cols(), n, input.cols(), mask);
      products.add(product(SimdTensor.of(gradients.a()), true, new Term(transposed, seen)));
      if (dx == null) {
        return;
      }
      PackedActivations rows = new PackedActivations().shape(space, n, z.cols());
      secondPacking.add(rows.fromRows(du.data(), du.offset(), du.cols()));
      intoDx.addFirst(new Term(rows, strips(SimdTensor.of(experts.a()))));
      Term[] terms = intoDx.toArray(Term[]::new);
      products.add(Product.of(bench, dx.data(), dx.offset(), dx.cols(), true, mask, terms));
    }

    /** D. */
    private Stage drawn(Mask mask, int in) {
      return RowTasks.stage(
          n,
          ROWS_PER_TASK,
          (row, worker) -> {
            int[] words = bench.scratch()[worker].words(DropoutLanes.wordsLength(in));
            DropoutLanes.keep(dropout, row, in, words, mask.data(), mask.row(row));
          });
    }

    private void gateRow(int t, float[] dGates) {
      List<Member> members = experts.members();
      for (int i = 0; i < members.size(); i++) {
        Member member = members.get(i);
        scaleByGates(member, gates, t, z, u);
        if (member.isRouted() && gates != null && dLogits != null) {
          for (int e = 0; e < member.experts(); e++) {
            dGates[e] = member.scale() * pairSum(member, t, e);
          }
          int from = gates.at(t) + member.expertOffset();
          int to = dLogits.at(t) + member.expertOffset();
          Gates.backward(member.experts(), dGates, 0, gates.data(), from, dLogits.data(), to);
        }
        scaleByGates(member, gates, t, du, du);
      }
    }

    private int mostExperts() {
      int most = 1;
      for (Member member : experts.members()) {
        most = Math.max(most, member.experts());
      }
      return most;
    }

    /** Sum over the columns of expert e of du ⊙ z. */
    private float pairSum(Member member, int t, int e) {
      int at = member.rankOffset() + e * member.rank();
      float sum = 0;
      for (int j = 0; j < member.rank(); j++) {
        sum = Math.fma(du.data()[du.at(t) + at + j], z.data()[z.at(t) + at + j], sum);
      }
      return sum;
    }

    void run() {
      int most = mostExperts();
      Stage gating =
          RowTasks.stage(
              n, ROWS_PER_TASK, (t, worker) -> gateRow(t, bench.scratch()[worker].sums(most)));
      bench.pool().run(packing.all(), narrow.all(), gating, secondPacking.all(), products.all());
    }
  }

  private Stage product(SimdTensor y, boolean add, Term... terms) {
    return Product.of(bench, y.data(), y.offset(), y.cols(), add, terms);
  }

  private static Strips strips(SimdTensor w) {
    return new Strips(w.data(), w.offset(), w.cols(), w.rows(), w.cols());
  }

  private static SimdTensor floats(Workspace space, int rows, int cols) {
    Workspace.Floats slab = space.floats(Math.multiplyExact(rows, cols));
    return new SimdTensor(slab.data(), slab.offset(), rows, cols);
  }
}
