package io.mola.perf.product;

import io.mola.perf.product.ProductRow.Direction;
import java.io.PrintStream;
import java.util.List;
import java.util.Locale;
import java.util.function.Predicate;
import java.util.function.ToDoubleFunction;

/** Prints the table of products. */
final class ProductReport {
  /** Column of the backend on floats from packed panels. */
  static final String OWN = "mola";

  /** Column of the backend on quantised weights from packed panels. */
  static final String QUANTISED = "mola coded";

  /** Column of the backend on quantised weights that are decoded at each use. */
  static final String UNCACHED = "uncached";

  /** Rows from which on the backend is compared with libraries as a whole. */
  private static final int BATCH = 256;

  private final ProductOptions options;
  private final PrintStream to;

  ProductReport(ProductOptions options, PrintStream to) {
    this.options = options;
    this.to = to;
  }

  void head() {
    to.printf(
        "%d threads, medians of %d rounds in turn, GFLOP/s; peak: fused multiply-adds on registers in"
            + " the same rounds; %s and %s: weights in %s, packed panels and no cache%n",
        options.threads(), options.rounds(), QUANTISED, UNCACHED, options.quant());
    to.printf("%-27s%7s%7s%7s", "", "peak", OWN, "/peak");
    options.libraries().forEach(name -> to.printf("%10s%7s", name, "ratio"));
    to.printf("%12s%7s%10s%7s%n", QUANTISED, "/" + OWN, UNCACHED, "/coded");
  }

  void line(ProductRow row) {
    double own = row.rate(OWN);
    to.printf(
        "%-9s%-12s%6d%7.0f%7.0f%7.2f",
        row.direction.name().toLowerCase(Locale.ROOT),
        row.shape,
        row.rows,
        row.peak() / 1e9,
        own / 1e9,
        own / row.peak());
    options
        .libraries()
        .forEach(name -> to.printf("%10.0f%7.2f", row.rate(name) / 1e9, own / row.rate(name)));
    double coded = row.rate(QUANTISED);
    double uncached = row.rate(UNCACHED);
    to.printf(
        "%12.0f%7.2f%10.0f%7.2f%n", coded / 1e9, coded / own, uncached / 1e9, uncached / coded);
    to.flush();
  }

  void summary(List<ProductRow> rows) {
    to.printf("%n%-45s%10s%8s%s%n", "", "geo. mean", "worst", "  at");
    for (Direction direction : Direction.values()) {
      Predicate<ProductRow> batch = row -> row.direction == direction && row.rows >= BATCH;
      String which = direction.name().toLowerCase(Locale.ROOT) + ", " + BATCH + " rows and more, ";
      for (String library : options.libraries()) {
        mean(which + "of " + library, rows, batch, row -> row.rate(OWN) / row.rate(library));
      }
      mean(which + "coded of " + OWN, rows, batch, row -> row.rate(QUANTISED) / row.rate(OWN));
      mean(
          which + "uncached of coded",
          rows,
          batch,
          row -> row.rate(UNCACHED) / row.rate(QUANTISED));
      mean(
          which + "large, of peak",
          rows,
          batch.and(row -> row.shape.isLarge()),
          row -> row.rate(OWN) / row.peak());
    }
  }

  private void mean(
      String name,
      List<ProductRow> rows,
      Predicate<ProductRow> which,
      ToDoubleFunction<ProductRow> ratio) {
    List<ProductRow> chosen = rows.stream().filter(which).toList();
    if (chosen.isEmpty()) {
      return;
    }
    double logarithms = 0;
    ProductRow worst = chosen.getFirst();
    for (ProductRow row : chosen) {
      logarithms += Math.log(ratio.applyAsDouble(row));
      if (ratio.applyAsDouble(row) < ratio.applyAsDouble(worst)) {
        worst = row;
      }
    }
    to.printf(
        "%-45s%10.2f%8.2f  %s, %d rows%n",
        name,
        Math.exp(logarithms / chosen.size()),
        ratio.applyAsDouble(worst),
        worst.shape,
        worst.rows);
  }
}
