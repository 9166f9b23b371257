package io.mola.core.backend;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.mola.core.backend.AdapterOps.State;
import io.mola.core.backend.Experts.Member;
import io.mola.core.backend.OptimizerOps.AdamWStep;
import io.mola.core.quant.QuantType;
import io.mola.core.quant.RowOrder;
import io.mola.core.quant.StoredMatrix;
import io.mola.core.tensor.MemoryPlan;
import io.mola.core.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.util.List;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Every rule in its words; n = 2 rows, 4 inputs, 3 outputs. */
final class CheckedBackendTest {
  private static final StoredMatrix STORED =
      new StoredMatrix(
          "w", QuantType.F32, 3, 4, MemorySegment.ofArray(new byte[48]), RowOrder.PLAIN);

  private final Backend backend =
      Backends.checked(Backends.choose("reference").open(new BackendSettings(1, 0)));
  private Region region;
  private Tensor x;
  private Tensor y;
  private FrozenMatrix matrix;

  @BeforeEach
  void allocate() {
    region =
        backend
            .memory()
            .allocate(
                new MemoryPlan.Builder()
                    .activation("x", 2, 4)
                    .activation("y", 2, 3)
                    .f32("scalar", 1, 1)
                    .f32("flat", 1, 200)
                    .i32("ids", 5, 1)
                    .i32("spans", 2, 4)
                    .build());
    x = region.tensor("x");
    y = region.tensor("y");
    matrix = backend.memory().load(STORED);
  }

  @AfterEach
  void close() {
    region.close();
    matrix.close();
    backend.close();
  }

  private Tensor flat(long offset, int rows, int cols) {
    return region.tensor("flat").slice(offset, rows, cols);
  }

  private static void refused(ThrowingCallable call, String message) {
    assertThatThrownBy(call).isInstanceOf(IllegalArgumentException.class).hasMessage(message);
  }

  @Test
  void aCallThatFitsIsPassedOn() {
    backend.linear().forward(x, List.of(matrix), List.of(y));
    assertThat(backend.name()).isEqualTo("reference");
  }

  @Test
  void wrongShapesNameOperationOperandFoundAndExpected() {
    refused(
        () -> backend.linear().forward(x, List.of(matrix), List.of(flat(0, 2, 5))),
        "linear.forward: ys[0] is [2, 5], expected [2, 3]");
    refused(
        () -> backend.linear().forward(y, List.of(matrix), List.of(y)),
        "linear.forward: weights[0] is [3, 4], expected [any, 3]");
    refused(
        () -> backend.linear().embed(region.ints("ids"), matrix, x),
        "linear.embed: ids is [5, 1], expected [2, 1]");
    refused(
        () -> backend.norm().rmsForward(x, flat(0, 1, 3), 1, flat(8, 2, 4), flat(16, 2, 1)),
        "norm.rmsForward: gain is [1, 3], expected [1, 4]");
    refused(
        () -> backend.activation().swigluForward(x, y, flat(0, 2, 4)),
        "activation.swigluForward: up is [2, 3], expected [2, 4]");
    refused(
        () -> backend.optimizer().squaredNorm(x, y),
        "optimizer.squaredNorm: sum is [2, 3], expected [1, 1]");
    refused(
        () -> backend.routers().balanceLoss(flat(0, 3, 4), 1, region.tensor("scalar")),
        "routers.balanceLoss: statistics is [3, 4], expected [2, any]");
  }

  @Test
  void emptyTensorsAreRefused() {
    refused(
        () -> backend.activation().zero(x.top(0)),
        "activation.zero: x is [0, 4], expected [any, any] and not empty");
  }

  @Test
  void listsMustHaveOneElementPerMatrix() {
    refused(
        () -> backend.linear().forward(x, List.of(matrix), List.of()),
        "linear.forward: ys has 0 elements, expected 1");
    refused(
        () -> backend.linear().forward(x, List.of(), List.of()),
        "linear.forward: weights is empty, expected at least one matrix");
  }

  @Test
  void outputsMayNotOverlapInputsOrEachOther() {
    refused(
        () -> backend.activation().add(flat(0, 2, 4), flat(7, 2, 4)),
        "activation.add: y overlaps x in slot flat");
    refused(
        () -> backend.linear().forward(x, List.of(matrix, matrix), List.of(y, y)),
        "linear.forward: ys[1] overlaps ys[0] in slot y");
    backend.activation().add(flat(0, 2, 4), flat(8, 2, 4));
  }

  @Test
  void swigluBackwardMayWorkInPlaceButNotOverlapInPart() {
    Tensor dy = flat(0, 2, 4);
    backend.activation().swigluBackward(dy, flat(8, 2, 4), flat(16, 2, 4), dy, flat(24, 2, 4));
    refused(
        () ->
            backend
                .activation()
                .swigluBackward(
                    dy, flat(8, 2, 4), flat(16, 2, 4), flat(24, 2, 4).slice(0, 2, 4), dy),
        "activation.swigluBackward: dUp overlaps dy in slot flat");
    refused(
        () ->
            backend
                .activation()
                .swigluBackward(dy, flat(40, 2, 4), flat(16, 2, 4), flat(4, 2, 4), flat(24, 2, 4)),
        "activation.swigluBackward: dGate overlaps dy in slot flat");
  }

