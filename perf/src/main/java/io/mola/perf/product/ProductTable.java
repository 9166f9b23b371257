package io.mola.perf.product;

import io.mola.core.quant.QuantType;
import io.mola.perf.machine.FmaPeak;
import io.mola.perf.machine.Repetition;
import io.mola.perf.product.ProductRow.Direction;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Measures frozen products in turn: in each round every column once, and the peak. The libraries
 * multiply floats; the backend floats, and a quantised matrix from packed panels and without any
 * cache.
 */
final class ProductTable {
  private static final double PEAK_SECONDS = 0.02;

  /** For each column, shape and direction, so that the compiler is done before the first round. */
  private static final double WARM_UP_SECONDS = 0.2;

  private static final int WARM_UP_ROWS = 64;

  private final ProductOptions options;
  private final List<String> columns;

  ProductTable(ProductOptions options) {
    this.options = options;
    columns = new ArrayList<>(List.of(ProductReport.OWN));
    columns.addAll(options.libraries());
    columns.add(ProductReport.QUANTISED);
    columns.add(ProductReport.UNCACHED);
  }

  /** Measures all shapes; each line is told as soon as it is known. */
  List<ProductRow> measure(ProductReport report) {
    FmaPeak.warmUp(options.threads());
    List<ProductRow> all = new ArrayList<>();
    for (ProductShape shape : options.shapes()) {
      try (Contestants contestants = new Contestants(shape)) {
        for (int rows : options.rows()) {
          for (Direction direction : Direction.values()) {
            ProductRow row = new ProductRow(shape, rows, direction, columns);
            for (int round = 0; round < options.rounds(); round++) {
              contestants.runOnce(row);
            }
            report.line(row);
            all.add(row);
          }
        }
      }
    }
    return all;
  }

  /** The products of one shape, all on the same numbers. */
  private final class Contestants implements AutoCloseable {
    private final Map<String, FrozenProduct> products = new LinkedHashMap<>();

    Contestants(ProductShape shape) {
      int most = options.rows().stream().mapToInt(Integer::intValue).max().orElseThrow();
      Operands floats = Operands.random(QuantType.F32, shape, most);
      ProductCheck check = new ProductCheck(floats);
      open(ProductReport.OWN, "simd", floats, check);
      for (String library : options.libraries()) {
        open(library, library, floats, check);
      }
      Operands coded = Operands.random(options.quant(), shape, most);
      ProductCheck codedCheck = new ProductCheck(coded);
      open(ProductReport.QUANTISED, "simd", coded, codedCheck);
      open(ProductReport.UNCACHED, "simd" + Implementation.UNCACHED, coded, codedCheck);
    }

    private void open(String column, String implementation, Operands operands, ProductCheck check) {
      FrozenProduct product = new Implementation(implementation).open(operands, options.threads());
      products.put(column, product);
      check.accept(column, product);
      int few = Math.min(WARM_UP_ROWS, operands.rows());
      Repetition.secondsPerCall(() -> product.forward(few), WARM_UP_SECONDS);
      Repetition.secondsPerCall(() -> product.backward(few), WARM_UP_SECONDS);
    }

    void runOnce(ProductRow row) {
      row.addPeak(FmaPeak.flopsPerSecond(options.threads(), PEAK_SECONDS));
      products.forEach((column, product) -> {
        Runnable call = () -> row.direction.run(product, row.rows);
        row.add(column, Repetition.secondsPerCall(call, options.seconds()));
        Repetition.rest(restAfter(column));
      });
    }

    private static int restAfter(String column) {
      return switch (column) {
        case "mkl" -> 220;
        case "openblas" -> 250;
        default -> 0;
      };
    }

    @Override
    public void close() {
      products.values().forEach(FrozenProduct::close);
    }
  }

  /** {@code perf/benchmark products [--quick] [--threads N] ...}, see {@link ProductOptions}. */
  public static void main(String[] args) {
    ProductOptions options = ProductOptions.parse(args);
    ProductReport report = new ProductReport(options, System.out);
    report.head();
    report.summary(new ProductTable(options).measure(report));
  }
}
