package io.mola.gguf;

import io.mola.core.failure.MalformedFileException;
import io.mola.core.failure.UsageException;
import io.mola.core.safetensors.SafetensorsFile;
import io.mola.core.safetensors.SafetensorsTensor;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * The safetensors files of a checkpoint folder. An index may only name plain files of the folder
 * itself, so that it cannot make the program open anything else.
 */
final class CheckpointShards implements AutoCloseable {
  private static final String SINGLE = "model.safetensors";
  static final String INDEX = "model.safetensors.index.json";
  private static final JsonMapper MAPPER = JsonMapper.builder().build();

  private final Map<String, SafetensorsFile> files = new LinkedHashMap<>();
  private final Map<String, Placed> tensors = new LinkedHashMap<>();

  /** A tensor and the file that holds it. */
  record Placed(SafetensorsTensor tensor, SafetensorsFile file) {}

  private CheckpointShards() {}

  static CheckpointShards open(Path folder) {
    CheckpointShards shards = new CheckpointShards();
    try {
      if (Files.exists(folder.resolve(INDEX))) {
        shards.openIndexed(folder);
      } else if (Files.exists(folder.resolve(SINGLE))) {
        SafetensorsFile file = SafetensorsFile.open(folder.resolve(SINGLE));
        shards.files.put(SINGLE, file);
        file.tensors().forEach((name, t) -> shards.tensors.put(name, new Placed(t, file)));
      } else {
        throw new UsageException(
            folder
                + ": neither "
                + SINGLE
                + " nor "
                + INDEX
                + " (PyTorch .bin files are not read)");
      }
      return shards;
    } catch (RuntimeException e) {
      shards.close();
      throw e;
    }
  }

  private void openIndexed(Path folder) {
    Path index = folder.resolve(INDEX);
    JsonNode map = weightMap(index);
    for (Map.Entry<String, JsonNode> entry : map.properties()) {
      String shard = entry.getValue().isString() ? entry.getValue().stringValue() : "";
      if (shard.isEmpty() || shard.contains("/") || shard.contains("\\") || shard.contains(":")) {
        throw new MalformedFileException(
            index, "a shard name must be a plain file name in the same folder: " + shard);
      }
      if (!Files.isRegularFile(folder.resolve(shard))) {
        throw new MalformedFileException(index, shard + " is missing");
      }
      SafetensorsFile file =
          files.computeIfAbsent(shard, name -> SafetensorsFile.open(folder.resolve(name)));
      SafetensorsTensor tensor = file.tensors().get(entry.getKey());
      if (tensor == null) {
        throw new MalformedFileException(index, entry.getKey() + " is not in " + shard);
      }
      tensors.put(entry.getKey(), new Placed(tensor, file));
    }
    files.forEach((name, file) -> requireIndexed(index, name, file));
  }

  private void requireIndexed(Path index, String shard, SafetensorsFile file) {
    for (String name : file.tensors().keySet()) {
      Placed placed = tensors.get(name);
      if (placed == null) {
        throw new MalformedFileException(
            index, name + " of " + shard + " is missing from the index");
      }
      if (placed.file() != file) {
        throw new MalformedFileException(index, name + " is in two shards");
      }
    }
  }

  private static JsonNode weightMap(Path index) {
    try {
      JsonNode map = MAPPER.readTree(index.toFile()).path("weight_map");
      if (!map.isObject()) {
        throw new MalformedFileException(index, "has no weight_map");
      }
      return map;
    } catch (JacksonException e) {
      throw new MalformedFileException(index, "is not valid JSON: " + e.getOriginalMessage(), e);
    }
  }

  List<SafetensorsFile> files() {
    return new ArrayList<>(files.values());
  }

  Map<String, Placed> tensors() {
    return tensors;
  }

  @Override
  public void close() {
    files.values().forEach(SafetensorsFile::close);
  }
}