  @Test
  void operandsOfAnotherBackendAreRefused() {
    Backend other = Backends.choose("reference").open(new BackendSettings(1, 0));
    Region foreign = other.memory().allocate(region.plan());
    refused(
        () -> backend.activation().zero(foreign.tensor("x")),
        "activation.zero: x comes from another backend");
    FrozenMatrix foreignMatrix = other.memory().load(STORED);
    refused(
        () -> backend.linear().forward(x, List.of(foreignMatrix), List.of(y)),
        "linear.forward: weights[0] comes from another backend");
    refused(
        () -> backend.activation().gatherRows(x, foreign.ints("ids"), y),
        "activation.gatherRows: rows comes from another backend");
    foreign.close();
    foreignMatrix.close();
    other.close();
  }

  @Test
  void hostArraysMustHaveTheSizeOfTheTensor() {
    refused(
        () -> backend.memory().upload(new float[7], x),
        "memory.upload: from has 7 elements, expected 8");
    refused(
        () -> backend.memory().upload(new int[4], region.ints("ids")),
        "memory.upload: from has 4 elements, expected at least 5");
    refused(
        () -> backend.memory().download(x, new float[7]),
        "memory.download: to has 7 elements, expected at least 8");
  }

  @Test
  void nothingWorksAfterItWasClosed() {
    region.close();
    assertThatThrownBy(() -> backend.activation().zero(x))
        .isInstanceOf(IllegalStateException.class)
        .hasMessage("the region of slot x is closed");
    matrix.close();
    assertThatThrownBy(() -> backend.linear().forward(x, List.of(matrix), List.of(y)))
        .isInstanceOf(IllegalStateException.class);
  }

  @Test
  void attentionChecksWidthsCapacityAndPairs() {
    AttentionShape shape = new AttentionShape(2, 1, 2, 8);
    refused(
        () ->
            backend
                .attention()
                .forward(x, y, y, region.ints("spans"), shape, flat(0, 2, 4), flat(8, 2, 2)),
        "attention.forward: k is [2, 3], expected [2, 2]");
    refused(
        () ->
            backend
                .attention()
                .forwardCached(x, flat(0, 3, 2), flat(6, 3, 2), 2, shape, flat(12, 2, 4)),
        "attention.forwardCached: k has 3 rows, expected at least past + m = 2 + 2");
    refused(
        () ->
            backend
                .attention()
                .rotate(
                    y, flat(0, 9, 2), region.ints("ids").top(2), AttentionOps.Direction.FORWARD),
        "attention.rotate: qk has 3 columns, expected a multiple of the even 2");
  }

  @Test
  void routersMustLieWithinTheColumns() {
    refused(
        () ->
            backend
                .routers()
                .statistics(x, flat(0, 2, 4), region.ints("ids").top(2), 2, flat(8, 2, 3)),
        "routers.statistics: column is 2, expected the 3 columns from there on within the 4 of"
            + " logits");
  }

  @Test
  void optimizerStepsCountFromOne() {
    Tensor p = region.tensor("scalar");
    AdamWStep step = new AdamWStep(1, 0.9, 0.9, 1e-8, 0, 0);
    refused(
        () -> backend.optimizer().adamW(p, flat(0, 1, 1), flat(1, 1, 1), flat(2, 1, 1), step),
        "optimizer.adamW: step t is 0, expected at least 1");
  }

  /** Two experts of rank 1 on one projection, laid out in the slot {@code flat}. */
  private Experts experts(long at, Member member, boolean withRouter) {
    @Nullable Tensor router = withRouter ? flat(at + 8, 2, 4) : null;
    return new Experts(flat(at, 2, 4), router, List.of(member));
  }

  private Member member(int topK, int rankOffset, int expertOffset, @Nullable Tensor b) {
    return new Member(2, 1, topK, 1, rankOffset, expertOffset, b);
  }

  private void forward(Experts experts, State state) {
    backend.adapters().forward(x, List.of(matrix), experts, Dropout.NONE, state, List.of(y));
  }

  @Test
  void adapterLayoutsAreChecked() {
    Tensor b = flat(16, 2, 3);
    State state = new State(flat(100, 2, 2), flat(110, 2, 2), flat(120, 2, 2));
    forward(experts(0, member(1, 0, 0, b), true), state);
    refused(
        () -> forward(experts(0, member(3, 0, 0, b), true), state),
        "adapters.forward: experts.members[0] has topK 3, expected 1 to 2");
    refused(
        () -> forward(experts(0, member(1, 1, 0, b), true), state),
        "adapters.forward: experts.members[0] has rankOffset 1, expected its rows within a");
    refused(
        () -> forward(experts(0, member(1, 0, -1, b), true), state),
        "adapters.forward: experts.members[0] has expertOffset -1, expected its rows within"
            + " router");
    refused(
        () -> forward(experts(0, member(1, 0, 0, null), true), state),
        "adapters.forward: experts.members[0].b is missing");
    refused(
        () -> forward(experts(0, member(1, 0, 0, b), false), state),
        "adapters.forward: experts.router is missing");
    refused(
        () ->
            forward(
                experts(0, member(1, 0, 0, b), true),
                new State(flat(100, 2, 2), flat(110, 2, 2), null)),
        "adapters.forward: state.gates is missing");
  }

  @Test
  void gradientsNeedTheLayoutOfTheirExperts() {
    Experts experts = experts(0, member(1, 0, 0, flat(16, 2, 3)), true);
    Experts gradients = experts(30, member(2, 0, 0, flat(46, 2, 3)), true);
    State state = new State(flat(100, 2, 2), flat(110, 2, 2), flat(120, 2, 2));
    assertThatThrownBy(() ->
            backend
                .adapters()
                .backward(
                    List.of(y),
                    x,
                    List.of(matrix),
                    experts,
                    Dropout.NONE,
                    state,
                    gradients,
                    flat(130, 2, 2),
                    null))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageStartingWith("adapters.backward: gradients.members[0] is Member[");
  }
}
