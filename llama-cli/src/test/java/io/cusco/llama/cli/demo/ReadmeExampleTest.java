package io.cusco.llama.cli.demo;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.cusco.llama.Llama;
import io.cusco.llama.LlamaOptions;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// The README's use of the library, compiled and run.
class ReadmeExampleTest {
  /// The README's lines; there the path is `Path.of("model.gguf")`.
  private static void example(Path folder) {
    try (Llama llama = Llama.open(folder.resolve("model.gguf"))) {
      System.out.println(llama.generate("Once upon a time"));
    }
  }

  @Test
  void aFileContinuesAPromptInFiveLines(@TempDir Path folder) throws Exception {
    assumeTrue(DemoModel.numBytes().isPresent(), "this build has no bundled demo model");
    DemoModel.copyTo(folder.resolve("model.gguf"));
    PrintStream stdout = System.out;
    ByteArrayOutputStream printed = new ByteArrayOutputStream();
    System.setOut(new PrintStream(printed, true, StandardCharsets.UTF_8));
    try {
      example(folder);
    } finally {
      System.setOut(stdout);
    }
    assertThat(printed.toString(StandardCharsets.UTF_8)).hasSizeGreaterThan(100).endsWith("\n");
  }

  @Test
  void theReadmeShowsTheExample() throws IOException {
    Path readme = Path.of(System.getProperty("llama.scripts")).resolveSibling("README.md");
    assumeTrue(Files.exists(readme), "there is no README.md");
    assertThat(Files.readString(readme))
        .contains(
            "try (Llama llama = Llama.open(Path.of(\"model.gguf\"))) {",
            "System.out.println(llama.generate(\"Once upon a time\"));");
  }

  @Test
  void theBundledModelGivesTheSameTextWithoutAFile(@TempDir Path folder) throws Exception {
    assumeTrue(DemoModel.numBytes().isPresent(), "this build has no bundled demo model");
    DemoModel.copyTo(folder.resolve("model.gguf"));
    try (Llama fromJar = Llama.open(DemoModel.open(), LlamaOptions.DEFAULT);
        Llama fromFile = Llama.open(folder.resolve("model.gguf"))) {
      String prompt = "Once upon a time";
      assertThat(fromJar.generate(prompt)).isEqualTo(fromFile.generate(prompt)).isNotBlank();
    }
  }
}
