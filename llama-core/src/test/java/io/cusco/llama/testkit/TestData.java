package io.cusco.llama.testkit;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;

/// Where the independent reference data lies: the folder that the system property `llama.testdata`
/// names.
public final class TestData {
  private TestData() {}

  public static Optional<Path> root() {
    String property = System.getProperty("llama.testdata", "");
    return property.isEmpty()
        ? Optional.empty()
        : Optional.of(Path.of(property)).filter(Files::isDirectory);
  }

  /// A folder of the reference data; without it the test is skipped with a sentence.
  public static Path require(String folder) {
    Optional<Path> found = root().map(root -> root.resolve(folder)).filter(Files::isDirectory);
    assumeTrue(
        found.isPresent(),
        () ->
            "No reference data \"%s\": set -Dllama.testdata to a folder that has it."
                .formatted(folder));
    return found.orElseThrow();
  }
}
