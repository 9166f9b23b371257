package io.mola.testdata.contract;

import static org.assertj.core.api.Assertions.assertThat;

import io.mola.core.backend.AttentionOps.Direction;
import io.mola.core.backend.AttentionShape;
import io.mola.testdata.HostTensor;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** {@link io.mola.core.backend.AttentionOps}. */
public abstract class AttentionOpsContract extends BackendContract {
  private static final int NO_WINDOW = Integer.MAX_VALUE;

  static List<SpanLayout> layouts() {
    return List.of(
        SpanLayout.segments(1),
        SpanLayout.segments(2, 1, 5),
        SpanLayout.segments(17, 3, 1, 1, 9),
        SpanLayout.segments(131),
        SpanLayout.trees(SpanLayout.tree(1, 1, 1)),
        SpanLayout.trees(SpanLayout.tree(4, 3, 1, 5), SpanLayout.tree(0, 6)),
        SpanLayout.trees(
            SpanLayout.tree(9, 2, 7, 4, 1), SpanLayout.tree(5), SpanLayout.tree(2, 17, 8)),
        SpanLayout.trees(SpanLayout.tree(70, 20, 1, 33), SpanLayout.tree(3, 5)));
  }

  private static List<AttentionShape> shapes(int index) {
    int window = cycle(new int[] {NO_WINDOW, 1, 3, 8}, index);
    return List.of(
        new AttentionShape(1, 1, 2, window),
        new AttentionShape(4, 2, 6, NO_WINDOW),
        new AttentionShape(3, 3, 16, window),
        new AttentionShape(6, 2, 20, 5),
        new AttentionShape(9, 3, 64, NO_WINDOW));
  }

  private record Attention(
      SpanLayout layout,
      AttentionShape shape,
      HostTensor q,
      HostTensor k,
      HostTensor v,
      HostTensor dOut) {
    int tokens() {
      return q.rows();
    }
  }

  private Attention attention(SpanLayout layout, AttentionShape shape, double deviation) {
    int n = layout.tokens();
    Random random = new Random(n + 31L * shape.headDim());
    return new Attention(
        layout,
        shape,
        activations(n, shape.queryWidth(), deviation, random),
        activations(n, shape.keyWidth(), deviation, random),
        activations(n, shape.keyWidth(), 1, random),
        activations(n, shape.queryWidth(), 1, random));
  }

  private static Experiment forward(Attention at) {
    return bench ->
        bench
            .backend()
            .attention()
            .forward(
                bench.activation("q", at.q),
                bench.activation("k", at.k),
                bench.activation("v", at.v),
                bench.ints(at.tokens(), 4, at.layout.spans()),
                at.shape,
                bench.activationOutput("out", at.tokens(), at.shape.queryWidth()),
                bench.f32Output("lse", at.tokens(), at.shape.heads()));
  }

  private static Experiment backward(Attention at, Outputs saved) {
    return bench ->
        bench
            .backend()
            .attention()
            .backward(
                bench.activation("dOut", at.dOut),
                bench.activation("q", at.q),
                bench.activation("k", at.k),
                bench.activation("v", at.v),
                bench.activation("out", saved.get("out")),
                bench.f32("lse", saved.get("lse")),
                bench.ints(at.tokens(), 4, at.layout.spans()),
                at.shape,
                bench.f32Output("delta", at.tokens(), at.shape.heads()),
                bench.activationOutput("dq", at.tokens(), at.shape.queryWidth()),
                bench.activationOutput("dk", at.tokens(), at.shape.keyWidth()),
                bench.activationOutput("dv", at.tokens(), at.shape.keyWidth()));
  }

  @ParameterizedTest
  @MethodSource("layouts")
  void bothDirectionsMatchTheReference(SpanLayout layout) {
    for (AttentionShape shape : shapes(layouts().indexOf(layout))) {
      Attention at = attention(layout, shape, 1);
      matchesReference(Tolerance.ATTENTION, forward(at));
      matchesReference(Tolerance.ATTENTION, backward(at, saved(at)));
    }
  }

  /** What the reference's forward pass leaves, as the backend would store it. */
  private Outputs saved(Attention at) {
    Outputs run = runReference(forward(at));
    HostTensor out = run.get("out");
    for (int i = 0; i < out.values().length; i++) {
      out.values()[i] = precision().round(out.values()[i]);
    }
    return run;
  }

