package io.mola.testdata.contract;

import io.mola.testdata.HostTensor;
import tools.jackson.databind.JsonNode;

/** Recorded numbers as tensors. */
final class HostTensorJson {
  private HostTensorJson() {}

  /** A list of equally long lists. */
  static HostTensor matrix(JsonNode rows) {
    double[][] values = rows.valueStream().map(HostTensorJson::doubles).toArray(double[][]::new);
    return HostTensor.of(values);
  }

  /** A list of numbers. */
  static double[] doubles(JsonNode list) {
    return list.valueStream().mapToDouble(JsonNode::doubleValue).toArray();
  }
}
