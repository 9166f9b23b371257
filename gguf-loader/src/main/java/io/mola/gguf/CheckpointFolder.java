package io.mola.gguf;

import io.mola.core.failure.MalformedFileException;
import io.mola.core.failure.UsageException;
import io.mola.core.model.Projection;
import io.mola.core.quant.QuantType;
import io.mola.core.quant.RowOrder;
import io.mola.core.quant.StoredMatrix;
import io.mola.core.safetensors.SafetensorsFile;
import io.mola.core.safetensors.SafetensorsTensor;
import io.mola.core.safetensors.SafetensorsType;
import io.mola.core.weights.ConfigJson;
import io.mola.core.weights.ModelConfig;
import io.mola.core.weights.RowChange;
import io.mola.core.weights.TokenizerSource;
import io.mola.core.weights.WeightNames;
import io.mola.core.weights.WeightSource;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** A checkpoint folder: {@code config.json} and one safetensors file, or shards with an index. */
final class CheckpointFolder implements WeightSource {
  private final Path folder;
  private final ModelConfig config;
  private final CheckpointShards shards;
  private final Map<String, StoredMatrix> matrices = new LinkedHashMap<>();

  private CheckpointFolder(Path folder, ModelConfig config, CheckpointShards shards) {
    this.folder = folder;
    this.shards = shards;
    for (CheckpointShards.Placed placed : shards.tensors().values()) {
      addMatrix(placed.tensor());
    }
    this.config = withStoredType(config);
    requireTensors();
  }

  static CheckpointFolder open(Path folder) {
    Path json = folder.resolve("config.json");
    if (!Files.isRegularFile(json)) {
      throw new UsageException(
          folder + ": no config.json; a checkpoint folder has config.json and *.safetensors");
    }
    ModelConfig config = ConfigJson.read(json);
    CheckpointShards shards = CheckpointShards.open(folder);
    try {
      return new CheckpointFolder(folder, config, shards);
    } catch (RuntimeException e) {
      shards.close();
      throw e;
    }
  }

  private void addMatrix(SafetensorsTensor tensor) {
    Optional<SafetensorsType> type = SafetensorsType.ofName(tensor.dtype());
    int rank = tensor.shape().size();
    boolean readable = rank == 1 || rank == 2;
    if (type.isEmpty() || !readable || tensor.shape().contains(0L)) {
      return; // not a weight of the model; a missing one is reported by its name
    }
    long in = tensor.shape().getLast();
    long out = rank == 1 ? 1 : tensor.shape().getFirst();
    if (in > Integer.MAX_VALUE || out > Integer.MAX_VALUE) {
      throw new MalformedFileException(folder, tensor.name() + " is too large");
    }
    matrices.put(
        tensor.name(),
        new StoredMatrix(
            tensor.name(),
            type.get().quantType(),
            (int) out,
            (int) in,
            tensor.bytes(),
            RowOrder.PLAIN));
  }

  private ModelConfig withStoredType(ModelConfig c) {
    StoredMatrix query = matrices.get(WeightNames.inLayer(0, Projection.Q.path()));
    QuantType type = query == null ? c.weightType() : query.type();
    return new ModelConfig(
        c.family(),
        c.hiddenSize(),
        c.intermediateSize(),
        c.layers(),
        c.heads(),
        c.kvHeads(),
        c.headDim(),
        c.vocabularySize(),
        c.rmsEpsilon(),
        c.rope(),
        c.contextLength(),
        c.slidingWindow(),
        c.tiedEmbeddings(),
        type);
  }

  private void requireTensors() {
    matrix(WeightNames.EMBEDDING, config.vocabularySize(), config.hiddenSize());
    matrix(WeightNames.FINAL_NORM, 1, config.hiddenSize());
    if (!config.tiedEmbeddings()) {
      matrix(WeightNames.HEAD, config.vocabularySize(), config.hiddenSize());
    }
    for (int l = 0; l < config.layers(); l++) {
      matrix(WeightNames.inLayer(l, WeightNames.ATTENTION_NORM), 1, config.hiddenSize());
      matrix(WeightNames.inLayer(l, WeightNames.FEED_FORWARD_NORM), 1, config.hiddenSize());
      for (Projection p : Projection.values()) {
        matrix(WeightNames.inLayer(l, p.path()), p.out(config), p.in(config));
      }
    }
  }

  @Override
  public Path path() {
    return folder;
  }

  @Override
  public String format() {
    int count = shards.files().size();
    return "safetensors checkpoint" + (count > 1 ? ", " + count + " shards" : "");
  }

  @Override
  public ModelConfig config() {
    return config;
  }

  @Override
  public List<TensorInfo> tensors() {
    List<TensorInfo> infos = new ArrayList<>();
    for (CheckpointShards.Placed placed : shards.tensors().values()) {
      SafetensorsTensor t = placed.tensor();
      infos.add(new TensorInfo(t.name(), t.dtype(), t.shape(), t.bytes().byteSize()));
    }
    return infos;
  }

  @Override
  public Optional<StoredMatrix> find(String canonicalName) {
    return Optional.ofNullable(matrices.get(canonicalName));
  }

  @Override
  public StoredMatrix matrix(String canonicalName, int out, int in) {
    StoredMatrix found = matrices.get(canonicalName);
    if (found == null) {
      CheckpointShards.Placed other = shards.tensors().get(canonicalName);
      throw new MalformedFileException(
          folder,
          canonicalName
              + (other == null
                  ? " is missing"
                  : ": type "
                      + other.tensor().dtype()
                      + " is not supported; supported: F32, F16, BF16"));
    }
    if (found.out() != out || found.in() != in) {
      throw new MalformedFileException(
          folder,
          "%s: expected [%d, %d], found [%d, %d]"
              .formatted(canonicalName, out, in, found.out(), found.in()));
    }
    return found;
  }

  @Override
  public TokenizerSource tokenizer() {
    boolean has =
        Files.exists(folder.resolve("tokenizer.json"))
            || Files.exists(folder.resolve("tokenizer.model"));
    return has
        ? new TokenizerSource.Folder(folder)
        : new TokenizerSource.None(
            folder + ": neither tokenizer.json nor tokenizer.model beside the checkpoint");
  }

  @Override
  public Map<String, Object> metadata() {
    Map<String, Object> metadata = new LinkedHashMap<>();
    shards.files().forEach(file -> metadata.putAll(file.metadata()));
    return metadata;
  }

  @Override
  public String fingerprint() {
    List<Fingerprint.Part> parts = new ArrayList<>();
    for (CheckpointShards.Placed placed : shards.tensors().values()) {
      SafetensorsTensor t = placed.tensor();
      SafetensorsFile file = placed.file();
      parts.add(
          new Fingerprint.Part(
              t.name(), t.dtype(), t.shape(), file.path(), file.offsetOf(t), t.bytes().byteSize()));
    }
    return Fingerprint.of(parts);
  }

  @Override
  public void rewrite(Path target, QuantType type, RowChange change) {
    new CheckpointRewriter(folder, shards, matrices, new ChangedRows(type, change)).write(target);
  }

  @Override
  public long mappedBytes() {
    return shards.files().stream().mapToLong(SafetensorsFile::bytes).sum();
  }

  @Override
  public void close() {
    shards.close();
  }
}
