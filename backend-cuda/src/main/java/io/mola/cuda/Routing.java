package io.mola.cuda;

import io.mola.core.backend.AdapterOps.State;
import io.mola.core.backend.Experts;
import io.mola.core.backend.Experts.Member;
import io.mola.core.tensor.Tensor;
import io.mola.cuda.driver.Element;
import io.mola.cuda.driver.Operand;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** What lies between the products of a mixture: the choice of experts, gates, and gradients. */
final class Routing {
  private static final String GROUP = "adapter";

  /** MOST_MEMBERS of adapter.cu. */
  private static final int MOST_MEMBERS = 16;

  private static final int MEMBER_WORDS = 6;
  private static final int MOST_THREADS = 256;

  private final Workbench bench;

  Routing(Workbench bench) {
    this.bench = bench;
  }

  /**
   * Operands of the products of the backward pass.
   *
   * @param u [n, R] scale · z ⊙ rep(gates)
   * @param dz [n, R]
   * @param dLogits [n, E]; meaningless if E = 0
   */
  record Gradients(Operand u, Operand dz, Operand dLogits) {}

  /** {@code gates} = softmax over the K largest logits of each member. */
  void choose(CudaTensor logits, Experts experts, CudaTensor gates) {
    int n = logits.rows();
    Workbench.runEach(
        bench
            .kernel(GROUP, "choose")
            .i64(logits.address())
            .i32(n)
            .i32(experts.routed())
            .structure(words(experts.members()))
            .i64(gates.address()),
        (long) n * experts.members().size());
  }

  /** {@code u = scale · z ⊙ rep(gates)} of all members, as an operand. */
  Operand mix(CudaTensor z, @Nullable Tensor gates, Experts experts) {
    Operand u = operand(z.rows(), z.cols());
    bench
        .kernel(GROUP, "mix")
        .i64(z.address())
        .i64(addressOrZero(gates))
        .i32(z.cols())
        .i32(experts.routed())
        .structure(words(experts.members()))
        .i64(u.address())
        .run(z.rows(), threads(z.cols()));
    return u;
  }

  /** Everything that follows from du elementwise and by rows; adds to dLogits in place. */
  Gradients unmix(CudaTensor du, State state, Experts experts, @Nullable Tensor dLogits) {
    int n = du.rows();
    int rank = du.cols();
    int routed = experts.routed();
    Operand u = operand(n, rank);
    Operand dz = operand(n, rank);
    Operand toLogits =
        dLogits != null && bench.activation() == Element.F32
            ? CudaTensor.of(dLogits).operand()
            : operand(n, Math.max(1, routed));
    bench
        .kernel(GROUP, "unmix")
        .i64(du.address())
        .i64(CudaTensor.of(state.z(), Element.F32).address())
        .i64(addressOrZero(state.gates()))
        .i32(rank)
        .i32(routed)
        .structure(words(experts.members()))
        .i64(u.address())
        .i64(dz.address())
        .i64(addressOrZero(dLogits))
        .i64(toLogits.address())
        .shared(Float.BYTES * (rank + routed))
        .run(n, threads(rank));
    return new Gradients(u, dz, toLogits);
  }

  private Operand operand(int rows, int cols) {
    Element element = bench.activation();
    long address = bench.workspace().take((long) rows * cols * element.bytes());
    return Operand.of(address, element, cols);
  }

  private static int threads(int rank) {
    return Math.min(MOST_THREADS, Workbench.threadsFor(rank));
  }

  private static long addressOrZero(@Nullable Tensor tensor) {
    return tensor == null ? 0 : CudaTensor.of(tensor, Element.F32).address();
  }

  /** The structure Members of adapter.cu. */
  private static int[] words(List<Member> members) {
    if (members.size() > MOST_MEMBERS) {
      throw new IllegalArgumentException(
          members.size() + " projections in one group, at most " + MOST_MEMBERS);
    }
    int[] words = new int[1 + MEMBER_WORDS * MOST_MEMBERS];
    words[0] = members.size();
    for (int i = 0; i < members.size(); i++) {
      Member member = members.get(i);
      int at = 1 + MEMBER_WORDS * i;
      words[at] = member.experts();
      words[at + 1] = member.rank();
      words[at + 2] = member.topK();
      words[at + 3] = member.rankOffset();
      words[at + 4] = member.expertOffset();
      words[at + 5] = Float.floatToRawIntBits(member.scale());
    }
    return words;
  }
}
