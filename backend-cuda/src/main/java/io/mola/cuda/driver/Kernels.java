package io.mola.cuda.driver;

import static org.bytedeco.cuda.global.cudart.cuModuleGetFunction;
import static org.bytedeco.cuda.global.cudart.cuModuleLoadData;
import static org.bytedeco.cuda.global.cudart.cuModuleUnload;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.bytedeco.cuda.cudart.CUfunc_st;
import org.bytedeco.cuda.cudart.CUmod_st;
import org.bytedeco.javacpp.BytePointer;
import org.jspecify.annotations.Nullable;

/**
 * The kernels of a device, in groups of one source file each. A group is compiled at its first use,
 * for the device's own architecture and the precision of its activations, or taken from the cache.
 */
public final class Kernels implements AutoCloseable {
  private static final String PRELUDE = "prelude";
  private static final String NEEDS = "// needs: ";
  private static final String SUFFIX = ".cu";

  private final Device device;
  private final Element activation;
  private final CubinCache cache;
  private final Map<String, CUmod_st> modules = new HashMap<>();
  private final Map<String, Kernel> kernels = new HashMap<>();
  private final List<Kernel> loaded = new ArrayList<>();

  /**
   * Reads and compiles nothing yet.
   *
   * @param activation what the kernels' type {@code act} is
   * @param cacheFolder where machine code is kept
   */
  public Kernels(Device device, Element activation, Path cacheFolder) {
    this.device = device;
    this.activation = activation;
    this.cache = new CubinCache(cacheFolder);
  }

  /** A kernel of a group, compiled if it was not yet. */
  Kernel kernel(String group, String name) {
    @Nullable Kernel known = kernels.get(name);
    if (known != null) {
      return known;
    }
    device.enter();
    CUfunc_st function = new CUfunc_st();
    device.check(
        cuModuleGetFunction(function, module(group), name), "cuModuleGetFunction of " + name);
    Kernel kernel = new Kernel(loaded.size(), name, function);
    kernels.put(name, kernel);
    loaded.add(kernel);
    return kernel;
  }

  /** The kernel of that number. */
  Kernel numbered(int number) {
    return loaded.get(number);
  }

  private CUmod_st module(String group) {
    @Nullable CUmod_st known = modules.get(group);
    if (known != null) {
      return known;
    }
    String source = source(group, activation);
    String architecture = "sm_" + device.architecture();
    Path entry = cache.entry(group, source, architecture, Compiler.version());
    CUmod_st module = new CUmod_st();
    Optional<byte[]> kept = cache.read(entry);
    if (kept.isEmpty() || load(module, kept.get()) != 0) {
      byte[] cubin = Compiler.cubin(group, source, architecture);
      device.check(load(module, cubin), "cuModuleLoadData of " + group);
      cache.write(entry, cubin);
    }
    modules.put(group, module);
    return module;
  }

  private static int load(CUmod_st module, byte[] cubin) {
    try (BytePointer image = new BytePointer(cubin)) {
      return cuModuleLoadData(module, image);
    }
  }

  /** The whole text of a group as the compiler gets it. */
  static String source(String group, Element activation) {
    return "#define ACTIVATION_BF16 "
        + (activation == Element.BF16 ? 1 : 0)
        + "\n"
        + read(PRELUDE)
        + withNeeds(read(group));
  }

  /** Before a source come the files that its first lines name. */
  private static String withNeeds(String text) {
    StringBuilder source = new StringBuilder();
    text.lines()
        .takeWhile(line -> line.startsWith(NEEDS) && line.endsWith(SUFFIX))
        .forEach(line ->
            source.append(read(line.substring(NEEDS.length(), line.length() - SUFFIX.length()))));
    return source.append(text).toString();
  }

  private static String read(String group) {
    String path = "kernels/" + group + SUFFIX;
    try (InputStream stream = Kernels.class.getResourceAsStream(path)) {
      if (stream == null) {
        throw new IllegalStateException("no kernel source " + path);
      }
      return new String(stream.readAllBytes(), StandardCharsets.UTF_8);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  @Override
  public void close() {
    device.operation(() -> "unloading kernels");
    Closing closing = new Closing();
    for (CUmod_st module : modules.values()) {
      closing.step(() -> device.check(cuModuleUnload(module), "cuModuleUnload"));
    }
    modules.clear();
    kernels.clear();
    closing.finish();
  }
}
