package io.cusco.llama.cpu;

import static org.assertj.core.api.Assertions.assertThat;

import io.cusco.llama.backend.Backend;
import io.cusco.llama.backend.BackendOptions;
import io.cusco.llama.backend.Backends;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;

/// On the class path the incubating module is absent unless a flag names it.
class WithoutVectorApiTest {

  /// What the child JVM runs.
  static final class OpenBackend {
    private OpenBackend() {}

    static void main() {
      try (Backend backend = Backends.open(Backends.AUTO, BackendOptions.DEFAULT)) {
        System.out.println("device: " + backend.device());
      }
    }
  }

  @Test
  void theCpuRunsScalarCodeAndSaysSoOnce() throws IOException, InterruptedException {
    Process child =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "--enable-native-access=ALL-UNNAMED",
                "-cp",
                System.getProperty("java.class.path"),
                OpenBackend.class.getName())
            .redirectErrorStream(true)
            .start();
    String output = new String(child.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertThat(child.waitFor()).as(output).isZero();
    assertThat(output).contains("scalar").containsOnlyOnce("--add-modules jdk.incubator.vector");
    assertThat(output).contains("device: ");
  }
}
