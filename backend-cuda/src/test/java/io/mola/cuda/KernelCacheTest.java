package io.mola.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import io.mola.core.backend.BackendSettings;
import io.mola.core.backend.Region;
import io.mola.core.tensor.MemoryPlan;
import io.mola.cuda.driver.Precision;
import io.mola.cuda.emulation.Emulator;
import io.mola.cuda.emulation.OnEmulatedCuda;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Compiled kernels are kept on disk, and what is damaged there is made again. */
@OnEmulatedCuda
class KernelCacheTest {
  @TempDir Path folder;

  @Test
  void aGroupIsCompiledOnce() throws IOException {
    long before = compilations();
    assertThat(addsOnes(folder)).isTrue();
    assertThat(addsOnes(folder)).isTrue();

    assertThat(compilations() - before).isEqualTo(1);
    assertThat(entries()).singleElement().asString().contains("activation-sm_90-");
  }

  @Test
  void aDamagedEntryIsMadeAgain() throws IOException {
    assertThat(addsOnes(folder)).isTrue();
    Path entry = entries().getFirst();
    byte[] whole = Files.readAllBytes(entry);
    for (byte[] damaged : new byte[][] {flipped(whole), cut(whole), new byte[0]}) {
      Files.write(entry, damaged);

      assertThat(addsOnes(folder)).isTrue();
      assertThat(Files.size(entry)).isEqualTo(whole.length);
      assertThat(entries()).hasSize(1);
    }
  }

  @Test
  void anEntryWithTheRightChecksumThatTheDriverRefusesIsMadeAgain() throws IOException {
    assertThat(addsOnes(folder)).isTrue();
    Path entry = entries().getFirst();
    Emulator.instance().failNth("cuModuleLoadData", 1, 209);

    assertThat(addsOnes(folder)).isTrue();
    assertThat(Files.size(entry)).isPositive();
  }

  @Test
  void aFolderThatCannotBeWrittenOnlyCostsTime() throws IOException {
    Path file = Files.createFile(folder.resolve("file"));

    assertThat(addsOnes(file.resolve("below a file"))).isTrue();
  }

  private static byte[] flipped(byte[] bytes) {
    byte[] changed = bytes.clone();
    changed[changed.length / 2] ^= 1;
    return changed;
  }

  private static byte[] cut(byte[] bytes) {
    return java.util.Arrays.copyOf(bytes, bytes.length / 2);
  }

  private static long compilations() {
    return Emulator.instance().calls().getOrDefault("nvrtcCompileProgram", 0L);
  }

  private List<Path> entries() throws IOException {
    try (Stream<Path> files = Files.list(folder)) {
      return files.toList();
    }
  }

  /** Uses one kernel. */
  private static boolean addsOnes(Path kernels) {
    CudaSettings settings = new CudaSettings(Precision.F32, kernels, true, false);
    MemoryPlan plan = new MemoryPlan.Builder().f32("x", 1, 3).f32("y", 1, 3).build();
    float[] sum = new float[3];
    try (CudaBackend backend = new CudaBackend(new BackendSettings(1, 0), settings);
        Region region = backend.memory().allocate(plan)) {
      backend.memory().upload(new float[] {1, 2, 3}, region.tensor("x"));
      backend.memory().upload(new float[] {1, 1, 1}, region.tensor("y"));
      backend.activation().add(region.tensor("x"), region.tensor("y"));
      backend.memory().download(region.tensor("y"), sum);
    }
    return sum[0] == 2 && sum[1] == 3 && sum[2] == 4;
  }
}
