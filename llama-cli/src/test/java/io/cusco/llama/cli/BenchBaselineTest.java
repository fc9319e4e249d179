package io.cusco.llama.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.cusco.llama.LlamaException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class BenchBaselineTest {
  @TempDir private Path folder;

  private static BenchRow row(String test, int batch, int depth, double tokensPerSecond) {
    BenchRow.Subject subject =
        new BenchRow.Subject(
            "m", "q4_0", "cpu", "2 threads", 2, 1, 0, false, "auto", false, "unknown");
    double seconds = 16 / tokensPerSecond;
    Ceilings ceilings = new Ceilings(100, 1000);
    // Half of the reading ceiling and a quarter of the arithmetic one, at whatever rate.
    return new BenchRow(
        subject,
        test,
        batch,
        depth,
        16,
        new double[] {seconds},
        50 * seconds,
        250 * seconds,
        ceilings);
  }

  private Path file(String text) throws IOException {
    return Files.write(folder.resolve("runs.jsonl"), text.getBytes(StandardCharsets.ISO_8859_1));
  }

  @Test
  void rowsOfTheSameSubjectStandBesideEachOther() throws IOException {
    BenchBaseline baseline =
        BenchBaseline.read(
            file(
                row("decode", 1, 0, 7).toJson()
                    + "\n\n"
                    + row("decode", 1, 0, 10).toJson()
                    + "\n"
                    + row("decode", 1, 2048, 20).toJson()
                    + "\n"
                    + row("prefill", 1, 0, 100).toJson()));
    List<String> lines =
        baseline
            .table(
                List.of(
                    row("prefill", 1, 0, 150),
                    row("decode", 1, 0, 12.5),
                    row("decode", 1, 2048, 10),
                    row("decode", 4, 0, 30)))
            .lines()
            .map(line -> line.replaceAll(" +", " "))
            .toList();
    assertThat(lines)
        .containsExactly(
            "beside %s (tok/s; shares of each run's own ceiling)"
                .formatted(folder.resolve("runs.jsonl")),
            "model dtype test threads batch depth earlier now ratio share then share now",
            "m q4_0 prefill 2 1 0 100.0 150.0 1.50 25.0 % 25.0 %",
            "m q4_0 decode 2 1 0 10.0 12.5 1.25 50.0 % 50.0 %",
            "m q4_0 decode 2 1 2048 20.0 10.0 0.50 50.0 % 50.0 %",
            "m q4_0 decode 2 4 0 - 30.0 - - 50.0 %");
  }

  @Test
  void whatIsNoListOfRunsIsRefusedByLine() throws IOException {
    String good = row("decode", 1, 0, 7).toJson() + "\n";
    assertRefused("", "has no rows");
    assertRefused(good + "GGUF", "line 2: not valid JSON");
    assertRefused(good + "[1]", "line 2: the value must be an object, got a list of 1");
    assertRefused("{\"text\":\"x\"}", "line 1: test must be a string");
    assertRefused(
        good.replace("decode", "load"), "test must be \"prefill\" or \"decode\", got \"load\"");
    assertRefused(good.replace("\"depth\":0,", ""), "line 1: depth must be a whole number");
    assertRefused(
        good.replace("\"median\":7.0", "\"median\":\"fast\""), "tokens_per_second.median");
    assertRefused(good + "\377\376\0", "not UTF-8");
    assertThatThrownBy(() -> BenchBaseline.read(folder.resolve("absent.jsonl")))
        .isInstanceOf(LlamaException.class)
        .hasMessageContaining("no such file");
    assertThatThrownBy(() -> BenchBaseline.read(folder)).isInstanceOf(LlamaException.class);
  }

  private void assertRefused(String text, String message) throws IOException {
    Path file = file(text);
    assertThatThrownBy(() -> BenchBaseline.read(file))
        .isInstanceOf(LlamaException.class)
        .hasMessageContaining("--compare")
        .hasMessageContaining(message);
  }

  @Test
  void anEarlierRunWithoutCeilingsHasNoShare() throws IOException {
    BenchRow row = row("decode", 1, 0, 7);
    BenchRow without = new BenchRow(row.subject(), "decode", 1, 0, 16, row.seconds(), 1, 1, null);
    String table = BenchBaseline.read(file(without.toJson())).table(List.of(row));
    assertThat(table).containsPattern("7.0 +7.0 +1.00 +- +50.0 %");
  }
}
