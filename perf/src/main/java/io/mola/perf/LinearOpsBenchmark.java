package io.mola.perf;

import io.mola.core.backend.Backend;
import io.mola.core.backend.BackendSettings;
import io.mola.core.backend.Backends;
import io.mola.core.backend.FrozenMatrix;
import io.mola.core.backend.Region;
import io.mola.core.quant.QuantType;
import io.mola.core.quant.RowOrder;
import io.mola.core.quant.StoredMatrix;
import io.mola.core.tensor.MemoryPlan;
import io.mola.core.tensor.Tensor;
import io.mola.testdata.HostTensor;
import io.mola.testdata.QuantisedMatrices;
import io.mola.testdata.contract.Precision;
import io.mola.testdata.contract.Tolerance;
import java.util.List;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/**
 * Products with one frozen matrix, both directions; see {@link PeakFlopsBenchmark} for the roof.
 */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.Throughput)
@OutputTimeUnit(TimeUnit.SECONDS)
@Warmup(iterations = 3, time = 2)
@Measurement(iterations = 5, time = 2)
@Fork(1)
@SuppressWarnings("NullAway.Init") // JMH sets the parameters, then calls prepare
public class LinearOpsBenchmark {
  private static final long SEED = 42;

  /** Rows that the slow reference backend computes too, before anything is timed. */
  private static final int CHECKED_ROWS = 5;

  /** What computes. */
  @Param("simd")
  public String backend;

  /** Its threads. */
  @Param({"1"})
  public int threads;

  /** Encoding of the matrix. */
  @Param({"F32", "F16", "Q8_0", "Q4_1", "Q4_K"})
  public String quant;

  /** out x in. */
  @Param({"576x576", "1536x576", "576x1536"})
  public String shape;

  /** Rows of x. */
  @Param("672")
  public int tokens;

  /** Whether packed panels are kept; otherwise the matrix is decoded at each use. */
  @Param("true")
  public boolean cached;

  private int out;
  private int in;
  private Product product;

  /** A backend with its buffers, and the product's operands in them. */
  private record Product(Backend backend, Region region, FrozenMatrix matrix) {
    static Product of(Backend backend, StoredMatrix matrix, int tokens) {
      Random random = new Random(SEED);
      int out = matrix.out();
      int in = matrix.in();
      Region region =
          backend
              .memory()
              .allocate(
                  new MemoryPlan.Builder()
                      .activation("x", tokens, in)
                      .activation("y", tokens, out)
                      .activation("dy", tokens, out)
                      .activation("dx", tokens, in)
                      .build());
      backend
          .memory()
          .upload(HostTensor.random(tokens, in, 1, random).values(), region.tensor("x"));
      backend
          .memory()
          .upload(HostTensor.random(tokens, out, 1, random).values(), region.tensor("dy"));
      return new Product(backend, region, backend.memory().load(matrix));
    }

    void forward(int rows) {
      backend.linear().forward(top("x", rows), List.of(matrix), List.of(top("y", rows)));
    }

    void backward(int rows) {
      backend.linear().backward(List.of(top("dy", rows)), List.of(matrix), top("dx", rows));
    }

    /** Waits for the queue by fetching the first rows of a result. */
    float[] fetch(String name, int rows) {
      Tensor tensor = top(name, rows);
      float[] values = new float[rows * tensor.cols()];
      backend.memory().download(tensor, values);
      return values;
    }

    private Tensor top(String name, int rows) {
      return region.tensor(name).top(rows);
    }

    void close() {
      matrix.close();
      region.close();
      backend.close();
    }
  }

  /** Makes the operands and compares a few rows with the reference backend. */
  @Setup(Level.Trial)
  public void prepare() {
    int cross = shape.indexOf('x');
    out = Integer.parseInt(shape.substring(0, cross));
    in = Integer.parseInt(shape.substring(cross + 1));
    QuantType type = QuantType.valueOf(quant);
    // Rows are whole blocks; for a type of long blocks the next width that it can store is taken.
    in = QuantisedMatrices.width(type, in);
    StoredMatrix matrix = QuantisedMatrices.random(type, out, in, RowOrder.PLAIN, SEED);
    BackendSettings settings = new BackendSettings(threads, cached ? Long.MAX_VALUE : 0);
    product = Product.of(Backends.choose(backend).open(settings), matrix, tokens);
    Product expected = Product.of(Backends.choose("reference").open(settings), matrix, tokens);
    for (Product each : List.of(product, expected)) {
      each.forward(CHECKED_ROWS);
      each.backward(CHECKED_ROWS);
    }
    requireNear("y", expected);
    requireNear("dx", expected);
    expected.close();
  }

  private void requireNear(String name, Product expected) {
    float[] found = product.fetch(name, CHECKED_ROWS);
    float[] wanted = expected.fetch(name, CHECKED_ROWS);
    double squares = 0;
    for (float value : wanted) {
      squares += value * (double) value;
    }
    double scale = Math.sqrt(squares / wanted.length);
    double bound = Tolerance.PRODUCT.bound(Precision.FLOAT32);
    for (int i = 0; i < wanted.length; i++) {
      if (!(Math.abs(found[i] - wanted[i]) <= bound * (Math.abs(wanted[i]) + scale))) {
        throw new IllegalStateException(
            "%s[%d] is %s, the reference has %s".formatted(name, i, found[i], wanted[i]));
      }
    }
  }

  /** y = x · Wᵀ. */
  @Benchmark
  public float[] forward(GigaFlops counter) {
    product.forward(tokens);
    counter.add((double) tokens * in * out);
    return product.fetch("y", 1);
  }

  /** dx += dy · W. */
  @Benchmark
  public float[] backward(GigaFlops counter) {
    product.backward(tokens);
    counter.add((double) tokens * in * out);
    return product.fetch("dx", 1);
  }

  /** Frees the buffers and ends the backend's threads. */
  @TearDown(Level.Trial)
  public void close() {
    product.close();
  }
}
