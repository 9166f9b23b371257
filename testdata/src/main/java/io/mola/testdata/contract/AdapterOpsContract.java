package io.mola.testdata.contract;

import static org.assertj.core.api.Assertions.assertThat;

import io.mola.core.backend.Dropout;
import io.mola.testdata.Fixtures;
import io.mola.testdata.HostTensor;
import io.mola.testdata.contract.AdapterCase.Adapter;
import java.util.ArrayList;
import java.util.List;
import java.util.function.BiConsumer;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;

/** {@link io.mola.core.backend.AdapterOps}. */
public abstract class AdapterOpsContract extends BackendContract {
  private static final Dropout DROPOUT = new Dropout(0.3f, 0x1234_5678_9ABC_DEF0L, 7, 13, 5);

  /** Groups that differ in N, rank and K from member to member; N = 0 and N = 1 among them. */
  static List<List<Adapter>> layouts() {
    return List.of(
        List.of(new Adapter(1, 5, 1, 17)),
        List.of(new Adapter(4, 3, 2, 31)),
        List.of(new Adapter(2, 8, 1, 16), new Adapter(0, 0, 0, 9), new Adapter(5, 1, 3, 8)),
        List.of(new Adapter(1, 4, 1, 15), new Adapter(3, 2, 3, 1)),
        List.of(new Adapter(8, 8, 2, 33), new Adapter(8, 8, 2, 17), new Adapter(8, 8, 2, 5)),
        List.of(new Adapter(0, 0, 0, 7), new Adapter(1, 16, 1, 33), new Adapter(1, 7, 1, 4)));
  }

  private AdapterCase randomCase(List<Adapter> adapters, int tokens, int in, Dropout dropout) {
    return AdapterCase.random(adapters, tokens, in, dropout, precision(), 1000L * tokens + in);
  }

  @ParameterizedTest
  @MethodSource("layouts")
  void forwardMatchesTheReference(List<Adapter> adapters) {
    for (int i = 0; i < TOKENS.length; i++) {
      for (int in : new int[] {cycle(SIZES, 5 * i + 2), 320}) {
        AdapterCase drawn =
            randomCase(adapters, Math.min(TOKENS[i], 60), in, i % 2 == 0 ? DROPOUT : Dropout.NONE);
        for (long cache : new long[] {0, UNLIMITED}) {
          Outputs expected = runReference(drawn.forward());
          Outputs actual = run(backend(2, cache), drawn.forward());
          expected.forEach((name, values) ->
              (name.equals("gates") ? Tolerance.GATE : Tolerance.ADAPTER)
                  .check(name, actual.get(name), values, precision()));
        }
      }
    }
  }

  @ParameterizedTest
  @MethodSource("layouts")
  void backwardMatchesTheReferenceAndAdds(List<Adapter> adapters) {
    for (int i = 0; i < TOKENS.length; i++) {
      for (int in : new int[] {cycle(SIZES, 5 * i + 4), 320}) {
        AdapterCase drawn =
            randomCase(adapters, Math.min(TOKENS[i], 60), in, i % 2 == 0 ? Dropout.NONE : DROPOUT);
        Outputs state = runReference(drawn.forward());
        for (long cache : new long[] {0, UNLIMITED}) {
          matchesReference(backend(2, cache), Tolerance.ADAPTER, drawn.backward(state, i != 3));
        }
      }
    }
  }

  @ParameterizedTest
  @MethodSource("layouts")
  void forwardFollowsTheMixtureOfExpertsByDefinition(List<Adapter> adapters) {
    for (Dropout dropout : List.of(Dropout.NONE, DROPOUT)) {
      AdapterCase drawn = randomCase(adapters, 5, 17, dropout);
      Outputs run = run(drawn.forward());
      MixtureFormula formula = new MixtureFormula(drawn);
      for (int i = 0; i < adapters.size(); i++) {
        near(Tolerance.ADAPTER, "y" + i, run, formula.output(i));
      }
    }
  }

  /** Every gradient of {@code Σ_i ⟨dy_i, y_i⟩}, plus what the balance loss put into dLogits. */
  @ParameterizedTest
  @MethodSource("layouts")
  void gradientsAgreeWithFiniteDifferences(List<Adapter> adapters) {
    for (Dropout dropout : List.of(Dropout.NONE, DROPOUT)) {
      AdapterCase drawn = randomCase(adapters, 2, 5, dropout);
      Outputs gradients = run(drawn.backward(runReference(drawn.forward()), true));
      MixtureFormula formula = new MixtureFormula(drawn);
      BiConsumer<String, double[][]> agrees =
          (name, parameter) ->
              near(
                  Tolerance.ADAPTER,
                  "d" + name,
                  gradients,
                  Doubles.plus(
                      Doubles.gradient(parameter, changed -> formula.objective()),
                      drawn.start("d" + name).toRows()));
      agrees.accept("a", formula.a());
      agrees.accept("x", formula.x());
      if (drawn.routed() > 0) {
        agrees.accept("router", formula.router());
      }
      for (int i = 0; i < adapters.size(); i++) {
        if (adapters.get(i).experts() > 0) {
          agrees.accept("b" + i, formula.b(i));
        }
      }
    }
  }

