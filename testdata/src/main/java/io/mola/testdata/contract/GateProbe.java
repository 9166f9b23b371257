package io.mola.testdata.contract;

import io.mola.core.backend.Dropout;
import io.mola.testdata.HostTensor;
import io.mola.testdata.QuantisedMatrices;
import io.mola.testdata.contract.AdapterCase.Adapter;
import java.util.List;
import java.util.Map;

/**
 * Leads given logits and gradients of gates through a group: with x the identity and the router
 * their transpose, the logits appear as they are; with W = 0, z = 1 and scale · B the identity, the
 * outputs are the gates, and gradients of the outputs are gradients of the gates.
 */
final class GateProbe {
  private final AdapterCase probe;
  private final int n;
  private final int experts;

  /**
   * Makes the group.
   *
   * @param logits [n, N]
   * @param dGates [n, N]
   */
  GateProbe(HostTensor logits, HostTensor dGates, int topK) {
    n = logits.rows();
    experts = logits.cols();
    HostTensor router = HostTensor.filled(experts, n, 0);
    for (int t = 0; t < n; t++) {
      for (int e = 0; e < experts; e++) {
        router.set(e, t, logits.get(t, e));
      }
    }
    HostTensor halfIdentity = identity(experts, 0.5f);
    probe =
        new AdapterCase(
            List.of(new Adapter(experts, 1, topK, experts)),
            identity(n, 1),
            List.of(QuantisedMatrices.f32(HostTensor.filled(experts, n, 0))),
            List.of(dGates),
            Map.of("a", HostTensor.filled(experts, n, 1), "router", router, "b0", halfIdentity),
            Map.of(
                "da", HostTensor.filled(experts, n, 0),
                "drouter", HostTensor.filled(experts, n, 0),
                "db0", HostTensor.filled(experts, experts, 0),
                "dLogits", HostTensor.filled(n, experts, 0),
                "dx", HostTensor.filled(n, n, 0)),
            Dropout.NONE);
  }

  private static HostTensor identity(int size, float diagonal) {
    HostTensor identity = HostTensor.filled(size, size, 0);
    for (int i = 0; i < size; i++) {
      identity.set(i, i, diagonal);
    }
    return identity;
  }

  BackendContract.Experiment forward() {
    return probe.forward();
  }

  BackendContract.Experiment backward(HostTensor gates) {
    Outputs saved =
        new Outputs(
            Map.of(
                "z", HostTensor.filled(n, experts, 1),
                "logits", HostTensor.filled(n, experts, 0),
                "gates", gates));
    return probe.backward(saved, true);
  }
}
