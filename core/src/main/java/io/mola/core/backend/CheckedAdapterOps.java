package io.mola.core.backend;

import static io.mola.core.backend.Operands.ANY;
import static io.mola.core.backend.Operands.cols;
import static io.mola.core.backend.Operands.rows;

import io.mola.core.backend.Experts.Member;
import io.mola.core.tensor.Tensor;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/** Checks, then calls. */
record CheckedAdapterOps(AdapterOps inner, Operands operands) implements AdapterOps {
  /** How an operand of a given role is checked and unwrapped. */
  @FunctionalInterface
  private interface Role {
    Tensor unwrap(String name, int index, @Nullable Tensor tensor, int rows, int cols);

    default Tensor unwrap(String name, @Nullable Tensor tensor, int rows, int cols) {
      return unwrap(name, Operands.ALONE, tensor, rows, cols);
    }
  }

  /** Names of the operands that make up experts; put together once. */
  private record Names(String members, String a, String router, String b) {
    Names(String experts) {
      this(experts + ".members", experts + ".a", experts + ".router", experts + ".members[%d].b");
    }
  }

  private static final Names EXPERTS = new Names("experts");
  private static final Names GRADIENTS = new Names("gradients");

  @Override
  public void forward(
      Tensor x,
      List<FrozenMatrix> weights,
      Experts experts,
      Dropout dropout,
      State state,
      List<Tensor> ys) {
    operands.begin("adapters.forward");
    inner.forward(
        operands.input("x", x, ANY, ANY),
        operands.matrices("weights", weights, cols(x)),
        experts(operands, operands::input, EXPERTS, experts, weights, cols(x)),
        dropout,
        state(operands, operands::output, state, rows(x), experts),
        operands.outputs("ys", ys, rows(x), weights));
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
    operands.begin("adapters.backward");
    int n = rows(x);
    List<FrozenMatrix> matrices = operands.matrices("weights", weights, cols(x));
    List<Tensor> gradientsOfOutputs = operands.inputs("dys", dys, n, weights);
    Tensor input = operands.input("x", x, ANY, ANY);
    Experts parameters = experts(operands, operands::input, EXPERTS, experts, weights, cols(x));
    State saved = state(operands, operands::input, state, n, experts);
    sameLayout(operands, experts, gradients);
    inner.backward(
        gradientsOfOutputs,
        input,
        matrices,
        parameters,
        dropout,
        saved,
        experts(operands, operands::output, GRADIENTS, gradients, weights, cols(x)),
        ofRouters(operands, operands::output, "dLogits", dLogits, n, experts),
        dx == null ? null : operands.output("dx", dx, n, cols(x)));
  }

  private static Experts experts(
      Operands operands,
      Role role,
      Names names,
      Experts experts,
      List<FrozenMatrix> weights,
      int in) {
    List<Member> members = experts.members();
    operands.require(
        members.size() == weights.size(),
        () -> names.members + " has " + members.size() + " elements, expected " + weights.size());
    int width = 0;
    int routed = 0;
    for (int i = 0; i < members.size(); i++) {
      Member member = members.get(i);
      width += member.width();
      routed += member.isRouted() ? member.experts() : 0;
    }
    Tensor a = role.unwrap(names.a, experts.a(), width, in);
    @Nullable Tensor router = null;
    if (routed > 0) {
      router = role.unwrap(names.router, experts.router(), routed, in);
    } else {
      operands.require(
          experts.router() == null,
          () -> names.router + " is given, expected null: no member has one");
    }
    List<Member> unwrapped = new ArrayList<>(members.size());
    for (int i = 0; i < members.size(); i++) {
      int index = i;
      Member member = members.get(i);
      layout(operands, () -> Operands.element(names.members, index), member, width, routed);
      @Nullable Tensor b = null;
      if (member.experts() > 0) {
        b = role.unwrap(names.b, i, member.b(), member.width(), weights.get(i).out());
      } else {
        operands.require(
            member.b() == null,
            () -> Operands.element(names.b, index) + " is given, expected null: N is 0");
      }
      unwrapped.add(withB(member, b));
    }
    return new Experts(a, router, unwrapped);
  }

  private static void layout(
      Operands operands, Supplier<String> name, Member member, int stackedRank, int routed) {
    int n = member.experts();
    operands.require(n >= 0, () -> name.get() + " has " + n + " experts");
    if (n == 0) {
      return;
    }
    operands.require(member.rank() >= 1, () -> name.get() + " has rank " + member.rank());
    operands.require(
        member.topK() >= 1 && member.topK() <= n,
        () -> name.get() + " has topK " + member.topK() + ", expected 1 to " + n);
    operands.require(
        member.rankOffset() >= 0 && member.rankOffset() + member.width() <= stackedRank,
        () ->
            name.get() + " has rankOffset " + member.rankOffset() + ", expected its rows within a");
    operands.require(
        n == 1
            ? member.expertOffset() == -1
            : member.expertOffset() >= 0 && member.expertOffset() + n <= routed,
        () ->
            name.get()
                + " has expertOffset "
                + member.expertOffset()
                + (n == 1 ? ", expected -1: N is 1" : ", expected its rows within router"));
  }

  private static void sameLayout(Operands operands, Experts experts, Experts gradients) {
    int size = Math.min(experts.members().size(), gradients.members().size());
    for (int i = 0; i < size; i++) {
      int index = i;
      Member wanted = experts.members().get(i);
      Member found = gradients.members().get(i);
      operands.require(
          found.hasLayoutOf(wanted),
          () ->
              Operands.element(GRADIENTS.members, index) + " is " + found + ", expected " + wanted);
    }
  }

  private static State state(Operands operands, Role role, State state, int rows, Experts experts) {
    return new State(
        role.unwrap("state.z", state.z(), rows, experts.stackedRank()),
        ofRouters(operands, role, "state.logits", state.logits(), rows, experts),
        ofRouters(operands, role, "state.gates", state.gates(), rows, experts));
  }

  /** A tensor [rows, E], null if and only if E = 0. */
  private static @Nullable Tensor ofRouters(
      Operands operands,
      Role role,
      String name,
      @Nullable Tensor tensor,
      int rows,
      Experts experts) {
    if (experts.routed() == 0) {
      operands.require(
          tensor == null, () -> name + " is given, expected null: no member has a router");
      return null;
    }
    return role.unwrap(name, tensor, rows, experts.routed());
  }

  private static Member withB(Member member, @Nullable Tensor b) {
    return new Member(
        member.experts(),
        member.rank(),
        member.topK(),
        member.scale(),
        member.rankOffset(),
        member.expertOffset(),
        b);
  }
}
