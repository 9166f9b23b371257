package io.mola.gguf;

import io.mola.core.failure.MolaException;
import io.mola.core.failure.UsageException;
import io.mola.core.quant.StoredMatrix;
import io.mola.core.safetensors.AtomicFile;
import io.mola.core.safetensors.SafetensorsFile;
import io.mola.core.safetensors.SafetensorsTensor;
import io.mola.core.safetensors.SafetensorsWriter;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/**
 * Copies a checkpoint folder, changing some matrices: the same shards with the same tensors in the
 * same order, a new index, and the files that describe model and tokenizer as they are. The folder
 * is built beside its place and then renamed.
 */
final class CheckpointRewriter {
  /** Files that belong to the model besides its weights. */
  private static final List<String> COMPANIONS =
      List.of(
          "config.json",
          "generation_config.json",
          "tokenizer.json",
          "tokenizer.model",
          "tokenizer_config.json",
          "special_tokens_map.json",
          "added_tokens.json",
          "vocab.json",
          "merges.txt",
          "chat_template.jinja",
          "chat_template.json",
          "LICENSE",
          "LICENSE.txt",
          "NOTICE");

  private static final JsonMapper MAPPER = JsonMapper.builder().build();

  private final Path folder;
  private final CheckpointShards shards;
  private final Map<String, StoredMatrix> matrices;
  private final ChangedRows changed;

  CheckpointRewriter(
      Path folder,
      CheckpointShards shards,
      Map<String, StoredMatrix> matrices,
      ChangedRows changed) {
    this.folder = folder;
    this.shards = shards;
    this.matrices = matrices;
    this.changed = changed;
  }

  void write(Path target) {
    if (Files.exists(target)) {
      throw new UsageException(target + ": exists already; choose a new folder");
    }
    Path parent = target.toAbsolutePath().getParent();
    if (parent == null || !Files.isDirectory(parent)) {
      throw new UsageException(target + ": the folder it is to be made in does not exist");
    }
    if (!Files.isWritable(parent)) {
      throw new UsageException(parent + ": cannot be written to; choose another folder");
    }
    Path temporary = parent.resolve("." + target.getFileName() + ".part");
    try {
      remove(temporary);
      Files.createDirectory(temporary);
      writeFiles(temporary);
      Files.move(temporary, target, StandardCopyOption.ATOMIC_MOVE);
    } catch (IOException e) {
      removeAfter(temporary, e);
      throw new MolaException(
          target + ": cannot be written: " + e.getMessage() + "; nothing was changed", e);
    } catch (RuntimeException | Error e) {
      removeAfter(temporary, e);
      throw e;
    }
  }

  private void writeFiles(Path to) throws IOException {
    for (String name : COMPANIONS) {
      if (Files.isRegularFile(folder.resolve(name))) {
        Files.copy(folder.resolve(name), to.resolve(name));
      }
    }
    long total = 0;
    for (SafetensorsFile file : shards.files()) {
      List<SafetensorsWriter.Source> sources = new ArrayList<>();
      for (SafetensorsTensor tensor : file.tensors().values()) {
        SafetensorsWriter.Source source = source(tensor);
        sources.add(source);
        total += source.byteSize();
      }
      Path name = folder.relativize(file.path());
      SafetensorsWriter.write(to.resolve(name.toString()), file.metadata(), sources);
    }
    Path index = folder.resolve(CheckpointShards.INDEX);
    if (Files.exists(index)) {
      ObjectNode root = (ObjectNode) MAPPER.readTree(index.toFile());
      root.putObject("metadata").put("total_size", total);
      byte[] json = MAPPER.writerWithDefaultPrettyPrinter().writeValueAsBytes(root);
      AtomicFile.write(to.resolve(CheckpointShards.INDEX), out -> out.write(json));
    }
  }

  private SafetensorsWriter.Source source(SafetensorsTensor tensor) {
    String name = tensor.name();
    StoredMatrix matrix = matrices.get(name);
    if (matrix == null || !changed.change().changes(name)) {
      return new SafetensorsWriter.Source(
          name,
          tensor.dtype(),
          tensor.shape(),
          tensor.bytes().byteSize(),
          out -> ChangedRows.copy(tensor.bytes(), out));
    }
    return new SafetensorsWriter.Source(
        name,
        changed.type().name(),
        tensor.shape(),
        changed.bytes(matrix),
        out -> changed.write(name, matrix, out));
  }

  private static void removeAfter(Path temporary, Throwable cause) {
    try {
      remove(temporary);
    } catch (IOException e) {
      cause.addSuppressed(e);
    }
  }

  /** Removes what an earlier run, or this one, left: a flat folder of files. */
  private static void remove(Path temporary) throws IOException {
    if (!Files.isDirectory(temporary)) {
      return;
    }
    try (Stream<Path> files = Files.list(temporary)) {
      for (Path file : files.toList()) {
        Files.delete(file);
      }
    }
    Files.delete(temporary);
  }
}
