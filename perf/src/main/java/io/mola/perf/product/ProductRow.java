package io.mola.perf.product;

import io.mola.perf.machine.Median;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** What was measured of one shape, number of rows and direction. */
final class ProductRow {
  /** Which product. */
  enum Direction {
    FORWARD,
    BACKWARD;

    void run(FrozenProduct product, int rows) {
      if (this == FORWARD) {
        product.forward(rows);
      } else {
        product.backward(rows);
      }
    }
  }

  final ProductShape shape;
  final int rows;
  final Direction direction;
  private final Median peak = new Median();
  private final Map<String, Median> rates = new LinkedHashMap<>();

  ProductRow(ProductShape shape, int rows, Direction direction, List<String> columns) {
    this.shape = shape;
    this.rows = rows;
    this.direction = direction;
    columns.forEach(name -> rates.put(name, new Median()));
  }

  void addPeak(double flopsPerSecond) {
    peak.add(flopsPerSecond);
  }

  void add(String column, double secondsPerCall) {
    Median rate = rates.get(column);
    if (rate == null) {
      throw new IllegalArgumentException("no column " + column);
    }
    rate.add(shape.flops(rows) / secondsPerCall);
  }

  double peak() {
    return peak.value();
  }

  /** Floating-point operations per second; NaN where the column was not measured. */
  double rate(String column) {
    Median rate = rates.get(column);
    return rate == null || rate.isEmpty() ? Double.NaN : rate.value();
  }
}
