package io.mola.core.backend;

import io.mola.core.tensor.Tensor;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The low-rank experts and routers of a group of projections that share their input: matrices, or
 * with the same shapes their gradients.
 *
 * <p>A and the routers of the whole group are stacked, so that one product of x yields all of them.
 * Member i of the list belongs to projection i of the group; a projection without adapter has a
 * member with {@code experts() == 0}.
 *
 * @param a [R, in], R = sum over members of experts times rank; expert e of a member takes the rows
 *     {@code rankOffset + e * rank ..}
 * @param router [E, in], E = sum of experts over members with more than one; null if E = 0
 * @param members one per projection
 */
public record Experts(Tensor a, @Nullable Tensor router, List<Member> members) {
  /** Copies the list. */
  public Experts {
    members = List.copyOf(members);
  }

  /** R: columns of z. */
  public int stackedRank() {
    return a.rows();
  }

  /** E: columns of the logits and gates; 0 if no member has a router. */
  public int routed() {
    return router == null ? 0 : router.rows();
  }

  /**
   * The experts of one projection.
   *
   * @param experts N; 0: no adapter on this projection; 1: plain LoRA, no router, gate constantly 1
   * @param rank r
   * @param topK K, at most N
   * @param scale s = alpha / r
   * @param rankOffset first row in {@code a} and first column in z
   * @param expertOffset first row in {@code router} and first column in logits and gates; -1 where
   *     N is 0 or 1
   * @param b [N·r, out], rank-major: row e·r + j is column j of expert e's B [out, r]; null where N
   *     is 0
   */
  public record Member(
      int experts,
      int rank,
      int topK,
      float scale,
      int rankOffset,
      int expertOffset,
      @Nullable Tensor b) {
    /** Columns of z: N·r. */
    public int width() {
      return experts * rank;
    }

    /** Whether all but {@code b} is the same. */
    boolean hasLayoutOf(Member other) {
      return experts == other.experts
          && rank == other.rank
          && topK == other.topK
          && Float.compare(scale, other.scale) == 0
          && rankOffset == other.rankOffset
          && expertOffset == other.expertOffset;
    }

    /** Whether there is a router. */
    public boolean isRouted() {
      return experts > 1;
    }
  }
}
