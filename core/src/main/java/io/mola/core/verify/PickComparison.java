package io.mola.core.verify;

import io.mola.core.adapter.BalanceTerms;
import io.mola.core.adapter.MolaHook;
import io.mola.core.model.Projection;
import tools.jackson.databind.JsonNode;

/**
 * Compares how often each expert was picked: in float32 no pick of a recorded case depends on
 * rounding.
 *
 * @param mismatches experts whose count of picks differs from {@code step.json}
 * @param share picks that went elsewhere, of all
 */
record PickComparison(long mismatches, double share) {

  /** Compares the picks of the last pass. */
  static PickComparison of(MolaHook hook, GoldenJson expected) {
    long mismatches = 0;
    long apart = 0;
    long all = 0;
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
        long difference = Math.abs(counts[e] - picks.counts()[e]);
        mismatches += difference == 0 ? 0 : 1;
        apart += difference;
        all += counts[e];
      }
    }
    // a pick that went elsewhere is missing at one expert and too much at another
    return new PickComparison(mismatches, apart / (2.0 * Math.max(1, all)));
  }
}
