package io.mola.core.verify;

import io.mola.core.adapter.BalanceTerms;
import io.mola.core.adapter.MolaHook;
import io.mola.core.model.Projection;
import tools.jackson.databind.JsonNode;

/** Compares how often each expert was picked: no pick of a recorded case depends on rounding. */
final class PickComparison {
  private PickComparison() {}

  /** Number of experts whose count of picks differs from {@code step.json}. */
  static long mismatches(MolaHook hook, GoldenJson expected) {
    long mismatches = 0;
    for (BalanceTerms.Picks picks : hook.picks()) {
      Projection projection = picks.projection();
      JsonNode recorded =
          projection == null
              ? expected.require("routing_per_layer").get(picks.layer())
              : expected.require(
                  expected.require("routing_per_module").get(picks.layer()),
                  projection.shortName());
      int[] counts = GoldenJson.ints(expected.require(recorded, "picks"));
      for (int e = 0; e < counts.length; e++) {
        mismatches += counts[e] == picks.counts()[e] ? 0 : 1;
      }
    }
    return mismatches;
  }
}