  @ParameterizedTest
  @MethodSource("layouts")
  void forwardFollowsTheFormula(SpanLayout layout) {
    for (AttentionShape shape : shapes(layouts().indexOf(layout) + 1)) {
      Attention at = attention(layout, shape, 1);
      AttentionFormula formula = new AttentionFormula(shape, layout);
      Outputs run = run(forward(at));
      double[][] q = at.q.toRows();
      double[][] k = at.k.toRows();
      near(Tolerance.ATTENTION, "out", run, formula.out(q, k, at.v.toRows()));
      near(Tolerance.ATTENTION, "lse", run, formula.lse(q, k));
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {NO_WINDOW, 1, 2, 4})
  void gradientsAgreeWithFiniteDifferences(int window) {
    SpanLayout layout =
        SpanLayout.trees(SpanLayout.tree(3, 2, 3), SpanLayout.tree(0, 4), SpanLayout.tree(2));
    AttentionShape shape = new AttentionShape(4, 2, 6, window);
    Attention at = attention(layout, shape, 1);
    AttentionFormula formula = new AttentionFormula(shape, layout);
    Outputs gradients = run(backward(at, saved(at)));
    double[][] q = at.q.toRows();
    double[][] k = at.k.toRows();
    double[][] v = at.v.toRows();
    double[][] dOut = at.dOut.toRows();
    near(
        Tolerance.ATTENTION,
        "dq",
        gradients,
        Doubles.gradient(q, changed -> Doubles.dot(dOut, formula.out(changed, k, v))));
    near(
        Tolerance.ATTENTION,
        "dk",
        gradients,
        Doubles.gradient(k, changed -> Doubles.dot(dOut, formula.out(q, changed, v))));
    near(
        Tolerance.ATTENTION,
        "dv",
        gradients,
        Doubles.gradient(v, changed -> Doubles.dot(dOut, formula.out(q, k, changed))));
  }

  /** A shared prefix is exact: each suffix sees what it would see in a sequence of its own. */
  @Test
  void aSharedPrefixIsTheSameAsItsCopies() {
    AttentionShape shape = new AttentionShape(4, 2, 16, 9);
    Attention shared = attention(SpanLayout.trees(SpanLayout.tree(6, 3, 5)), shape, 1);
    int[] rows = {0, 1, 2, 3, 4, 5, 6, 7, 8, 0, 1, 2, 3, 4, 5, 9, 10, 11, 12, 13};
    Attention copies =
        new Attention(
            SpanLayout.segments(9, 11),
            shape,
            pick(shared.q, rows),
            pick(shared.k, rows),
            pick(shared.v, rows),
            pick(shared.dOut, rows));
    HostTensor expected = run(forward(copies)).get("out");
    Tolerance.ATTENTION.check(
        "out", pick(run(forward(shared)).get("out"), rows), expected, precision());
  }

  private static HostTensor pick(HostTensor tensor, int... rows) {
    HostTensor picked = HostTensor.filled(rows.length, tensor.cols(), 0);
    for (int i = 0; i < rows.length; i++) {
      for (int j = 0; j < tensor.cols(); j++) {
        picked.set(i, j, tensor.get(rows[i], j));
      }
    }
    return picked;
  }

  @ParameterizedTest
  @CsvSource({"0, 17", "5, 1", "16, 1", "3, 7", "0, 1", "60, 71"})
  void cachedAttentionIsThatOfTheWholeSequence(int past, int fresh) {
    for (AttentionShape shape : shapes(past)) {
      Attention whole = attention(SpanLayout.segments(past + fresh), shape, 1);
      HostTensor q = whole.q.rows(past, past + fresh);
      HostTensor k = withRoom(whole.k);
      HostTensor v = withRoom(whole.v);
      Experiment cached =
          bench ->
              bench
                  .backend()
                  .attention()
                  .forwardCached(
                      bench.activation("q", q),
                      bench.activation("k", k),
                      bench.activation("v", v),
                      past,
                      shape,
                      bench.activationOutput("out", fresh, shape.queryWidth()));
      HostTensor expected = run(forward(whole)).get("out").rows(past, past + fresh);
      Tolerance.ATTENTION.check("out", run(cached).get("out"), expected, precision());
      matchesReference(Tolerance.ATTENTION, cached);
    }
  }

  /** A cache with three more rows, which hold garbage. */
  private static HostTensor withRoom(HostTensor cache) {
    HostTensor larger = HostTensor.filled(cache.rows() + 3, cache.cols(), Float.NaN);
    System.arraycopy(cache.values(), 0, larger.values(), 0, cache.values().length);
    return larger;
  }

  /** exp must not overflow or lose its sum: scores here reach thousands. */
  @Test
  void largeScoresAreStable() {
    Attention at =
        attention(SpanLayout.segments(17, 5), new AttentionShape(4, 2, 16, NO_WINDOW), 40);
    Outputs run = run(forward(at));
    for (HostTensor output : run.byName().values()) {
      for (float value : output.values()) {
        assertThat(value).isFinite();
      }
    }
    matchesReference(Tolerance.ATTENTION, forward(at));
  }

  @Test
  void nanShowsInTheRowsThatSeeItOnly() {
    Attention at =
        attention(
            SpanLayout.trees(SpanLayout.tree(2, 3, 3), SpanLayout.tree(0, 4)),
            new AttentionShape(2, 1, 8, NO_WINDOW),
            1);
    at.k.set(3, 0, Float.NaN);
    HostTensor out = run(forward(at)).get("out");
    for (int t = 0; t < at.tokens(); t++) {
      assertThat(Float.isNaN(out.get(t, 0))).as("row %d", t).isEqualTo(t == 3 || t == 4);
    }
  }

  @Test
  void anyNumberOfThreadsGivesTheSameBits() {
    for (SpanLayout layout : List.of(layouts().get(3), layouts().get(7), layouts().get(6))) {
      Attention at = attention(layout, new AttentionShape(6, 2, 20, NO_WINDOW), 1);
      sameBitsForAnyThreads(forward(at));
      sameBitsForAnyThreads(backward(at, saved(at)));
    }
  }

  private static HostTensor table(int positions, int headDim) {
    HostTensor table = HostTensor.filled(positions, headDim, 0);
    int half = headDim / 2;
    for (int p = 0; p < positions; p++) {
      for (int i = 0; i < half; i++) {
        double angle = p / Math.pow(100, i / (double) half);
        table.set(p, i, (float) Math.cos(angle));
        table.set(p, half + i, (float) Math.sin(angle));
      }
    }
    return table;
  }

  private static Experiment rotate(HostTensor qk, int headDim, int[] positions, Direction way) {
    return bench ->
        bench
            .backend()
            .attention()
            .rotate(
                bench.activationSum("qk", qk),
                bench.f32("table", table(40, headDim)),
                bench.ints(qk.rows(), 1, positions),
                way);
  }

  /** As complex numbers: (first + i second) times exp(i angle). */
  @ParameterizedTest
  @ValueSource(ints = {2, 4, 6, 8, 16, 18, 32, 34, 64})
  void rotaryTurnsPairsByTheAngleOfTheirPosition(int headDim) {
    for (int n : TOKENS) {
      int[] positions = IntStream.range(0, n).map(t -> (t * 11 + 3) % 40).toArray();
      HostTensor qk = activations(n, 3 * headDim, 1, new Random(n));
      HostTensor table = table(40, headDim);
      double[][] expected = new double[n][3 * headDim];
      int half = headDim / 2;
      for (int t = 0; t < n; t++) {
        for (int i = 0; i < 3 * half; i++) {
          int column = i / half * headDim + i % half;
          double angle =
              Math.atan2(
                  table.get(positions[t], half + i % half), table.get(positions[t], i % half));
          double first = qk.get(t, column);
          double second = qk.get(t, column + half);
          double length = Math.hypot(first, second);
          expected[t][column] = length * Math.cos(Math.atan2(second, first) + angle);
          expected[t][column + half] = length * Math.sin(Math.atan2(second, first) + angle);
        }
      }
      Experiment rotation = rotate(qk, headDim, positions, Direction.FORWARD);
      near(Tolerance.ROTARY, "qk", run(rotation), expected);
      matchesReference(Tolerance.ROTARY, rotation);
      matchesReference(Tolerance.ROTARY, rotate(qk, headDim, positions, Direction.BACKWARD));
    }
  }

  @Test
  void rotatingBackUndoesRotating() {
    HostTensor qk = activations(7, 40, 1, new Random(1));
    int[] positions = {5, 0, 39, 7, 7, 1, 20};
    HostTensor turned = run(rotate(qk, 20, positions, Direction.FORWARD)).get("qk");
    HostTensor back = run(rotate(turned, 20, positions, Direction.BACKWARD)).get("qk");
    Tolerance.ROTARY.check("qk", back, qk, precision());
  }
}
