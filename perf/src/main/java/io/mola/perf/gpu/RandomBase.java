package io.mola.perf.gpu;

import io.mola.core.quant.QuantType;
import io.mola.core.quant.RowOrder;
import io.mola.core.quant.StoredMatrix;
import io.mola.core.weights.ModelConfig;
import io.mola.core.weights.TokenizerSource;
import io.mola.core.weights.WeightNames;
import io.mola.core.weights.WeightSource;
import io.mola.testdata.HostTensor;
import io.mola.testdata.QuantisedMatrices;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * A random base of a given shape. All layers are the same bytes on the host, so a large model takes
 * the memory of one layer there; a device holds each layer for itself.
 */
final class RandomBase implements WeightSource {
  private static final long SEED = 4;
  private static final int DRAWN_ROWS = 256;
  private static final int ALIGNMENT = 64;

  private final ModelConfig config;
  private final Map<String, StoredMatrix> matrices = new LinkedHashMap<>();

  RandomBase(BaseShape shape, QuantType type) {
    config = shape.config(type);
    int hidden = shape.hidden;
    int key = shape.kvHeads * shape.headDim();
    put(WeightNames.EMBEDDING, type, shape.vocabulary, hidden);
    put(WeightNames.HEAD, type, shape.vocabulary, hidden);
    matrices.put(WeightNames.FINAL_NORM, ones(hidden));
    inEachLayer(WeightNames.ATTENTION_NORM, ones(hidden));
    inEachLayer(WeightNames.FEED_FORWARD_NORM, ones(hidden));
    inEachLayer("self_attn.q_proj", matrix(type, hidden, hidden));
    inEachLayer("self_attn.k_proj", matrix(type, key, hidden));
    inEachLayer("self_attn.v_proj", matrix(type, key, hidden));
    inEachLayer("self_attn.o_proj", matrix(type, hidden, hidden));
    inEachLayer("mlp.gate_proj", matrix(type, shape.wide, hidden));
    inEachLayer("mlp.up_proj", matrix(type, shape.wide, hidden));
    inEachLayer("mlp.down_proj", matrix(type, hidden, shape.wide));
  }

  /**
   * Random rows, the same {@value #DRAWN_ROWS} again and again: drawing takes long, and only time
   * counts here.
   */
  static StoredMatrix matrix(QuantType type, int out, int in) {
    int rows = Math.min(out, DRAWN_ROWS);
    StoredMatrix drawn = QuantisedMatrices.random(type, rows, in, RowOrder.PLAIN, SEED);
    if (rows == out) {
      return drawn;
    }
    long bytes = out * type.rowBytes(in);
    MemorySegment all = Arena.ofAuto().allocate(bytes, ALIGNMENT);
    long drawnBytes = drawn.bytes().byteSize();
    for (long at = 0; at < bytes; at += drawnBytes) {
      MemorySegment.copy(drawn.bytes(), 0, all, at, Math.min(drawnBytes, bytes - at));
    }
    return new StoredMatrix(drawn.name(), type, out, in, all.asReadOnly(), RowOrder.PLAIN);
  }

  private static StoredMatrix ones(int size) {
    return QuantisedMatrices.f32(HostTensor.generate(1, size, () -> 1f));
  }

  private void put(String name, QuantType type, int out, int in) {
    matrices.put(name, matrix(type, out, in));
  }

  private void inEachLayer(String part, StoredMatrix matrix) {
    for (int l = 0; l < config.layers(); l++) {
      matrices.put(WeightNames.inLayer(l, part), matrix);
    }
  }

  @Override
  public Path path() {
    return Path.of("random-base");
  }

  @Override
  public String format() {
    return "random weights in memory";
  }

  @Override
  public ModelConfig config() {
    return config;
  }

  @Override
  public List<TensorInfo> tensors() {
    return matrices.entrySet().stream()
        .map(entry -> {
          StoredMatrix m = entry.getValue();
          return new TensorInfo(
              entry.getKey(),
              m.type().name(),
              List.of((long) m.out(), (long) m.in()),
              m.bytes().byteSize());
        })
        .toList();
  }

  @Override
  public Optional<StoredMatrix> find(String canonicalName) {
    return Optional.ofNullable(matrices.get(canonicalName));
  }

  @Override
  public StoredMatrix matrix(String canonicalName, int out, int in) {
    StoredMatrix found = find(canonicalName).orElseThrow();
    if (found.out() != out || found.in() != in) {
      throw new IllegalArgumentException(canonicalName + " is " + found.out() + " x " + found.in());
    }
    return found;
  }

  @Override
  public TokenizerSource tokenizer() {
    return new TokenizerSource.None("random weights have no words");
  }

  @Override
  public Map<String, Object> metadata() {
    return Map.of();
  }

  @Override
  public String fingerprint() {
    return "0".repeat(64);
  }

  @Override
  public long mappedBytes() {
    return 0;
  }

  @Override
  public void close() {}
}
