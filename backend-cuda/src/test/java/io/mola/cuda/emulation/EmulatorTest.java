package io.mola.cuda.emulation;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.io.TempDir;

/** The emulator's own tests, in {@code src/test/native/test}, each in a process of its own. */
@OnEmulatedCuda
class EmulatorTest {
  @TempDir Path folder;

  @TestFactory
  Stream<DynamicTest> behavesAsADeviceDoes() throws Exception {
    List<String> names = run().lines().toList();
    assertThat(names).hasSizeGreaterThan(20);
    return names.stream().map(name -> DynamicTest.dynamicTest(name, () -> run(name)));
  }

  private String run(String... arguments) throws IOException, InterruptedException {
    Path program =
        EmulationLibraries.ofThisMachine().folder().orElseThrow().resolve("emulation-test");
    Path output = Files.createTempFile(folder, "output", ".txt");
    Process process =
        new ProcessBuilder(
                Stream.concat(Stream.of(program.toString()), Stream.of(arguments)).toList())
            .redirectErrorStream(true)
            .redirectOutput(output.toFile())
            .start();
    int status = process.waitFor();
    assertThat(status).as(Files.readString(output)).isZero();
    return Files.readString(output);
  }
}
