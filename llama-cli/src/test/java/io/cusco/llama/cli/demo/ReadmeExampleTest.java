package io.cusco.llama.cli.demo;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.cusco.llama.Llama;
import io.cusco.llama.LlamaOptions;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// The README's use of the library, compiled and run.
class ReadmeExampleTest {
  private static void example(Path folder) {
    // Between these lines: as in the README, but for the folder.
    try (Llama llama = Llama.open(folder.resolve("model.gguf"))) {
      System.out.println(llama.generate("Once upon a time"));
    }
    // Between these lines.
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
