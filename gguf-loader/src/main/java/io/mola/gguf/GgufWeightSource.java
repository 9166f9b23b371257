package io.mola.gguf;

import io.mola.core.failure.MalformedFileException;
import io.mola.core.quant.QuantType;
import io.mola.core.quant.RowOrder;
import io.mola.core.quant.StoredMatrix;
import io.mola.core.weights.ModelConfig;
import io.mola.core.weights.RowChange;
import io.mola.core.weights.TokenizerSource;
import io.mola.core.weights.WeightSource;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * A llama model in a GGUF file (or its shards), under canonical names and in canonical row order.
 */
final class GgufWeightSource implements WeightSource {
  private final Path path;
  private final GgufShards shards;
  private final Map<String, GgufShards.Placed> tensors;
  private final ModelConfig config;
  private final TokenizerSource tokenizer;
  private final Map<String, StoredMatrix> matrices = new LinkedHashMap<>();

  private GgufWeightSource(Path path, GgufShards shards) {
    this.path = path;
    this.shards = shards;
    tensors = shards.tensors();
    GgufMetadata metadata = new GgufMetadata(path, shards.first().metadata());
    config = GgufModel.config(metadata, tensors);
    for (GgufShards.Placed placed : tensors.values()) {
      addMatrix(placed.tensor());
    }
    GgufModel.requireTensors(path, config, this);
    tokenizer = GgufVocabulary.read(metadata, config.vocabularySize());
  }

  static GgufWeightSource open(Path path) {
    GgufShards shards = GgufShards.open(path);
    try {
      return new GgufWeightSource(path, shards);
    } catch (RuntimeException e) {
      shards.close();
      throw e;
    }
  }

  private void addMatrix(GgufTensor tensor) {
    if (tensor.name().equals(GgufNames.ROPE_DIVISORS)) {
      return;
    }
    String canonical =
        GgufNames.canonical(tensor.name())
            .orElseThrow(() ->
                new MalformedFileException(
                    path,
                    "unexpected tensor " + tensor.name() + " in a model of architecture llama"));
    if (tensor.rows() > Integer.MAX_VALUE || tensor.columns() > Integer.MAX_VALUE) {
      throw new MalformedFileException(path, "tensor " + tensor.name() + " is too large");
    }
    boolean paired = GgufNames.hasPairedRows(canonical) && tensor.rows() % config.headDim() == 0;
    matrices.put(
        canonical,
        new StoredMatrix(
            tensor.name(),
            tensor.type(),
            (int) tensor.rows(),
            (int) tensor.columns(),
            tensor.bytes(),
            paired ? new RowOrder(config.headDim()) : RowOrder.PLAIN));
  }

  @Override
  public Path path() {
    return path;
  }

  @Override
  public String format() {
    int count = shards.files().size();
    return "GGUF v" + shards.first().version() + (count > 1 ? ", " + count + " shards" : "");
  }

  @Override
  public ModelConfig config() {
    return config;
  }

  @Override
  public List<TensorInfo> tensors() {
    List<TensorInfo> infos = new ArrayList<>();
    for (GgufShards.Placed placed : tensors.values()) {
      GgufTensor t = placed.tensor();
      infos.add(
          new TensorInfo(
              t.name(), t.type().name(), t.dimensions().reversed(), t.bytes().byteSize()));
    }
    return infos;
  }

  @Override
  public Optional<StoredMatrix> find(String canonicalName) {
    return Optional.ofNullable(matrices.get(canonicalName));
  }

  @Override
  public StoredMatrix matrix(String canonicalName, int out, int in) {
    String name = GgufNames.ggufName(canonicalName);
    StoredMatrix found = matrices.get(canonicalName);
    if (found == null) {
      throw new MalformedFileException(path, "tensor " + name + " is missing");
    }
    if (found.out() != out || found.in() != in) {
      throw new MalformedFileException(
          path,
          "%s: expected [%d, %d], found [%d, %d]"
              .formatted(name, in, out, found.in(), found.out()));
    }
    return found;
  }

  @Override
  public TokenizerSource tokenizer() {
    return tokenizer;
  }

  @Override
  public Map<String, Object> metadata() {
    return shards.first().metadata();
  }

  @Override
  public String fingerprint() {
    List<Fingerprint.Part> parts = new ArrayList<>();
    for (GgufShards.Placed placed : tensors.values()) {
      GgufTensor t = placed.tensor();
      parts.add(
          new Fingerprint.Part(
              t.name(),
              t.type().name(),
              t.dimensions().reversed(),
              placed.file().path(),
              placed.file().offsetOf(t),
              t.bytes().byteSize()));
    }
    return Fingerprint.of(parts);
  }

  @Override
  public void rewrite(Path target, QuantType type, RowChange change) {
    new GgufRewriter(shards, this, new ChangedRows(type, change)).write(target);
  }

  @Override
  public long mappedBytes() {
    return shards.files().stream().mapToLong(GgufFile::bytes).sum();
  }

  @Override
  public void close() {
    shards.close();
  }
}
