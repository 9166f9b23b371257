package io.mola.perf.product;

import io.mola.core.quant.QuantType;
import io.mola.perf.machine.Arguments;
import java.util.Arrays;
import java.util.List;

/**
 * What the table of products measures.
 *
 * @param shapes of the matrices
 * @param rows of x
 * @param threads of every column
 * @param rounds of which the median counts
 * @param seconds for each column in each round
 * @param quant encoding of the columns that are not floats
 * @param libraries to compare with
 */
record ProductOptions(
    List<ProductShape> shapes,
    List<Integer> rows,
    int threads,
    int rounds,
    double seconds,
    QuantType quant,
    List<String> libraries) {

  static ProductOptions parse(String[] args) {
    Arguments arguments =
        Arguments.parse(
            args,
            "quick",
            "shapes",
            "tokens",
            "threads",
            "rounds",
            "milliseconds",
            "quant",
            "libraries");
    boolean quick = arguments.has("quick");
    String shapes = quick ? "576x1536,2048x2048,4096x4096" : "";
    String given = arguments.text("shapes", shapes);
    String found =
        String.join(
            ",", Implementation.libraries().stream().map(ProductLibrary::name).sorted().toList());
    return new ProductOptions(
        given.isEmpty() ? ProductShape.MODELS : ProductShape.parseAll(given),
        split(arguments.text("tokens", quick ? "256,512" : "64,256,512,2048")).stream()
            .map(Integer::valueOf)
            .toList(),
        arguments.number("threads", Runtime.getRuntime().availableProcessors()),
        arguments.number("rounds", 3),
        arguments.number("milliseconds", 60) / 1000.0,
        QuantType.valueOf(arguments.text("quant", "Q4_1")),
        split(arguments.text("libraries", found)));
  }

  private static List<String> split(String text) {
    return text.isEmpty() ? List.of() : Arrays.asList(text.split(",", -1));
  }
}
