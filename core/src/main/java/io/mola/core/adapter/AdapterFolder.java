package io.mola.core.adapter;

import io.mola.core.failure.MalformedFileException;
import io.mola.core.failure.MolaException;
import io.mola.core.failure.UsageException;
import io.mola.core.safetensors.AtomicFile;
import io.mola.core.safetensors.SafetensorsFile;
import io.mola.core.safetensors.SafetensorsWriter;
import io.mola.core.weights.ModelConfig;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;

/**
 * Adapters on disk: a folder with {@code adapter_config.json} and {@code
 * adapter_model.safetensors}.
 *
 * <p>A mixture has the tensor names of MoLA's authors, one tensor per expert, and says in its
 * config what theirs leaves out. An adapter with at most one expert everywhere is written as a LoRA
 * that PEFT loads.
 *
 * <p>An adapter appears, or replaces another, in one instant: when its tensors get their name.
 * Until then an older adapter is as it was. The config is written before, under a hidden name that
 * holds the SHA-256 of the tensors, and gets its own name afterwards. If the program is killed
 * between the two, loading finds the config that belongs to the tensors by that hash.
 */
public final class AdapterFolder {
  /** Name of the file with the tensors. */
  public static final String TENSORS = "adapter_model.safetensors";

  /** Name of the file that describes them. */
  public static final String CONFIG = "adapter_config.json";

  private static final String NEXT_TENSORS = "." + TENSORS + ".next";
  private static final String WAITING_CONFIG = "." + CONFIG + ".";
  private static final String WRITTEN_BY = "written_by";
  private static final String MOLA = "mola";
  private static final int BUFFER = 1 << 16;

  private AdapterFolder() {}

  /**
   * What to assume where a folder does not say: adapters of MoLA's authors hold no top-k, bare
   * files no alpha.
   *
   * @param topK K, where a layer has that many experts
   * @param alpha numerator of the scale alpha / r
   */
  public record Defaults(int topK, double alpha) {
    /** The paper's. */
    public static final Defaults OF_THE_PAPER = new Defaults(2, 16);
  }

  /**
   * Refuses a folder that holds an adapter, so that a run fails before it starts.
   *
   * @throws UsageException if there is an adapter and it may not be overwritten
   */
  public static void requireFree(Path folder, boolean overwrite) {
    if (Files.exists(folder) && !Files.isDirectory(folder)) {
      throw new UsageException(folder + ": is a file; name a folder for the adapter");
    }
    for (String name : List.of(CONFIG, TENSORS)) {
      if (!overwrite && Files.exists(folder.resolve(name))) {
        throw new UsageException(
            folder.resolve(name) + ": exists; choose another folder or pass --overwrite");
      }
    }
  }

  /**
   * Writes an adapter; the folder is made if it is missing.
   *
   * @param parameters flat, in the layout
   * @return SHA-256 of the tensor file, lower-case hex
   * @throws UsageException as {@link #requireFree}
   * @throws MolaException if a parameter is not finite, or writing fails
   */
  public static String save(
      Path folder,
      AdapterParameters layout,
      float[] parameters,
      AdapterProvenance provenance,
      boolean overwrite) {
    requireFree(folder, overwrite);
    List<AdapterTensor> tensors = layout.tensors();
    requireFinite(tensors, parameters);
    try {
      Files.createDirectories(folder);
    } catch (IOException e) {
      throw new UsageException(folder + ": cannot be made: " + e.getMessage(), e);
    }
    boolean plainLora = AdapterConfigWriter.isPlainLora(layout.shape());
    Map<String, String> metadata = new LinkedHashMap<>();
    metadata.put("format", "pt");
    metadata.put(WRITTEN_BY, MOLA);
    if (plainLora) {
      metadata.putAll(AdapterConfigWriter.provenanceKeys(provenance));
    }
    List<SafetensorsWriter.Source> sources = new ArrayList<>();
    for (AdapterTensor tensor : tensors) {
      sources.add(source(tensor, plainLora ? tensor.peftName() : tensor.name(), parameters));
    }
    Path next = folder.resolve(NEXT_TENSORS);
    try {
      SafetensorsWriter.write(next, metadata, sources);
      String sha256 = sha256(next);
      AdapterConfigWriter writer = new AdapterConfigWriter(layout.shape(), provenance);
      String config = plainLora ? writer.plainLora() : writer.mixture(sha256);
      publish(folder, sha256, config.getBytes(StandardCharsets.UTF_8));
      return sha256;
    } finally {
      deleteIfExists(next);
    }
  }

  /** Writes the config and gives the tensors, which are there already, their name. */
  private static void publish(Path folder, String sha256, byte[] config) {
    waitingConfigs(folder).forEach(AdapterFolder::deleteIfExists);
    Path waiting = folder.resolve(WAITING_CONFIG + sha256);
    AtomicFile.write(waiting, out -> out.write(config));
    try {
      AtomicFile.rename(folder.resolve(NEXT_TENSORS), folder.resolve(TENSORS));
    } catch (MolaException e) {
      deleteIfExists(waiting);
      throw e;
    }
    AtomicFile.rename(waiting, folder.resolve(CONFIG));
  }

