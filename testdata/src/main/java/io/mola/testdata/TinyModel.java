package io.mola.testdata;

import io.mola.core.adapter.AdapterParameters;
import io.mola.core.adapter.AdapterTensor;
import io.mola.core.quant.QuantType;
import io.mola.core.quant.RowOrder;
import io.mola.core.quant.StoredMatrix;
import io.mola.core.weights.ModelConfig;
import io.mola.core.weights.Rope;
import io.mola.core.weights.TokenizerSource;
import io.mola.core.weights.WeightNames;
import io.mola.core.weights.WeightSource;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.SplittableRandom;

/**
 * A random Llama in memory, float32: weights scaled so that every part of the model moves the
 * result.
 */
public final class TinyModel implements WeightSource {
  private static final ValueLayout.OfFloat FLOAT =
      ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  private final ModelConfig config;
  private final Map<String, StoredMatrix> matrices = new LinkedHashMap<>();

  /**
   * A model of the given sizes.
   *
   * @param layers number of blocks
   * @param heads query heads
   * @param kvHeads key-value heads
   * @param headDim values per head
   * @param wide feed-forward size
   * @param vocabulary V
   * @param seed of the weights
   */
  public TinyModel(
      int layers, int heads, int kvHeads, int headDim, int wide, int vocabulary, long seed) {
    int hidden = heads * headDim;
    config =
        new ModelConfig(
            "llama",
            hidden,
            wide,
            layers,
            heads,
            kvHeads,
            headDim,
            vocabulary,
            1e-5,
            new Rope(10_000, new Rope.Plain()),
            256,
            0,
            true,
            QuantType.F32);
    SplittableRandom random = new SplittableRandom(seed);
    add(WeightNames.EMBEDDING, vocabulary, hidden, 0, 0.6, random);
    for (int l = 0; l < layers; l++) {
      add(WeightNames.inLayer(l, WeightNames.ATTENTION_NORM), 1, hidden, 1, 0.2, random);
      add(WeightNames.inLayer(l, WeightNames.FEED_FORWARD_NORM), 1, hidden, 1, 0.2, random);
      int key = kvHeads * headDim;
      linear(l, "self_attn.q_proj", hidden, hidden, random);
      linear(l, "self_attn.k_proj", key, hidden, random);
      linear(l, "self_attn.v_proj", key, hidden, random);
      linear(l, "self_attn.o_proj", hidden, hidden, random);
      linear(l, "mlp.gate_proj", wide, hidden, random);
      linear(l, "mlp.up_proj", wide, hidden, random);
      linear(l, "mlp.down_proj", hidden, wide, random);
    }
    add(WeightNames.FINAL_NORM, 1, hidden, 1, 0.2, random);
  }

  private void linear(int layer, String part, int out, int in, SplittableRandom random) {
    add(WeightNames.inLayer(layer, part), out, in, 0, 1 / Math.sqrt(in), random);
  }

  private void add(
      String name, int out, int in, double mean, double spread, SplittableRandom random) {
    byte[] bytes = new byte[4 * out * in];
    MemorySegment segment = MemorySegment.ofArray(bytes);
    for (long i = 0; i < (long) out * in; i++) {
      segment.setAtIndex(FLOAT, i, (float) (mean + spread * random.nextGaussian()));
    }
    matrices.put(
        name, new StoredMatrix(name, QuantType.F32, out, in, segment.asReadOnly(), RowOrder.PLAIN));
  }

  @Override
  public Path path() {
    return Path.of("tiny-model");
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
    List<TensorInfo> infos = new ArrayList<>();
    for (StoredMatrix m : matrices.values()) {
      infos.add(
          new TensorInfo(
              m.name(),
              m.type().name(),
              List.of((long) m.out(), (long) m.in()),
              m.bytes().byteSize()));
    }
    return infos;
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

  /** Parameters of an adapter in which B is not zero, so that all of it moves the result. */
  public static float[] parameters(AdapterParameters adapter) {
    float[] parameters = adapter.initial(3);
    Random random = new Random(11);
    for (AdapterTensor tensor : adapter.tensors()) {
      float[] values = tensor.read(parameters);
      for (int i = 0; i < values.length; i++) {
        values[i] += (float) (0.3 * random.nextGaussian());
      }
      tensor.write(values, parameters);
    }
    return parameters;
  }
}
