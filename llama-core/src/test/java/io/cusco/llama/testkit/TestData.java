package io.cusco.llama.testkit;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;

/// Finds the independent reference data, which is not part of the repository.
public final class TestData {
  private TestData() {}

  /// The folder that the system property `llama.testdata` names, if it exists.
  public static Optional<Path> root() {
    return Optional.ofNullable(System.getProperty("llama.testdata"))
        .map(Path::of)
        .filter(Files::isDirectory);
  }

  /// A file or folder below the root; skips the calling test where it is absent.
  public static Path require(String name) {
    Path path = root().map(root -> root.resolve(name)).orElse(Path.of(name));
    assumeTrue(
        root().isPresent() && Files.exists(path),
        "reference data '%s' is absent; set -Dllama.testdata to the folder that holds it"
            .formatted(name));
    return path;
  }
}