  @Test
  void withoutGradientOfTheInputTheOthersAreTheSame() {
    AdapterCase drawn = randomCase(layouts().get(2), 17, 33, DROPOUT);
    Outputs state = runReference(drawn.forward());
    Outputs with = run(drawn.backward(state, true));
    Outputs without = run(drawn.backward(state, false));
    assertThat(without.names()).doesNotContain("dx").hasSize(with.names().size() - 1);
    without.forEach(
        (name, values) -> Tolerance.ADAPTER.check(name, values, with.get(name), precision()));
  }

  @ParameterizedTest
  @MethodSource("layouts")
  void anyNumberOfThreadsGivesTheSameBits(List<Adapter> adapters) {
    for (int tokens : new int[] {5, 131}) {
      AdapterCase drawn = randomCase(adapters, tokens, 67, DROPOUT);
      sameBitsForAnyThreads(drawn.forward());
      sameBitsForAnyThreads(drawn.backward(run(drawn.forward()), true));
    }
  }

  /** With A the identity, z is x ⊙ D: each element of the mask shows. */
  @ParameterizedTest
  @ValueSource(longs = {0, 3, 1L << 30, 1L << 40})
  void dropoutDrawsItsMaskFromPositionAlone(long firstRow) {
    for (int in : new int[] {1, 5, 16, 31}) {
      Dropout dropout = new Dropout(0.3f, -99, 3, 8, firstRow);
      HostTensor z = run(AdapterCase.showingTheMask(9, in, dropout).forward()).get("z");
      for (int t = 0; t < 9; t++) {
        for (int i = 0; i < in; i++) {
          boolean kept = MixtureFormula.keeps(dropout, in, t, i);
          assertThat(z.get(t, i))
              .as("row %d, column %d", t, i)
              .isEqualTo(kept ? precision().round(dropout.keptScale()) : 0);
        }
      }
    }
  }

  @Test
  void dropoutOfALaterPartIsThatOfTheWhole() {
    Dropout ofPart = new Dropout(0.3f, 42, 1, 2, 11);
    Dropout ofWhole = new Dropout(0.3f, 42, 1, 2, 0);
    HostTensor part = run(AdapterCase.showingTheMask(6, 13, ofPart).forward()).get("z");
    HostTensor whole = run(AdapterCase.showingTheMask(17, 13, ofWhole).forward()).get("z");
    sameBits("mask", part, whole.rows(11, 17));
  }

  @Test
  void nanInARowStaysInItsRow() {
    AdapterCase drawn = randomCase(layouts().get(2), 9, 16, Dropout.NONE);
    drawn.x().set(5, 3, Float.NaN);
    Outputs run = run(drawn.forward());
    for (int i = 0; i < 3; i++) {
      HostTensor y = run.get("y" + i);
      for (int t = 0; t < y.rows(); t++) {
        assertThat(Float.isNaN(y.get(t, 0))).as("y%d row %d", i, t).isEqualTo(t == 5);
      }
    }
  }

  @Test
  void ofEqualLogitsTheLowerIndexIsChosen() {
    AdapterCase drawn =
        AdapterCase.random(List.of(new Adapter(5, 1, 2, 3)), 3, 4, Dropout.NONE, precision(), 3);
    for (int col = 0; col < 4; col++) {
      for (int e = 0; e < 5; e++) {
        drawn.parameter("router").set(e, col, e == 0 ? -1 : 1);
      }
    }
    HostTensor x = drawn.x();
    for (int i = 0; i < x.values().length; i++) {
      x.values()[i] = 1;
    }
    HostTensor gates = run(drawn.forward()).get("gates");
    assertThat(gates.rows(2, 3).values()).containsExactly(0, 0.5f, 0.5f, 0, 0);
  }

  /** Recorded gates, selections and gradients of the logits. */
  @Test
  void gatesAndTheirGradientsAreAsRecorded() {
    JsonNode cases = Fixtures.json("golden/routing/gate.json").get("cases");
    assertThat(cases.size()).isPositive();
    for (JsonNode recorded : cases) {
      if (recorded.get("n").intValue() == 1) {
        continue; // one expert has no router
      }
      HostTensor logits = HostTensorJson.matrix(recorded.get("logits"));
      HostTensor dGates =
          AdapterCase.rounded(HostTensorJson.matrix(recorded.get("d_gate")), precision());
      GateProbe probe = new GateProbe(logits, dGates, recorded.get("k").intValue());
      String name = recorded.get("name").stringValue();
      Outputs forward = run(probe.forward());
      HostTensor expected = HostTensorJson.matrix(recorded.get("gate"));
      Tolerance.GATE.check(name + " gates", forward.get("gates"), expected, precision());
      Tolerance.EXACT.check(name + " logits", forward.get("logits"), logits, precision());
      checkSelection(name, forward.get("gates"), recorded.get("selected"));
      Tolerance.GATE.check(
          name + " dLogits",
          run(probe.backward(expected)).get("dLogits"),
          HostTensorJson.matrix(recorded.get("d_logits")),
          precision());
    }
  }

  private static void checkSelection(String name, HostTensor gates, JsonNode selected) {
    for (int t = 0; t < gates.rows(); t++) {
      int row = t;
      List<Integer> found =
          IntStream.range(0, gates.cols()).filter(e -> gates.get(row, e) != 0).boxed().toList();
      List<Integer> wanted = new ArrayList<>();
      selected.get(t).forEach(e -> wanted.add(e.intValue()));
      assertThat(found).as("%s, row %d", name, t).containsExactlyInAnyOrderElementsOf(wanted);
    }
  }
}
