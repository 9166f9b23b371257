package io.mola.core.adapter;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.mola.core.failure.MalformedFileException;
import io.mola.core.failure.MolaException;
import io.mola.core.failure.UsageException;
import io.mola.core.model.Projection;
import io.mola.core.safetensors.SafetensorsFile;
import io.mola.core.safetensors.SafetensorsWriter;
import io.mola.core.safetensors.SafetensorsWriter.Source;
import io.mola.core.weights.ModelConfig;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

class AdapterFolderTest {
  private static final ModelConfig MODEL = Models.model(12, 20, 3, 3, 1, 4);
  private static final AdapterProvenance PROVENANCE =
      new AdapterProvenance(
          "models/base.gguf", "f1", "70cen", "7e3p1a7e", BalanceLoss.MASKED_PER_MODULE, 0.02);

  @TempDir private Path temp;

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "246                        | 2,4,3 | 2,3,4",
        "2                          | 8     | 1",
        "q_proj=123;down_proj=3     | 2     | 2",
        "1                          | 4     | 2",
        "1                          | 4,2,4 | 2",
        "q_proj=1;v_proj=1          | 4     | 2",
      })
  void loadsBackToEqualBits(String experts, String rank, String topK) {
    AdapterParameters layout = layout(experts, rank, topK);
    float[] parameters = random(layout, 1);
    String sha256 = AdapterFolder.save(temp, layout, parameters, PROVENANCE, false);
    LoadedAdapter loaded = load(temp);
    assertThat(loaded.parameters()).isEqualTo(parameters);
    assertThat(loaded.layout().shape()).isEqualTo(layout.shape());
    assertThat(loaded.provenance().baseFingerprint()).isEqualTo("f1");
    assertThat(loaded.provenance().chatTemplateHash()).isEqualTo("7e3p1a7e");
    if (!AdapterConfigWriter.isPlainLora(layout.shape())) {
      assertThat(loaded.provenance()).isEqualTo(PROVENANCE);
    }
    assertThat(AdapterFolder.sha256(temp.resolve(AdapterFolder.TENSORS))).isEqualTo(sha256);
    Path again = temp.resolve("again");
    assertThat(AdapterFolder.save(again, loaded.layout(), loaded.parameters(), PROVENANCE, false))
        .isEqualTo(sha256);
    assertThat(again.resolve(AdapterFolder.CONFIG))
        .hasSameBinaryContentAs(temp.resolve(AdapterFolder.CONFIG));
  }

  @Test
  void aMixtureSaysWhatTheAuthorsFormatLeavesOut() throws IOException {
    save("246", "2,4,3", "2,3,4");
    JsonNode config = config();
    assertThat(config.get("peft_type").asString()).isEqualTo("MOLA");
    assertThat(config.get("num_experts").toString()).isEqualTo("[2,4,6]");
    assertThat(config.get("top_k").toString()).isEqualTo("[2,3,4]");
    assertThat(config.get("lora_r").toString()).isEqualTo("[2,4,3]");
    assertThat(config.get("lora_alpha").toString()).isEqualTo("6");
    assertThat(config.get("base_fingerprint").asString()).isEqualTo("f1");
    try (SafetensorsFile file = SafetensorsFile.open(temp.resolve(AdapterFolder.TENSORS))) {
      assertThat(file.tensors())
          .containsKeys(
              "base_model.model.model.layers.2.mlp.down_proj.lora_A_5.weight",
              "base_model.model.model.layers.0.self_attn.q_proj.router.router.weight");
    }
  }

  @Test
  void oneExpertEverywhereIsALoraOfPeft() throws IOException {
    save("q_proj=1;v_proj=1", "4,2,4", "1");
    JsonNode config = config();
    assertThat(config.get("peft_type").asString()).isEqualTo("LORA");
    assertThat(config.get("r").toString()).isEqualTo("4");
    assertThat(config.get("rank_pattern").toString())
        .isEqualTo("{\"layers.1.self_attn.q_proj\":2,\"layers.1.self_attn.v_proj\":2}");
    assertThat(config.get("target_modules").toString()).isEqualTo("[\"q_proj\",\"v_proj\"]");
    assertThat(config.propertyNames()).doesNotContain("num_experts", "base_fingerprint");
    try (SafetensorsFile file = SafetensorsFile.open(temp.resolve(AdapterFolder.TENSORS))) {
      assertThat(file.tensors()).hasSize(12);
      assertThat(
              file.tensors()
                  .get("base_model.model.model.layers.1.self_attn.q_proj.lora_A.weight")
                  .shape())
          .containsExactly(2L, 12L);
    }
  }

  @Test
  void layersWithoutAdapterAreKeptApart() {
    List<AdapterShape.Layer> layers =
        List.of(
            new AdapterShape.Layer(Map.of(), 1, 1),
            new AdapterShape.Layer(Map.of(Projection.V, 1), 2, 1),
            new AdapterShape.Layer(Map.of(Projection.Q, 3, Projection.UP, 1), 2, 2));
    AdapterParameters layout = new AdapterParameters(MODEL, new AdapterShape(layers, 4.5, 0.25));
    float[] parameters = random(layout, 2);
    AdapterFolder.save(temp, layout, parameters, AdapterProvenance.UNKNOWN, false);
    LoadedAdapter loaded = load(temp);
    assertThat(loaded.layout().shape()).isEqualTo(layout.shape());
    assertThat(loaded.parameters()).isEqualTo(parameters);
    assertThat(loaded.provenance()).isEqualTo(AdapterProvenance.UNKNOWN);
  }

  @Test
  void theAuthorsLayoutNeedsTopKAndAlpha() {
    AdapterParameters layout = layout("246", "2,4,3", "2");
    float[] parameters = random(layout, 3);
    Path file = temp.resolve("authors.safetensors");
    SafetensorsWriter.write(file, Map.of(), sources(layout, parameters, AdapterTensor::name));
    LoadedAdapter loaded = AdapterFolder.load(file, MODEL, new AdapterFolder.Defaults(3, 6));
    assertThat(loaded.parameters()).isEqualTo(parameters);
    assertThat(loaded.layout().shape().alpha()).isEqualTo(6);
    assertThat(loaded.layout().shape().layers())
        .extracting(AdapterShape.Layer::topK)
        .containsExactly(2, 3, 3);
  }

  @Test
  void moePeftNamesAndSingleNumbersAreRead() throws IOException {
    AdapterParameters layout = layout("3", "2", "2");
    float[] parameters = random(layout, 4);
    SafetensorsWriter.write(
        temp.resolve(AdapterFolder.TENSORS),
        Map.of(),
        sources(layout, parameters, AdapterFolderTest::moePeftName));
    Files.writeString(
        temp.resolve(AdapterFolder.CONFIG),
        """
        {"peft_type": "MOLA", "routing_strategy": "mola", "r": 2, "num_experts": 3, "top_k": 1,
         "lora_alpha": 20, "lora_dropout": 0.05, "bias": "none"}
        """);
    LoadedAdapter loaded = load(temp);
    assertThat(loaded.parameters()).isEqualTo(parameters);
    assertThat(loaded.layout().shape().layers().getFirst().topK()).isEqualTo(1);
    assertThat(loaded.layout().shape().scale(0)).isEqualTo(10f);
  }

  @Test
  void aRouterOfOneExpertIsLeftOut() {
    AdapterParameters layout = layout("1", "2", "1");
    float[] parameters = random(layout, 5);
    List<Source> sources = sources(layout, parameters, AdapterTensor::name);
    sources.add(
        Source.f32(
            "base_model.model.model.layers.0.mlp.up_proj.router.router.weight",
            List.of(1L, 12L),
            new float[12]));
    Path file = temp.resolve("one.safetensors");
    SafetensorsWriter.write(file, Map.of(), sources);
    assertThat(load(file).parameters()).isEqualTo(parameters);
  }

  @Test
  void anAdapterIsNotOverwrittenUnasked() {
    save("2", "2", "2");
    AdapterParameters other = layout("3", "2", "2");
    assertThatThrownBy(() -> AdapterFolder.save(temp, other, random(other, 6), PROVENANCE, false))
        .isInstanceOf(UsageException.class)
        .hasMessage(
            temp.resolve("adapter_config.json")
                + ": exists; choose another folder or pass --overwrite");
    assertThat(load(temp).layout().shape().layers().getFirst().experts(Projection.Q)).isEqualTo(2);
    AdapterFolder.save(temp, other, random(other, 6), PROVENANCE, true);
    assertThat(load(temp).layout().shape().layers().getFirst().experts(Projection.Q)).isEqualTo(3);
    try (Stream<Path> files = Files.list(temp)) {
      assertThat(files.map(path -> path.getFileName().toString()))
          .containsExactlyInAnyOrder(AdapterFolder.CONFIG, AdapterFolder.TENSORS);
    } catch (IOException e) {
      throw new AssertionError(e);
    }
  }

  @Test
  void aValueThatIsNotFiniteIsNotSaved() {
    AdapterParameters layout = layout("2", "2", "2");
    float[] parameters = random(layout, 7);
    parameters[layout.tensors().getFirst().offset()] = Float.NaN;
    assertThatThrownBy(() -> AdapterFolder.save(temp, layout, parameters, PROVENANCE, false))
        .isInstanceOf(MolaException.class)
        .hasMessageContaining("layers.0.self_attn.q_proj.lora_A_0.weight holds NaN");
    assertThat(temp).isEmptyDirectory();
  }

  @Test
  void writingThatWasCutShortIsRecognised() throws IOException {
    save("2", "2", "2");
    Path config = temp.resolve(AdapterFolder.CONFIG);
    String text = Files.readString(config);
    Files.delete(config);
    assertMalformed(temp, "adapter_config.json: is missing, so the adapter was not written");
    AdapterParameters layout = layout("2", "2", "2");
    AdapterFolder.save(temp, layout, random(layout, 8), PROVENANCE, true);
    Files.writeString(config, text);
    assertMalformed(temp, "adapter_model.safetensors: SHA-256 is ");
  }

  @ParameterizedTest
  @CsvSource({"2, 3", "1, 2", "2, 1", "1, 1"})
  void anAdapterIsReplacedInOneInstant(String before, String after) throws IOException {
    AdapterParameters old = layout(before, "2", "1");
    AdapterParameters other = layout(after, "4", "1");
    Path made = temp.resolve("made");
    String sha256 = AdapterFolder.save(made, other, random(other, 2), PROVENANCE, false);
    Path folder = temp.resolve("replaced");
    AdapterFolder.save(folder, old, random(old, 1), PROVENANCE, false);
    Path waiting = folder.resolve(".adapter_config.json." + sha256);

    Files.copy(made.resolve(AdapterFolder.CONFIG), waiting);
    Path next = folder.resolve(".adapter_model.safetensors.next");
    Files.copy(made.resolve(AdapterFolder.TENSORS), next);
    assertThat(load(folder).parameters()).as("killed before").isEqualTo(random(old, 1));

    Files.move(next, folder.resolve(AdapterFolder.TENSORS), StandardCopyOption.REPLACE_EXISTING);
    assertThat(load(folder).parameters()).as("killed after").isEqualTo(random(other, 2));
    assertThat(load(folder).layout().shape()).isEqualTo(other.shape());

    AdapterFolder.save(folder, old, random(old, 3), PROVENANCE, true);
    assertThat(load(folder).parameters()).isEqualTo(random(old, 3));
    assertThat(folder.toFile().list())
        .containsExactlyInAnyOrder(AdapterFolder.CONFIG, AdapterFolder.TENSORS);
  }

  @Test
  void anotherBaseIsRefusedUnlessForced() {
    save("2", "2", "2");
    LoadedAdapter loaded = load(temp);
    loaded.requireBase("f1", false);
    loaded.requireBase("f2", true);
    assertThatThrownBy(() -> loaded.requireBase("f2", false))
        .isInstanceOf(UsageException.class)
        .hasMessage(
            temp
                + ": trained on a base model with fingerprint f1 (models/base.gguf), but this one"
                + " has f2; use that base, or --force");
  }

  @Test
  void damagedTensorsAreNamed() {
    String up = "base_model.model.model.layers.1.mlp.up_proj.";
    assertTensorFault(
        t -> t.remove(up + "lora_B_1.weight"), "tensor " + up + "lora_B_1.weight is missing");
    assertTensorFault(t -> t.remove(up + "lora_A_0.weight"), "up_proj of layer 1 has no expert 0");
    assertTensorFault(
        t -> t.remove(up + "router.router.weight"),
        "tensor " + up + "router.router.weight is missing");
    assertTensorFault(
        t -> t.put(up + "lora_A_9.weight", zeros(2, 12)),
        "up_proj of layer 1 has an expert 9, but not all below it");
    assertTensorFault(
        t -> t.put(up + "lora_A_1.weight", zeros(2, 13)),
        up + "lora_A_1.weight has shape [2, 13], but this model and adapter need [2, 12]");
    assertTensorFault(
        t -> t.put(up + "lora_A_0.weight", zeros(3, 12)), up + "lora_A_0.weight has rank 3, but");
    assertTensorFault(
        t -> t.put(up + "router.router.weight", zeros(3, 12)),
        up + "router.router.weight has shape [3, 12], but this model and adapter need [2, 12]");
    assertTensorFault(
        t -> t.put("base_model.model.lm_head.weight", zeros(2, 2)),
        "base_model.model.lm_head.weight is not a tensor of a MoLA or LoRA adapter");
    assertTensorFault(
        t -> t.put("base_model.model.model.layers.3.mlp.up_proj.lora_A_0.weight", zeros(2, 12)),
        "layers.3.mlp.up_proj.lora_A_0.weight is beyond the 3 layers of the model");
    assertTensorFault(
        t -> t.put("model.layers.1.mlp.up_proj.lora_A_1.weight", zeros(2, 12)),
        "are the same tensor");
    assertTensorFault(
        t -> t.put(up + "lora_A_1.weight", new Tensor(List.of(24L), new float[24])),
        up + "lora_A_1.weight has shape [24], not a matrix");
    float[] values = new float[24];
    values[13] = Float.POSITIVE_INFINITY;
    assertTensorFault(
        t -> t.put(up + "lora_A_1.weight", new Tensor(List.of(2L, 12L), values)),
        up + "lora_A_1.weight has the value Infinity in row 1, column 1");
  }

  @Test
  void ranksWithoutDataAreRefusedBeforeAllocation() {
    Path file = temp.resolve("empty.safetensors");
    Tensor huge = new Tensor(List.of(2_000_000_000L, 0L), new float[0]);
    write(file, Map.of("base_model.model.model.layers.0.mlp.up_proj.lora_A_0.weight", huge));
    assertThatThrownBy(() -> load(file)).isInstanceOf(UsageException.class);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "\"num_experts\" : [ 2, 2, 2 ] | \"num_experts\": [2, 2]       | num_experts has 2 entries, but the model has 3 layers",
        "\"num_experts\" : [ 2, 2, 2 ] | \"num_experts\": [2, 3, 2]    | num_experts says 3 for q_proj of layer 1, but there are tensors of 2",
        "\"num_experts\" : [ 2, 2, 2 ] | \"num_experts\": [2, 2.5, 2]  | num_experts: 2.5 is not a whole number",
        "\"top_k\" : [ 2, 2, 2 ]       | \"top_k\": [2, 3, 2]          | top_k: layer 1 chooses 3 of 2 experts",
        "\"top_k\" : [ 2, 2, 2 ]       | \"top_k\": 0                  | top_k: layer 0 chooses 0 of 2 experts",
        "\"lora_r\" : [ 2, 2, 2 ]      | \"lora_r\": [2, 2, 4]         | lora_r says 4 for layer 2, but its tensors have rank 2",
        "\"lora_alpha\" : 6            | \"lora_alpha\": 0             | lora_alpha 0.0 must be above 0",
        "\"lora_alpha\" : 6            | \"lora_alpha\": \"6\"         | lora_alpha: \"6\" is not a number",
        "\"lora_dropout\" : 0.05       | \"lora_dropout\": 1           | lora_dropout 1.0 must be at least 0 and below 1",
        "\"peft_type\" : \"MOLA\"      | \"peft_type\": \"LOHA\"       | peft_type is LOHA; LORA and MOLA are read",
        "\"routing_strategy\" : \"mola\" | \"routing_strategy\": \"x\" | routing_strategy is x; only mola is read",
        "\"lora_alpha\" : 6            | \"lora_alpha\": 6, \"use_dora\": true    | use_dora true is not supported",
        "\"lora_alpha\" : 6            | \"lora_alpha\": 6, \"use_rslora\": true  | use_rslora true is not supported",
        "\"lora_alpha\" : 6            | \"lora_alpha\": 6, \"lora_alpha\": 7     | not valid JSON",
        "\"router_aux_loss_type\" : \"masked-per-module\" | \"router_aux_loss_type\": \"z\" | router_aux_loss_type z is unknown",
      })
  void contradictionsOfTheConfigAreNamed(String from, String to, String message)
      throws IOException {
    save("2", "2", "2");
    Path file = temp.resolve(AdapterFolder.CONFIG);
    String text = Files.readString(file);
    String changed = text.replace(from, to);
    assertThat(changed).isNotEqualTo(text);
    Files.writeString(file, changed);
    assertMalformed(temp, AdapterFolder.CONFIG + ": " + message);
  }

  @Test
  void aPathWithoutAdapterIsRefused() {
    assertThatThrownBy(() -> load(temp))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("holds no adapter_model.safetensors");
    assertThatThrownBy(() -> load(temp.resolve("nothing")))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("no such file or folder");
  }

  private record Tensor(List<Long> shape, float[] values) {}

  private static Tensor zeros(long rows, long cols) {
    return new Tensor(List.of(rows, cols), new float[Math.toIntExact(rows * cols)]);
  }

  private void assertTensorFault(Consumer<Map<String, Tensor>> damage, String message) {
    AdapterParameters layout = layout("2", "2", "2");
    float[] parameters = random(layout, 9);
    Map<String, Tensor> tensors = new LinkedHashMap<>();
    for (AdapterTensor t : layout.tensors()) {
      tensors.put(
          t.name(), new Tensor(List.of((long) t.rows(), (long) t.cols()), t.read(parameters)));
    }
    Path file = temp.resolve("damaged.safetensors");
    write(file, tensors);
    assertThat(load(file).parameters()).isEqualTo(parameters);
    damage.accept(tensors);
    write(file, tensors);
    assertMalformed(file, message);
  }

  private static void write(Path file, Map<String, Tensor> tensors) {
    List<Source> sources = new ArrayList<>();
    tensors.forEach((name, t) -> sources.add(Source.f32(name, t.shape(), t.values())));
    SafetensorsWriter.write(file, Map.of(), sources);
  }

  private static void assertMalformed(Path path, String message) {
    assertThatThrownBy(() -> load(path))
        .isInstanceOf(MalformedFileException.class)
        .hasMessageStartingWith(path.toString())
        .hasMessageContaining(message)
        .message()
        .doesNotContain("\n");
  }

  private void save(String experts, String rank, String topK) {
    AdapterParameters layout = layout(experts, rank, topK);
    AdapterFolder.save(temp, layout, random(layout, 1), PROVENANCE, false);
  }

  private JsonNode config() throws IOException {
    return JsonMapper.builder()
        .build()
        .readTree(Files.readString(temp.resolve(AdapterFolder.CONFIG)));
  }

  private static LoadedAdapter load(Path path) {
    return AdapterFolder.load(path, MODEL, AdapterFolder.Defaults.OF_THE_PAPER);
  }

  private static AdapterParameters layout(String experts, String rank, String topK) {
    return new AdapterParameters(
        MODEL, new ExpertAllocation(experts, rank, topK, 6, 0.05, List.of()).resolve(MODEL));
  }

  private static float[] random(AdapterParameters layout, long seed) {
    Random random = new Random(seed);
    float[] flat = new float[layout.size()];
    for (AdapterTensor tensor : layout.tensors()) {
      for (int i = 0; i < tensor.size(); i++) {
        flat[tensor.offset() + i] = (float) random.nextGaussian();
      }
    }
    return flat;
  }

  private static List<Source> sources(
      AdapterParameters layout, float[] parameters, Function<AdapterTensor, String> name) {
    List<Source> sources = new ArrayList<>();
    for (AdapterTensor t : layout.tensors()) {
      List<Long> shape = List.of((long) t.rows(), (long) t.cols());
      sources.add(Source.f32(name.apply(t), shape, t.read(parameters)));
    }
    return sources;
  }

  private static String moePeftName(AdapterTensor t) {
    String prefix = "mola.layers." + t.layer() + "." + t.projection().path();
    return switch (t.kind()) {
      case A -> prefix + ".experts." + t.expert() + ".lora_A.weight";
      case B -> prefix + ".experts." + t.expert() + ".lora_B.weight";
      case ROUTER -> prefix + ".moe_gate.weight";
    };
  }
}
