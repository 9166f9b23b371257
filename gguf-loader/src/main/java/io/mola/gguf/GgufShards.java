package io.mola.gguf;

import io.mola.core.failure.MalformedFileException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** A GGUF model in one file, or in several named {@code …-00001-of-0000N.gguf}. */
final class GgufShards implements AutoCloseable {
  private static final Pattern NAME = Pattern.compile("(.*)-(\\d{5})-of-(\\d{5})\\.gguf");
  private static final String COUNT = "split.count";

  private final List<GgufFile> files = new ArrayList<>();

  /** A tensor and the file that holds it. */
  record Placed(GgufTensor tensor, GgufFile file) {}

  private GgufShards() {}

  /** Opens the first file and the shards that belong to it. */
  static GgufShards open(Path first) {
    GgufShards shards = new GgufShards();
    try {
      GgufFile file = GgufFile.open(first);
      shards.files.add(file);
      int count = new GgufMetadata(first, file.metadata()).positive(COUNT, 1);
      if (count > 1) {
        shards.openOthers(first, count);
      }
      return shards;
    } catch (RuntimeException e) {
      shards.close();
      throw e;
    }
  }

  private void openOthers(Path first, int count) {
    Path fileName = first.getFileName();
    Matcher matcher = NAME.matcher(fileName == null ? "" : fileName.toString());
    if (!matcher.matches() || Integer.parseInt(matcher.group(3)) != count) {
      throw new MalformedFileException(
          first,
          "says it is one of "
              + count
              + " shards, but is not named …-00001-of-%05d.gguf".formatted(count));
    }
    if (Integer.parseInt(matcher.group(2)) != 1) {
      throw new MalformedFileException(
          first, "is a later shard; name the first one, " + shard(matcher, 1));
    }
    for (int i = 2; i <= count; i++) {
      Path path = first.resolveSibling(shard(matcher, i));
      if (!Files.isRegularFile(path)) {
        throw new MalformedFileException(first, "shard " + path.getFileName() + " is missing");
      }
      files.add(GgufFile.open(path));
    }
  }

  private static String shard(Matcher matcher, int i) {
    return "%s-%05d-of-%s.gguf".formatted(matcher.group(1), i, matcher.group(3));
  }

  GgufFile first() {
    return files.getFirst();
  }

  List<GgufFile> files() {
    return List.copyOf(files);
  }

  /** All tensors by name; no name may be in two shards. */
  Map<String, Placed> tensors() {
    Map<String, Placed> all = new LinkedHashMap<>();
    for (GgufFile file : files) {
      for (GgufTensor tensor : file.tensorList()) {
        if (all.putIfAbsent(tensor.name(), new Placed(tensor, file)) != null) {
          throw new MalformedFileException(
              file.path(), "tensor " + tensor.name() + " is in two shards");
        }
      }
    }
    return all;
  }

  @Override
  public void close() {
    files.forEach(GgufFile::close);
  }
}
