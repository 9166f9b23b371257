package io.mola.cli;

import io.mola.cli.settings.Key;
import io.mola.core.adapter.AdapterFolder;
import io.mola.core.failure.MalformedFileException;
import io.mola.core.failure.UsageException;
import io.mola.core.safetensors.SafetensorsFile;
import io.mola.core.safetensors.SafetensorsTensor;
import io.mola.core.weights.ModelConfig;
import io.mola.core.weights.WeightFormats;
import io.mola.core.weights.WeightSource;
import io.mola.core.weights.WeightSource.TensorInfo;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Collectors;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.json.JsonMapper;

/** Shows what a model or an adapter is made of. */
@Command(
    name = "inspect",
    description =
        "Show what a model (GGUF file, checkpoint folder) or an adapter folder is made of.%n")
final class InspectCommand extends Subcommand {
  private static final int LONGEST_VALUE = 100;

  /** The kind of an adapter whose files do not say it. */
  private static final String UNSTATED = "unstated";

  @Parameters(paramLabel = "PATH", description = "Model or adapter.")
  private Path path = Path.of("");

  @Option(names = "--tensors", description = "List every tensor.")
  private boolean listTensors;

  @Override
  List<Key<?>> keys() {
    return List.of();
  }

  @Override
  String operands() {
    return " PATH";
  }

  @Override
  int run(Output output) {
    Map<String, Object> answer =
        Files.exists(path.resolve(AdapterFolder.TENSORS)) ? adapter() : model();
    show(answer, output);
    output.answer(answer);
    return 0;
  }

  private Map<String, Object> model() {
    if (!Files.exists(path)) {
      throw new UsageException(path + ": no such file or folder");
    }
    try (WeightSource source = WeightFormats.open(path)) {
      ModelConfig config = source.config();
      Map<String, Object> answer = new LinkedHashMap<>();
      answer.put("kind", "model");
      answer.put("format", source.format());
      answer.put("architecture", config.family());
      putShape(answer, config);
      putTensors(answer, source.tensors());
      answer.put("metadata", source.metadata());
      return answer;
    }
  }

  private static void putShape(Map<String, Object> answer, ModelConfig config) {
    answer.put("layers", config.layers());
    answer.put("hidden_size", config.hiddenSize());
    answer.put("intermediate_size", config.intermediateSize());
    answer.put("heads", config.heads());
    answer.put("kv_heads", config.kvHeads());
    answer.put("head_dim", config.headDim());
    answer.put("vocabulary_size", config.vocabularySize());
    answer.put("context_length", config.contextLength());
    answer.put("tied_embeddings", config.tiedEmbeddings());
  }

  private void putTensors(Map<String, Object> answer, List<TensorInfo> tensors) {
    answer.put("tensors", tensors.size());
    answer.put("parameters", tensors.stream().mapToLong(TensorInfo::elements).sum());
    answer.put("bytes", tensors.stream().mapToLong(TensorInfo::bytes).sum());
    answer.put(
        "types",
        tensors.stream()
            .collect(Collectors.groupingBy(TensorInfo::type, TreeMap::new, Collectors.counting())));
    if (listTensors) {
      List<Map<String, Object>> list = new ArrayList<>();
      for (TensorInfo tensor : tensors) {
        Map<String, Object> entry = new LinkedHashMap<>();
        entry.put("name", tensor.name());
        entry.put("type", tensor.type());
        entry.put("shape", tensor.shape());
        entry.put("bytes", tensor.bytes());
        list.add(entry);
      }
      answer.put("tensor_list", list);
    }
  }

  private Map<String, Object> adapter() {
    Map<String, Object> answer = new LinkedHashMap<>();
    answer.put("kind", "adapter");
    Path config = path.resolve(AdapterFolder.CONFIG);
    Map<?, ?> metadata = Files.exists(config) ? readConfig(config) : Map.of();
    Object method = metadata.get("peft_type");
    answer.put("architecture", method == null ? UNSTATED : lowerCase(method));
    Path file = path.resolve(AdapterFolder.TENSORS);
    try (SafetensorsFile tensors = SafetensorsFile.open(file)) {
      List<TensorInfo> infos = new ArrayList<>();
      for (SafetensorsTensor tensor : tensors.tensors().values()) {
        infos.add(new TensorInfo(tensor.name(), tensor.dtype(), tensor.shape(), tensor.byteSize()));
      }
      putTensors(answer, infos);
    }
    answer.put("sha256", AdapterFolder.sha256(file));
    if (!metadata.isEmpty()) {
      answer.put("metadata", metadata);
    }
    return answer;
  }

  private static String lowerCase(Object text) {
    return text.toString().toLowerCase(Locale.ROOT);
  }

  private static Map<?, ?> readConfig(Path config) {
    try {
      return JsonMapper.shared().readValue(config.toFile(), Map.class);
    } catch (JacksonException e) {
      throw new MalformedFileException(config, "not valid JSON: " + e.getOriginalMessage(), e);
    }
  }

  private void show(Map<String, Object> answer, Output output) {
    output.text().println(path);
    answer.forEach((key, value) -> {
      if (value instanceof Map<?, ?> map && key.equals("metadata")) {
        output.text().println("  metadata");
        map.forEach((name, entry) -> output.text().println("    " + name + ": " + brief(entry)));
      } else if (value instanceof List<?> list && key.equals("tensor_list")) {
        list.forEach(entry -> output.text().println("  " + entry));
      } else {
        output.text().printf("  %-18s %s%n", key.replace('_', ' '), shown(value));
      }
    });
  }

  private static String shown(Object value) {
    return value instanceof Number number
        ? String.format(Locale.ROOT, "%,d", number.longValue())
        : value.toString();
  }

  private static String brief(Object value) {
    String text = String.valueOf(value).replaceAll("\\R", "\\\\n");
    return text.length() <= LONGEST_VALUE ? text : text.substring(0, LONGEST_VALUE) + " ...";
  }
}
