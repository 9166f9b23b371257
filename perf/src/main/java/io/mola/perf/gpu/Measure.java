package io.mola.perf.gpu;

import io.mola.core.backend.BackendProvider;
import io.mola.core.backend.BackendProvider.Availability;
import io.mola.core.backend.Backends;
import io.mola.core.quant.QuantType;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * One section of the measurement of the CUDA backend, for a process of its own: {@code Measure
 * full|tiny SECTION}, where SECTION is
 *
 * <pre>
 * probe                               what is there
 * contracts f32|bf16                  the contract of backends on the device
 * limits                              rates of cuBLAS and of a copy
 * operations                          rates of the backend's operations
 * training SHAPE TYPE graph|no-graph [lora]
 *                                     training speed and memory on a random base, with experts
 *                                     2-4-6-8 or plain LoRA
 * </pre>
 *
 * The result goes to standard output as {@link Answer} says. Exit code 1 if the section failed; the
 * reason is on the error stream.
 */
public final class Measure {
  private final Scale scale;
  private final Answer answer = new Answer(System.out);

  private Measure(Scale scale) {
    this.scale = scale;
  }

  /** Runs the section. */
  public static void main(String[] arguments) {
    List<String> section = Arrays.asList(arguments).subList(1, arguments.length);
    boolean ok;
    try {
      ok = new Measure(Scale.of(arguments[0])).run(section);
    } catch (RuntimeException | LinkageError e) {
      e.printStackTrace();
      System.err.println(e); // last, where the report looks for it
      ok = false;
    }
    System.exit(ok ? 0 : 1);
  }

  private boolean run(List<String> section) {
    return switch (section.getFirst()) {
      case "probe" -> probe();
      case "contracts" -> contracts(section.get(1));
      case "limits" -> limits();
      case "operations" -> operations();
      case "training" ->
          training(section.get(1), section.get(2), section.get(3), section.contains("lora"));
      default -> throw new IllegalArgumentException("no section " + section);
    };
  }

  private boolean probe() {
    BackendProvider cuda = Backends.choose("cuda");
    answer.node.put("java", System.getProperty("java.version"));
    answer.node.put("processors", Runtime.getRuntime().availableProcessors());
    boolean usable =
        switch (cuda.probe()) {
          case Availability.Usable(int priority, String detail) -> {
            answer.node.put("device", detail);
            yield true;
          }
          case Availability.Unusable(String reason, String remedy) -> {
            answer.node.put("unusable", reason).put("remedy", remedy);
            System.err.println("cuda is unusable: " + reason + "; " + remedy);
            yield false;
          }
        };
    answer.show();
    return usable;
  }

  private boolean contracts(String precision) {
    DeviceContracts.Found found = DeviceContracts.run(precision);
    answer.node.put("passed", found.passed()).put("failed", found.failures().size());
    ArrayNode failures = answer.node.putArray("failures");
    for (String failure : found.failures()) {
      failures.add(failure);
      System.err.println(failure);
    }
    answer.show();
    return found.failures().isEmpty() && found.passed() > 0;
  }

  private boolean limits() {
    double gigaBytes = new CopyRate(scale.copiedBytes).bytesPerSecond() / 1e9;
    answer.node.put("copyGigaBytesPerSecond", gigaBytes);
    answer.show();
    ArrayNode products = answer.node.putArray("products");
    BaseShape shape = scale.shape;
    int tokens = scale.productTokens;
    double best = 0;
    for (ProductRate product :
        List.of(
            new ProductRate(tokens, shape.hidden, shape.hidden),
            new ProductRate(tokens, shape.wide, shape.hidden),
            new ProductRate(tokens, shape.hidden, shape.wide))) {
      double teraFlops = product.flops() / product.seconds() / 1e12;
      best = Math.max(best, teraFlops);
      products
          .addObject()
          .put("tokens", product.tokens())
          .put("out", product.out())
          .put("in", product.in())
          .put("teraFlops", teraFlops);
      answer.node.put("cublasTeraFlops", best);
      answer.show();
    }
    return true;
  }

  private boolean operations() {
    ArrayNode rates = answer.node.putArray("rates");
    new OperationRates(scale.shape, scale.operationTokens)
        .measure(rate -> {
          rates
              .addObject()
              .put("name", rate.name())
              .put("microseconds", rate.seconds() * 1e6)
              .put("bytes", rate.bytes())
              .put("flops", rate.flops());
          answer.show();
        });
    return true;
  }

  private boolean training(String shape, String type, String graph, boolean lora) {
    System.setProperty("mola.cuda.graph", Boolean.toString(graph.equals("graph")));
    BaseShape base = BaseShape.valueOf(shape.toUpperCase(Locale.ROOT).replace('-', '_'));
    QuantType encoding = QuantType.valueOf(type);
    TrainingRate run =
        switch (scale) {
          case TINY -> new TrainingRate(BaseShape.TINY, encoding, lora, 2, 32, 4);
          case FULL -> new TrainingRate(base, encoding, lora, base.sequences, 1024, 5);
        };
    TrainingRate.Measured m = run.run();
    ObjectNode node = answer.node;
    node.put("name", run.label()).put("graph", graph.equals("graph"));
    node.put("tokensPerSecond", m.tokensPerSecond()).put("stepMillis", m.stepMillis());
    node.put("modelTeraFlops", m.teraFlops());
    node.put("plannedBytes", m.plannedBytes()).put("frozenBytes", m.frozenBytes());
    node.put("peakDeviceBytes", m.peakDeviceBytes());
    ArrayNode losses = node.putArray("losses");
    for (double loss : m.losses()) {
      losses.add(loss);
    }
    answer.show();
    return true;
  }
}
