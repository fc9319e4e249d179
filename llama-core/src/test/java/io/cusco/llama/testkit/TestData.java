package io.cusco.llama.testkit;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;

/// Where the reference data lies: the folder that the system property `llama.testdata` names.
public final class TestData {
  private TestData() {}

  public static Optional<Path> root() {
    String root = System.getProperty("llama.testdata");
    return Optional.ofNullable(root).map(Path::of).filter(Files::isDirectory);
  }

  /// A file or folder of the reference data; skips the test, with a sentence, where it is absent.
  public static Path require(String name) {
    Optional<Path> path = root().map(root -> root.resolve(name)).filter(Files::exists);
    assumeTrue(
        path.isPresent(),
        () ->
            "reference data '%s' is not under the folder that -Dllama.testdata names (%s)"
                .formatted(name, System.getProperty("llama.testdata")));
    return path.orElseThrow();
  }
}
