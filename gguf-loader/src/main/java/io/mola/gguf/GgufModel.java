package io.mola.gguf;

import io.mola.core.failure.MalformedFileException;
import io.mola.core.model.Projection;
import io.mola.core.quant.QuantType;
import io.mola.core.quant.RowDecoder;
import io.mola.core.quant.RowOrder;
import io.mola.core.quant.StoredMatrix;
import io.mola.core.weights.ModelConfig;
import io.mola.core.weights.Rope;
import io.mola.core.weights.WeightNames;
import io.mola.core.weights.WeightSource;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Hyper-parameters of architecture llama, and the tensors that such a model must have. */
final class GgufModel {
  private static final String ARCHITECTURE = "llama";
  private static final int MOST_LAYERS = 100_000;

  private GgufModel() {}

  static ModelConfig config(GgufMetadata m, Map<String, GgufShards.Placed> tensors) {
    String architecture = m.string("general.architecture");
    if (!architecture.equals(ARCHITECTURE)) {
      throw m.fault(
          "architecture " + architecture + " is not supported; supported: " + ARCHITECTURE);
    }
    int hidden = m.positive("llama.embedding_length");
    int heads = m.positive("llama.attention.head_count");
    int kvHeads = m.positive("llama.attention.head_count_kv", heads);
    int headDim = headDim(m, hidden, heads);
    if ((long) heads * headDim > Integer.MAX_VALUE) {
      throw m.fault("head_count " + heads + " is impossible with heads of " + headDim);
    }
    if (heads % kvHeads != 0) {
      throw m.fault("head_count " + heads + " is not a multiple of head_count_kv " + kvHeads);
    }
    int layers = m.positive("llama.block_count");
    if (layers > MOST_LAYERS) {
      throw m.fault("llama.block_count " + layers + " is impossible");
    }
    GgufShards.@Nullable Placed embedding = tensors.get("token_embd.weight");
    if (embedding == null) {
      throw m.fault("tensor token_embd.weight is missing");
    }
    GgufShards.@Nullable Placed firstQuery = tensors.get("blk.0.attn_q.weight");
    return new ModelConfig(
        ARCHITECTURE,
        hidden,
        m.positive("llama.feed_forward_length"),
        layers,
        heads,
        kvHeads,
        headDim,
        (int) Math.min(Integer.MAX_VALUE, embedding.tensor().rows()),
        m.real("llama.attention.layer_norm_rms_epsilon"),
        rope(m, headDim, tensors.get(GgufNames.ROPE_DIVISORS)),
        m.positive("llama.context_length"),
        0,
        !tensors.containsKey("output.weight"),
        firstQuery == null ? QuantType.F32 : firstQuery.tensor().type());
  }

  private static int headDim(GgufMetadata m, int hidden, int heads) {
    if (m.has("llama.attention.key_length")) {
      int length = m.positive("llama.attention.key_length");
      if (length % 2 != 0 || m.positive("llama.attention.value_length", length) != length) {
        throw m.fault(
            "llama.attention.key_length " + length + " must be even and equal value_length");
      }
      return length;
    }
    if (hidden % heads != 0 || hidden / heads % 2 != 0) {
      throw m.fault(
          "embedding_length "
              + hidden
              + " is not a multiple of head_count "
              + heads
              + " with an even quotient");
    }
    return hidden / heads;
  }

  private static Rope rope(GgufMetadata m, int headDim, GgufShards.@Nullable Placed divisors) {
    double base = m.real("llama.rope.freq_base", 10_000);
    if (m.positive("llama.rope.dimension_count", headDim) != headDim) {
      throw m.fault(
          "llama.rope.dimension_count other than the head dim " + headDim + " is not supported");
    }
    if (divisors != null) {
      return new Rope(base, divisors(m, headDim, divisors.tensor()));
    }
    String scaling = m.stringOrNull("llama.rope.scaling.type");
    if (scaling == null || scaling.equals("none")) {
      return new Rope(base, new Rope.Plain());
    }
    if (scaling.equals("linear")) {
      return new Rope(base, new Rope.Linear(m.real("llama.rope.scaling.factor")));
    }
    throw m.fault(
        "rope scaling "
            + scaling
            + " is not supported; supported: none, linear, rope_freqs.weight");
  }

  private static Rope.Divisors divisors(GgufMetadata m, int headDim, GgufTensor tensor) {
    int count = headDim / 2;
    if (tensor.columns() != count || tensor.rows() != 1) {
      throw m.fault(
          "%s: expected [%d], found %s".formatted(tensor.name(), count, tensor.dimensions()));
    }
    float[] values = new float[count];
    RowDecoder.decodeRow(
        new StoredMatrix(tensor.name(), tensor.type(), 1, count, tensor.bytes(), RowOrder.PLAIN),
        0,
        values,
        0);
    for (float value : values) {
      if (!(value > 0) || Float.isInfinite(value)) {
        throw m.fault(tensor.name() + " has a divisor that is not a positive number");
      }
    }
    return new Rope.Divisors(values);
  }

  /** Checks that every tensor of the model is there in the right shape. */
  static void requireTensors(Path path, ModelConfig c, WeightSource source) {
    source.matrix(WeightNames.EMBEDDING, c.vocabularySize(), c.hiddenSize());
    source.matrix(WeightNames.FINAL_NORM, 1, c.hiddenSize());
    if (!c.tiedEmbeddings()) {
      source.matrix(WeightNames.HEAD, c.vocabularySize(), c.hiddenSize());
    }
    for (int l = 0; l < c.layers(); l++) {
      for (String norm : List.of(WeightNames.ATTENTION_NORM, WeightNames.FEED_FORWARD_NORM)) {
        requireFiniteNorm(path, source.matrix(WeightNames.inLayer(l, norm), 1, c.hiddenSize()));
      }
      for (Projection p : Projection.values()) {
        source.matrix(WeightNames.inLayer(l, p.path()), p.out(c), p.in(c));
      }
    }
    requireFiniteNorm(path, source.matrix(WeightNames.FINAL_NORM, 1, c.hiddenSize()));
  }

  private static void requireFiniteNorm(Path path, StoredMatrix norm) {
    float[] values = new float[norm.in()];
    RowDecoder.decodeRow(norm, 0, values, 0);
    for (float value : values) {
      if (!Float.isFinite(value)) {
        throw new MalformedFileException(path, norm.name() + " has a value that is not finite");
      }
    }
  }
}
