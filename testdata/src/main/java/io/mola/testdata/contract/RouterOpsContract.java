package io.mola.testdata.contract;

import static org.assertj.core.api.Assertions.assertThat;

import io.mola.core.tensor.Tensor;
import io.mola.testdata.Fixtures;
import io.mola.testdata.HostTensor;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;

/** {@link io.mola.core.backend.RouterOps}. */
public abstract class RouterOpsContract extends BackendContract {
  /**
   * One router among the columns of a group.
   *
   * @param logits [n, E]
   * @param rowWeights n weights
   * @param column the router's first column
   * @param experts N
   * @param topK K
   */
  private record Router(HostTensor logits, int[] rowWeights, int column, int experts, int topK) {
    static Router random(int n, int experts, int topK, int columns, Random random) {
      return new Router(
          HostTensor.random(n, columns, 1.5, random),
          random.ints(n, 0, 3).toArray(),
          random.nextInt(columns - experts + 1),
          experts,
          topK);
    }

    double[] row(double[][] values, int t) {
      return Arrays.copyOfRange(values[t], column, column + experts);
    }

    /** One for the K largest logits of each row, lower index first; NaN outside the columns. */
    HostTensor gates() {
      HostTensor gates = HostTensor.filled(logits.rows(), logits.cols(), Float.NaN);
      for (int t = 0; t < logits.rows(); t++) {
        double[] row = row(logits.toRows(), t);
        for (int e = 0; e < experts; e++) {
          int self = e;
          long before =
              IntStream.range(0, experts)
                  .filter(o -> row[o] > row[self] || (row[o] == row[self] && o < self))
                  .count();
          gates.set(t, column + e, before < topK ? 1f / topK : 0);
        }
      }
      return gates;
    }

    double countedRows() {
      return Arrays.stream(rowWeights).sum();
    }

    /** f: which share of the picks each expert has. */
    double[] shares() {
      double[] shares = new double[experts];
      HostTensor gates = gates();
      for (int t = 0; t < rowWeights.length; t++) {
        for (int e = 0; e < experts; e++) {
          if (gates.get(t, column + e) != 0) {
            shares[e] += rowWeights[t] / (topK * countedRows());
          }
        }
      }
      return shares;
    }

    /** {@code N Σ_i f_i P_i} with f given and P from these logits. */
    double loss(double[] shares, double[][] changedLogits) {
      double loss = 0;
      for (int t = 0; t < rowWeights.length; t++) {
        double[] p = Doubles.softmax(row(changedLogits, t));
        loss += experts * rowWeights[t] / countedRows() * Doubles.dot(shares, p);
      }
      return loss;
    }
  }

  private static Router router(int index, int tokens) {
    int experts = cycle(new int[] {2, 3, 4, 8, 7, 16, 17}, index);
    int topK = Math.min(experts, 1 + index % 3);
    return Router.random(tokens, experts, topK, experts + index % 4, new Random(index));
  }

  private static Experiment statistics(Router router, HostTensor start) {
    return bench ->
        bench
            .backend()
            .routers()
            .statistics(
                bench.f32("logits", router.logits),
                bench.f32("gates", router.gates()),
                bench.ints(router.logits.rows(), 1, router.rowWeights),
                router.column,
                bench.f32Sum("statistics", start));
  }

  private static Experiment loss(HostTensor statistics, float factor, float start) {
    return bench ->
        bench
            .backend()
            .routers()
            .balanceLoss(
                bench.f32("statistics", statistics),
                factor,
                bench.f32Sum("loss", HostTensor.filled(1, 1, start)));
  }

  private static Experiment backward(
      Router router, HostTensor statistics, float factor, HostTensor start) {
    return bench ->
        bench
            .backend()
            .routers()
            .balanceBackward(
                bench.f32("logits", router.logits),
                bench.ints(router.logits.rows(), 1, router.rowWeights),
                router.column,
                router.topK,
                bench.f32("statistics", statistics),
                factor,
                bench.f32Sum("dLogits", start));
  }

