package io.cusco.llama.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.cusco.llama.cli.demo.DemoModel;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// The program in a JVM of its own, killed at a random moment and started again.
@Timeout(120)
class BatchKillTest {
  private static final int REQUESTS = 300;

  @TempDir Path folder;
  private Path input;
  private Path output;

  @BeforeEach
  void writeInput() throws IOException {
    assumeTrue(DemoModel.numBytes().isPresent(), "this build has no bundled demo model");
    input = Files.write(folder.resolve("in.jsonl"), BatchFixture.requests(REQUESTS));
    output = folder.resolve("out.jsonl");
  }

  private String[] args(Path out, String order) {
    return new String[] {
      "batch",
      "--backend",
      "cpu",
      "-i",
      input.toString(),
      "-o",
      out.toString(),
      "--resume",
      "--order",
      order,
      "--seed",
      "9",
      "--max-concurrent",
      "8"
    };
  }

  private Process start(String order, String... jvmOptions) throws IOException {
    ProcessBuilder child =
        new ProcessBuilder(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    child.command().addAll(List.of(jvmOptions));
    child
        .command()
        .addAll(
            List.of(
                "-XX:+UseSerialGC",
                "--add-modules",
                "jdk.incubator.vector",
                "--enable-native-access=ALL-UNNAMED",
                "-cp",
                System.getProperty("java.class.path"),
                Main.class.getName()));
    child.command().addAll(List.of(args(output, order)));
    return child
        .redirectOutput(ProcessBuilder.Redirect.DISCARD)
        .redirectError(folder.resolve("stderr").toFile())
        .start();
  }

  private void awaitBytes(Process child, long numBytes) throws Exception {
    while (child.isAlive() && (!Files.exists(output) || Files.size(output) < numBytes)) {
      TimeUnit.MILLISECONDS.sleep(1);
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"input", "completion"})
  void aKilledRunIsResumedWithoutLossOrRepetition(String order) throws Exception {
    Path whole = folder.resolve("whole.jsonl");
    assertThat(Cli.run(args(whole, order)).code()).isEqualTo(1);
    Map<String, String> undisturbed = BatchFixture.contents(whole);
    assertThat(undisturbed).hasSize(REQUESTS);
    long seed = System.nanoTime();
    System.out.println("BatchKillTest seed " + seed);
    Random random = new Random(seed);
    Process child = start(order);
    awaitBytes(child, 1 + random.nextLong(Files.size(whole) * 3 / 4));
    assertThat(child.destroyForcibly().waitFor()).as("killed, not done").isNotIn(0, 1);
    Cli.Result last = Cli.run(args(output, order));
    assertThat(last.code()).as(last.err()).isEqualTo(1);
    if (order.equals("input")) {
      assertThat(Files.readAllLines(output).stream().map(BatchFixture::key))
          .isEqualTo(Files.readAllLines(whole).stream().map(BatchFixture::key).toList());
    }
    Map<String, String> resumed = BatchFixture.contents(output);
    assertThat(resumed.keySet()).isEqualTo(undisturbed.keySet());
    // Logits depend on the batch in their last bits, so where two tokens are as good as tied, one
    // request in thousands may differ; two of them would be a fault.
    assertThat(resumed.keySet())
        .filteredOn(key -> !resumed.get(key).equals(undisturbed.get(key)))
        .hasSizeLessThan(2);
  }

  /// A run that ended there would end there again when it is resumed.
  @Test
  void aLineThatTakesTheWholeHeapFailsAlone() throws Exception {
    Files.write(
        input,
        List.of(BatchFixture.text("a", "a".repeat(4 << 20), 2), BatchFixture.text("b", "Once", 2)));
    Process child = start("input", "-Xmx96m");
    assertThat(child.waitFor()).as(() -> readStderr()).isEqualTo(1);
    Map<String, String> results = BatchFixture.contents(output);
    assertThat(results.get("id a")).contains("takes more memory than the Java heap of");
    assertThat(results.get("id b")).contains("\"status_code\":200");
  }

  private String readStderr() {
    try {
      return Files.readString(folder.resolve("stderr"));
    } catch (IOException e) {
      return e.toString();
    }
  }

  @Test
  void aTerminatedRunLeavesWholeLinesAndSaysHowToGoOn() throws Exception {
    Process child = start("completion");
    awaitBytes(child, 1);
    child.destroy();
    int code = child.waitFor();
    assertThat(code).as("ended by the signal").isNotIn(0, 1);
    assertThat(Files.readString(output)).endsWith("\n");
    assertThat(BatchFixture.contents(output)).hasSizeLessThan(REQUESTS);
    assertThat(Files.readString(folder.resolve("stderr")))
        .contains("llama: stopped after ", "--resume goes on from here");
  }
}
