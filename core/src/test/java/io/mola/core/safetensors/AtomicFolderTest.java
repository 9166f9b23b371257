package io.mola.core.safetensors;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.mola.core.failure.MolaException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class AtomicFolderTest {
  @TempDir private Path temp;

  @Test
  void aFolderHasItsNameOnlyWhenItIsFilled() throws IOException {
    Path target = temp.resolve("state");
    AtomicFolder.write(
        target,
        folder -> {
          Files.writeString(folder.resolve("a"), "1");
          assertThat(target).doesNotExist();
        });

    assertThat(target.resolve("a")).hasContent("1");
    assertThat(temp.toFile().list()).containsExactly("state");
  }

  @Test
  void anotherFolderOfTheNameIsReplacedAsAWhole() throws IOException {
    Path target = temp.resolve("state");
    AtomicFolder.write(target, folder -> Files.writeString(folder.resolve("old"), "1"));
    AtomicFolder.write(
        target,
        folder -> {
          Files.writeString(folder.resolve("new"), "2");
          assertThat(target.resolve("old")).hasContent("1");
        });

    assertThat(target.toFile().list()).containsExactly("new");
    assertThat(temp.toFile().list()).containsExactly("state");
  }

  @Test
  void aFailureLeavesWhatWasThere() throws IOException {
    Path target = temp.resolve("state");
    AtomicFolder.write(target, folder -> Files.writeString(folder.resolve("old"), "1"));
    assertThatThrownBy(() ->
            AtomicFolder.write(
                target,
                folder -> {
                  Files.writeString(folder.resolve("new"), "2");
                  throw new IOException("No space left on device");
                }))
        .isInstanceOf(MolaException.class)
        .hasMessage(
            target
                + ": cannot be written: No space left on device; free some space or choose another"
                + " folder");

    assertThat(target.toFile().list()).containsExactly("old");
    assertThat(temp.toFile().list()).containsExactly("state");
  }

  @Test
  void leftoversOfKilledProgramsAreRemovedAndNothingElse() throws IOException {
    for (String name : new String[] {".state-1.part", ".state-2.old"}) {
      Files.createDirectories(temp.resolve(name).resolve("deep"));
      Files.writeString(temp.resolve(name).resolve("deep/file"), "1");
    }
    for (String name : new String[] {"state-1", ".other.part", ".state-3"}) {
      Files.createDirectory(temp.resolve(name));
    }
    AtomicFolder.removeLeftovers(temp, "state-");

    assertThat(temp.toFile().list())
        .containsExactlyInAnyOrder("state-1", ".other.part", ".state-3");
  }
}