  private HostTensor statisticsOf(Router router) {
    return run(statistics(router, HostTensor.filled(2, router.experts, 0))).get("statistics");
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 5, 7, 17, 131})
  void allMatchTheReference(int tokens) {
    for (int index = 0; index < 14; index++) {
      Router router = router(index, tokens);
      Random random = new Random(index);
      HostTensor start = HostTensor.generate(2, router.experts, () -> random.nextInt(1, 50));
      matchesReference(Tolerance.BALANCE, statistics(router, start));
      matchesReference(Tolerance.BALANCE, loss(start, 0.7f, 3));
      HostTensor dLogits = HostTensor.random(tokens, router.logits.cols(), 0.1, new Random(index));
      matchesReference(Tolerance.BALANCE, backward(router, start, 1.5f, dLogits));
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 1, 2, 3, 4, 5, 6, 7})
  void lossAndGradientFollowTheirDefinition(int index) {
    Router router = router(index, 17);
    HostTensor statistics = statisticsOf(router);
    double[] shares = router.shares();
    double[][] logits = router.logits.toRows();
    double expected = 5 + 0.5 * router.loss(shares, logits);
    near(Tolerance.BALANCE, "loss", run(loss(statistics, 0.5f, 5)), new double[] {expected});
    double[][] gradient = Doubles.gradient(logits, changed -> 20 * router.loss(shares, changed));
    HostTensor zero = HostTensor.filled(17, router.logits.cols(), 0);
    near(Tolerance.BALANCE, "dLogits", run(backward(router, statistics, 20, zero)), gradient);
  }

  @Test
  void aRowCountsAsOftenAsItsWeight() {
    Random random = new Random(3);
    HostTensor row = HostTensor.random(1, 5, 1, random);
    HostTensor twice = new HostTensor(2, 5, new float[10]);
    System.arraycopy(row.values(), 0, twice.values(), 0, 5);
    System.arraycopy(row.values(), 0, twice.values(), 5, 5);
    Tolerance.BALANCE.check(
        "statistics",
        statisticsOf(new Router(row, new int[] {2}, 0, 5, 2)),
        statisticsOf(new Router(twice, new int[] {1, 1}, 0, 5, 2)),
        precision());
  }

  @Test
  void withoutCountedRowsThereIsNeitherLossNorGradient() {
    Router router =
        new Router(HostTensor.random(3, 4, 1, new Random(1)), new int[] {0, 0, 0}, 0, 4, 2);
    HostTensor statistics = statisticsOf(router);
    assertThat(statistics.values()).containsOnly(0);
    assertThat(run(loss(statistics, 1, 0.25f)).get("loss").values()).containsExactly(0.25f);
    HostTensor start = HostTensor.filled(3, 4, 0.5f);
    assertThat(run(backward(router, statistics, 1, start)).get("dLogits").values())
        .containsOnly(0.5f);
  }

  @Test
  void anyNumberOfThreadsGivesTheSameBits() {
    Router router = router(3, 131);
    sameBitsForAnyThreads(statistics(router, HostTensor.filled(2, 8, 0)));
    HostTensor start = HostTensor.filled(131, router.logits.cols(), 0);
    sameBitsForAnyThreads(backward(router, statisticsOf(router), 1, start));
  }

  @Test
  void nanShowsInLossAndGradient() {
    Router router = router(2, 7);
    Arrays.fill(router.rowWeights, 1);
    HostTensor gates = router.gates();
    router.logits.set(3, router.column, Float.NaN);
    HostTensor statistics =
        run(bench ->
                bench
                    .backend()
                    .routers()
                    .statistics(
                        bench.f32("logits", router.logits),
                        bench.f32("gates", gates),
                        bench.ints(7, 1, router.rowWeights),
                        router.column,
                        bench.f32Sum("statistics", HostTensor.filled(2, router.experts, 0))))
            .get("statistics");
    assertThat(run(loss(statistics, 1, 0)).get("loss").values()).containsExactly(Float.NaN);
    HostTensor start = HostTensor.filled(7, router.logits.cols(), 0);
    HostTensor dLogits = run(backward(router, statistics, 1, start)).get("dLogits");
    assertThat(dLogits.get(3, router.column)).isNaN();
    assertThat(dLogits.get(2, router.column)).isFinite();
  }

  /** Recorded losses and gradients of layers with one and with several routers. */
  @TestFactory
  List<DynamicTest> balanceLossesAreAsRecorded() {
    return Fixtures.json("golden/routing/balance.json")
        .get("cases")
        .valueStream()
        .map(recorded ->
            DynamicTest.dynamicTest(recorded.get("name").stringValue(), () -> replay(recorded)))
        .toList();
  }

  private void replay(JsonNode recorded) {
    Map<String, Router> routers = new LinkedHashMap<>();
    for (Map.Entry<String, JsonNode> module : recorded.get("logits").properties()) {
      if (recorded.get("n").get(module.getKey()).intValue() > 1) {
        routers.put(module.getKey(), recordedRouter(recorded, module.getValue()));
      }
    }
    float coefficient = recorded.get("coefficient").floatValue();
    boolean perModule = recorded.get("variant").stringValue().equals("masked_per_module");
    float factor = perModule ? coefficient / routers.size() : coefficient;
    double loss = 0;
    Map<String, HostTensor> gradients = new LinkedHashMap<>();
    for (List<String> term : terms(List.copyOf(routers.keySet()), perModule)) {
      Outputs results = run(bench -> term(bench, term.stream().map(routers::get).toList(), factor));
      loss += results.get("loss").get(0, 0);
      for (int i = 0; i < term.size(); i++) {
        gradients.put(term.get(i), results.get("dLogits" + i));
      }
    }
    double wanted = routers.isEmpty() ? 0 : coefficient * recorded.get("loss").doubleValue();
    Tolerance.BALANCE.check(
        "loss", HostTensor.filled(1, 1, (float) loss), new double[] {wanted}, precision());
    gradients.forEach((module, values) ->
        Tolerance.BALANCE.check(
            module,
            values,
            HostTensorJson.matrix(recorded.get("d_logits").get(module)),
            precision()));
  }

  private static List<List<String>> terms(List<String> modules, boolean perModule) {
    if (modules.isEmpty()) {
      return List.of();
    }
    return perModule ? modules.stream().map(List::of).toList() : List.of(modules);
  }

  private static Router recordedRouter(JsonNode recorded, JsonNode values) {
    HostTensor logits = HostTensorJson.matrix(values);
    boolean countsAll = recorded.get("variant").stringValue().equals("authors");
    int[] mask =
        recorded.get("mask").valueStream().mapToInt(m -> countsAll ? 1 : m.intValue()).toArray();
    int topK = Math.min(recorded.get("k").intValue(), logits.cols());
    return new Router(logits, mask, 0, logits.cols(), topK);
  }

  /** Statistics over all routers of a term, then the loss and every gradient. */
  private static void term(Bench bench, List<Router> routers, float factor) {
    int experts = routers.getFirst().experts;
    Tensor statistics = bench.f32Sum("statistics", HostTensor.filled(2, experts, 0));
    Tensor loss = bench.f32Sum("loss", HostTensor.filled(1, 1, 0));
    for (int i = 0; i < routers.size(); i++) {
      Router router = routers.get(i);
      bench
          .backend()
          .routers()
          .statistics(
              bench.f32("logits" + i, router.logits),
              bench.f32("gates" + i, router.gates()),
              bench.ints(router.logits.rows(), 1, router.rowWeights),
              0,
              statistics);
    }
    bench.backend().routers().balanceLoss(statistics, factor, loss);
    for (int i = 0; i < routers.size(); i++) {
      Router router = routers.get(i);
      HostTensor zero = HostTensor.filled(router.logits.rows(), experts, 0);
      bench
          .backend()
          .routers()
          .balanceBackward(
              bench.f32("logits again" + i, router.logits),
              bench.ints(router.logits.rows(), 1, router.rowWeights),
              0,
              router.topK,
              statistics,
              factor,
              bench.f32Sum("dLogits" + i, zero));
    }
  }
}