  private static List<Path> waitingConfigs(Path folder) {
    try (Stream<Path> files = Files.list(folder)) {
      return files.filter(f -> f.getFileName().toString().startsWith(WAITING_CONFIG)).toList();
    } catch (IOException e) {
      throw new UsageException(folder + ": cannot be read: " + e.getMessage(), e);
    }
  }

  private static void deleteIfExists(Path file) {
    try {
      Files.deleteIfExists(file);
    } catch (IOException e) {
      throw new MolaException(file + ": cannot be deleted: " + e.getMessage(), e);
    }
  }

  /** The config of the tensors that are there: one still waiting for its name comes first. */
  private static Path configOf(Path folder) {
    List<Path> waiting = waitingConfigs(folder);
    if (!waiting.isEmpty()) {
      Path own = folder.resolve(WAITING_CONFIG + sha256(folder.resolve(TENSORS)));
      if (waiting.contains(own)) {
        return own;
      }
    }
    return folder.resolve(CONFIG);
  }

  private static SafetensorsWriter.Source source(
      AdapterTensor tensor, String name, float[] parameters) {
    return new SafetensorsWriter.Source(
        name,
        "F32",
        List.of((long) tensor.rows(), (long) tensor.cols()),
        4L * tensor.size(),
        out -> SafetensorsWriter.writeFloats(out, tensor.read(parameters)));
  }

  private static void requireFinite(List<AdapterTensor> tensors, float[] parameters) {
    for (AdapterTensor tensor : tensors) {
      for (float value : tensor.read(parameters)) {
        if (!Float.isFinite(value)) {
          throw new MolaException(
              "%s holds %s; the adapter is not saved. Lower the learning rate"
                  .formatted(tensor.name(), value));
        }
      }
    }
  }

  /**
   * Reads an adapter: a folder of mola, of MoLA's authors or of MoE-PEFT (as safetensors), a LoRA
   * folder of PEFT, or a bare safetensors file with the tensors of any of them.
   *
   * @param path folder or file
   * @param model that it is for
   * @throws UsageException if there is no adapter
   * @throws MalformedFileException if it is damaged, incomplete, not for this model or of a kind
   *     that is not supported; it names file and tensor
   */
  public static LoadedAdapter load(Path path, ModelConfig model, Defaults defaults) {
    boolean folder = Files.isDirectory(path);
    Path file = folder ? path.resolve(TENSORS) : path;
    if (!Files.isRegularFile(file)) {
      throw new UsageException(
          folder
              ? path + ": holds no " + TENSORS + ", so it is no adapter that can be read"
              : path + ": no such file or folder");
    }
    Path configFile = folder ? configOf(path) : file;
    boolean configured = folder && Files.isRegularFile(configFile);
    AdapterConfigFile config =
        configured ? AdapterConfigFile.read(configFile) : AdapterConfigFile.absent(configFile);
    try (SafetensorsFile tensors = SafetensorsFile.open(file)) {
      if (folder && !configured && MOLA.equals(tensors.metadata().get(WRITTEN_BY))) {
        throw new MalformedFileException(
            configFile, "is missing, so the adapter was not written to the end; write it again");
      }
      AdapterFileReader reader = new AdapterFileReader(tensors, model);
      AdapterShape shape = config.shape(reader.layers(), defaults);
      AdapterParameters layout = new AdapterParameters(model, shape);
      float[] parameters = reader.read(layout);
      requireSameFile(config, file);
      return new LoadedAdapter(path, layout, parameters, config.provenance(tensors.metadata()));
    }
  }

  private static void requireSameFile(AdapterConfigFile config, Path file) {
    String expected = config.sha256().orElse(null);
    if (expected == null) {
      return;
    }
    String actual = sha256(file);
    if (!actual.equals(expected)) {
      throw new MalformedFileException(
          file,
          "SHA-256 is %s, but %s says %s; the adapter was changed or not written to the end"
              .formatted(actual, CONFIG, expected));
    }
  }

  /** SHA-256 of a file, lower-case hex. */
  public static String sha256(Path file) {
    try (InputStream in = Files.newInputStream(file)) {
      MessageDigest digest = MessageDigest.getInstance("SHA-256");
      byte[] buffer = new byte[BUFFER];
      for (int read = in.read(buffer); read >= 0; read = in.read(buffer)) {
        digest.update(buffer, 0, read);
      }
      return HexFormat.of().formatHex(digest.digest());
    } catch (IOException e) {
      throw new UsageException(file + ": cannot be read: " + e.getMessage(), e);
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every JDK has SHA-256", e);
    }
  }
}
