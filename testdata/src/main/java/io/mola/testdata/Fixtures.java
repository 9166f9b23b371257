package io.mola.testdata;

import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Assertions;
import org.junit.jupiter.api.Assumptions;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * Real files and recorded numbers, read in place. They lie outside the repository, in the folder of
 * system property {@code mola.fixtures}, by default {@code ../shared/fixtures}. Where they are
 * absent a test that needs them is skipped with the reason; in continuous integration ({@code
 * CI=true}) it fails.
 */
public final class Fixtures {
  private static final JsonMapper JSON = new JsonMapper();

  private Fixtures() {}

  /** The fixture folder, which need not exist. */
  public static Path root() {
    return Path.of(System.getProperty("mola.fixtures", "../shared/fixtures"));
  }

  /** A file or folder, for example {@code golden/adamw/adamw.json}. */
  public static Path path(String relative) {
    Path path = root().resolve(relative);
    if (!Files.exists(path)) {
      String reason = "no fixture " + path + "; set -Dmola.fixtures=FOLDER";
      if ("true".equals(System.getenv("CI"))) {
        Assertions.fail(reason);
      }
      Assumptions.abort(reason);
    }
    return path;
  }

  /** A JSON file as a tree. */
  public static JsonNode json(String relative) {
    return JSON.readTree(path(relative));
  }
}
