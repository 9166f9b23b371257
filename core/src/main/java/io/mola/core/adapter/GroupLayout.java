package io.mola.core.adapter;

import io.mola.core.backend.Experts;
import io.mola.core.model.Projection;
import io.mola.core.tensor.Tensor;
import io.mola.core.weights.ModelConfig;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Where the blocks of one group of projections of one layer lie in the flat tensor.
 *
 * @param in input features of the group
 * @param stackedRank R
 * @param routed E
 * @param aOffset of A [R, in]
 * @param routerOffset of the routers [E, in]
 * @param members in the order of the group
 * @param end first element after the last block
 */
record GroupLayout(
    int layer,
    int in,
    int stackedRank,
    int routed,
    long aOffset,
    long routerOffset,
    List<Member> members,
    long end) {

  /**
   * One projection.
   *
   * @param rankOffset first row in A
   * @param expertOffset first row in the routers; -1 without router
   * @param bOffset of b [N·r, out]
   */
  record Member(
      Projection projection,
      int experts,
      int rank,
      int topK,
      float scale,
      int out,
      int rankOffset,
      int expertOffset,
      long bOffset) {}

  /** The layout of a group from {@code start} on; null if none of its projections has experts. */
  static @Nullable GroupLayout of(
      ModelConfig config, AdapterShape shape, int layer, Projection.Group group, long start) {
    AdapterShape.Layer numbers = shape.layers().get(layer);
    int stacked = 0;
    int routed = 0;
    for (Projection projection : group.members()) {
      int n = numbers.experts(projection);
      stacked = Math.addExact(stacked, Math.multiplyExact(n, numbers.rank()));
      routed += n > 1 ? n : 0;
    }
    if (stacked == 0) {
      return null;
    }
    int in = group.in(config);
    long routerOffset = aligned(start + (long) stacked * in);
    long next = aligned(routerOffset + (long) routed * in);
    List<Member> members = new ArrayList<>();
    int rankOffset = 0;
    int expertOffset = 0;
    for (Projection projection : group.members()) {
      int n = numbers.experts(projection);
      int out = projection.out(config);
      members.add(
          new Member(
              projection,
              n,
              numbers.rank(),
              numbers.topK(projection),
              shape.scale(layer),
              out,
              rankOffset,
              n > 1 ? expertOffset : -1,
              next));
      rankOffset += n * numbers.rank();
      expertOffset += n > 1 ? n : 0;
      next = aligned(next + (long) n * numbers.rank() * out);
    }
    return new GroupLayout(layer, in, stacked, routed, start, routerOffset, members, next);
  }

  Experts view(Tensor flat) {
    List<Experts.Member> views = new ArrayList<>();
    for (Member m : members) {
      int width = m.experts() * m.rank();
      views.add(
          new Experts.Member(
              m.experts(),
              m.rank(),
              m.topK(),
              m.scale(),
              m.rankOffset(),
              m.expertOffset(),
              width == 0 ? null : flat.slice(m.bOffset(), width, m.out())));
    }
    return new Experts(
        flat.slice(aOffset, stackedRank, in),
        routed == 0 ? null : flat.slice(routerOffset, routed, in),
        views);
  }

  void addTensors(List<AdapterTensor> tensors) {
    for (Member m : members) {
      for (int e = 0; e < m.experts(); e++) {
        int row = m.rankOffset() + e * m.rank();
        tensors.add(tensor(m, AdapterTensor.Kind.A, e, m.rank(), in, aOffset + (long) row * in));
        long b = m.bOffset() + (long) e * m.rank() * m.out();
        tensors.add(tensor(m, AdapterTensor.Kind.B, e, m.out(), m.rank(), b));
      }
      if (m.expertOffset() >= 0) {
        long router = routerOffset + (long) m.expertOffset() * in;
        tensors.add(tensor(m, AdapterTensor.Kind.ROUTER, 0, m.experts(), in, router));
      }
    }
  }

  private AdapterTensor tensor(
      Member m, AdapterTensor.Kind kind, int expert, int rows, int cols, long offset) {
    return new AdapterTensor(
        kind, layer, m.projection(), expert, rows, cols, Math.toIntExact(offset));
  }

  private static long aligned(long offset) {
    long mask = AdapterParameters.ALIGNMENT - 1L;
    return (offset + mask) & ~mask;
  }
}
