package io.mola.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.mola.core.backend.BackendProvider.Availability;
import io.mola.core.backend.BackendProvider.Availability.Unusable;
import io.mola.core.backend.BackendProvider.Availability.Usable;
import io.mola.core.backend.BackendSettings;
import io.mola.core.failure.UsageException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class CudaProbeTest {
  private static final int CUDA_13_0 = 13_000;

  /** Of no installation, whatever the library path of this process is. */
  private static final List<String> LIBRARIES =
      List.of("libfirst-of-this-test.so", "libsecond-of-this-test.so");

  @TempDir Path folder;

  @Test
  void namesTheMissingDriverAndTheRemedy() {
    Unusable found = unusable(CudaProbe.ofDriver("libcuda-that-is-not-there.so.1").run());

    assertThat(found.reason()).contains("libcuda-that-is-not-there.so.1 was not found");
    assertThat(found.remedy()).contains("driver 580").contains("--backend simd");
  }

  @Test
  void aLibraryWithoutCuInitIsAStub() throws Exception {
    String stub = new FakeDriver("int nothing(void) { return 0; }").compile(folder);

    assertThat(unusable(CudaProbe.ofDriver(stub).run()).reason()).contains("cuInit", "stub");
  }

  @Test
  void aDriverThatDoesNotStartIsReportedWithItsError() throws Exception {
    String broken = FakeDriver.of(100, CUDA_13_0, 1).compile(folder);

    Unusable found = unusable(CudaProbe.ofDriver(broken).run());

    assertThat(found.reason()).contains("error 100 (no device)");
    assertThat(found.remedy()).contains("nvidia-smi");
  }

  @Test
  void anOldDriverIsReportedWithItsVersion() throws Exception {
    String old = FakeDriver.of(0, 12_080, 1).compile(folder);

    Unusable found = unusable(CudaProbe.ofDriver(old).run());

    assertThat(found.reason()).contains("12.8").contains("13.0");
    assertThat(found.remedy()).contains("driver 580");
  }

  @Test
  void aDriverWithoutDevicesIsNoHelp() throws Exception {
    String lonely = FakeDriver.of(0, CUDA_13_0, 0).compile(folder);

    assertThat(unusable(CudaProbe.ofDriver(lonely).run()).reason()).contains("no CUDA device");
  }

  @Test
  void theFirstMissingLibraryIsNamed() throws Exception {
    String driver = FakeDriver.of(0, CUDA_13_0, 1).compile(folder);
    Files.createFile(folder.resolve(LIBRARIES.getFirst()));

    Unusable found = unusable(CudaProbe.ofDriver(driver, LIBRARIES, folder).run());

    assertThat(found.reason()).contains("libsecond-of-this-test.so was not found");
    assertThat(found.remedy()).contains("LD_LIBRARY_PATH");
  }

  @Test
  void withEverythingPresentItIsUsableBeforeTheProcessor() throws Exception {
    String driver = FakeDriver.of(0, CUDA_13_0, 2).compile(folder);
    for (String library : LIBRARIES) {
      Files.createFile(folder.resolve(library));
    }

    Availability found = CudaProbe.ofDriver(driver, LIBRARIES, folder).run();

    assertThat(found)
        .isInstanceOfSatisfying(
            Usable.class,
            usable -> {
              assertThat(usable.priority()).isGreaterThan(10);
              assertThat(usable.detail())
                  .contains("Fake device", "CUDA 13.0", "first of 2 devices");
            });
  }

  @Test
  void probingTwiceGivesTheSameAnswer() {
    CudaBackendProvider provider = new CudaBackendProvider();

    assertThat(provider.probe()).isEqualTo(provider.probe());
  }

  @Test
  void openingAnUnusableBackendSaysWhyAndWhatToDo() {
    CudaBackendProvider provider =
        new CudaBackendProvider(CudaProbe.ofDriver("libcuda-that-is-not-there.so.1"));
    Unusable found = unusable(provider.probe());

    assertThatThrownBy(() -> provider.open(new BackendSettings(1, 0)))
        .isInstanceOf(UsageException.class)
        .hasMessageContainingAll("backend cuda cannot be used", found.reason(), found.remedy());
  }

  private static Unusable unusable(Availability found) {
    assertThat(found).isInstanceOf(Unusable.class);
    return (Unusable) found;
  }
}
