package io.cusco.llama.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.cusco.llama.cli.demo.DemoModel;
import io.cusco.llama.testkit.Json;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

@Tag("slow")
class BenchCommandTest {
  @Test
  void eachBatchGivesAPrefillRowAndADecodeRowPerDepth() {
    Cli.Result result =
        Cli.run(
            "bench",
            "--synthetic",
            "tiny",
            "--dtype",
            "q8_0",
            "--batch",
            "1,3",
            "--prompt-tokens",
            "20",
            "--gen-tokens",
            "4",
            "--repeat",
            "3",
            "--depth",
            "33,0",
            "--json");
    assertThat(result.code()).as(result.err()).isZero();
    List<Map<String, Object>> rows = result.jsonLines();
    assertThat(rows)
        .extracting(row ->
            "%s %s %s %s"
                .formatted(row.get("test"), row.get("batch"), row.get("depth"), row.get("tokens")))
        .containsExactly(
            "prefill 1 0 20",
            "decode 1 33 4",
            "decode 1 0 4",
            "prefill 3 0 60",
            "decode 3 33 12",
            "decode 3 0 12");
    for (Map<String, Object> row : rows) {
      assertThat(row)
          .containsEntry("model", "tiny")
          .containsEntry("dtype", "q8_0")
          .containsEntry("backend", "cpu")
          .containsKeys("device", "threads", "commit", "peak_rss_bytes", "load_ms");
      Map<String, Object> rate = Json.object(row.get("tokens_per_second"));
      assertThat((double) rate.get("min"))
          .isPositive()
          .isLessThanOrEqualTo((double) rate.get("median"));
      assertThat((double) rate.get("max")).isGreaterThanOrEqualTo((double) rate.get("median"));
      assertThat(((Number) row.get("ceiling_bytes_per_second")).doubleValue()).isGreaterThan(1e8);
      assertThat(((Number) row.get("percent_of_ceiling")).doubleValue()).isPositive();
    }
  }

  @Test
  void aCacheThatTheCpuDoesNotHaveIsRefused() {
    String[] small = {"--prompt-tokens", "8", "--gen-tokens", "2", "--backend", "cpu"};
    Cli.Result fp8 = Cli.run(concat(small, "bench", "--synthetic", "tiny", "--kv-type", "fp8"));
    assertThat(fp8.code()).isEqualTo(1);
    assertThat(fp8.err()).contains("FP8", "--backend cuda");
    assertThat(Cli.run(concat(small, "bench", "--synthetic", "tiny", "--kv-type", "int4")).code())
        .isEqualTo(2);
  }

  @Test
  void theDefaultPromptLeavesRoomInASmallModel() {
    assumeTrue(DemoModel.numBytes().isPresent(), "this build has no bundled demo model");
    Cli.Result result = Cli.run("bench", "--gen-tokens", "500", "--repeat", "1", "--json");
    assertThat(result.code()).as(result.err()).isZero();
    assertThat(result.jsonLines().getFirst())
        .containsEntry("test", "prefill")
        .containsEntry("tokens", 512 - 500);
  }

  @Test
  void rowsSayHowTheyWereMeasured() {
    String[] small = {"--prompt-tokens", "8", "--gen-tokens", "2", "--repeat", "1", "--json"};
    Cli.Result plain = Cli.run(concat(small, "bench", "--synthetic", "tiny"));
    assertThat(plain.jsonLines())
        .allSatisfy(row ->
            assertThat(row).containsEntry("deterministic", false).containsEntry("kv_type", "auto"));
    Cli.Result deterministic =
        Cli.run(
            concat(small, "bench", "--synthetic", "tiny", "--deterministic", "--overlap", "on"));
    assertThat(deterministic.code()).as(deterministic.err()).isZero();
    // The CPU has nothing to overlap.
    assertThat(deterministic.jsonLines())
        .allSatisfy(row ->
            assertThat(row).containsEntry("deterministic", true).containsEntry("overlap", false));
  }

  @Test
  void aRunIsSetBesideAnEarlierOne(@TempDir Path folder) throws IOException {
    String[] tiny = {
      "bench", "--synthetic", "tiny", "--prompt-tokens", "8", "--gen-tokens", "2", "--repeat", "1"
    };
    Cli.Result earlier = Cli.run(concat(new String[] {"--json"}, tiny));
    assertThat(earlier.code()).as(earlier.err()).isZero();
    Path file = folder.resolve("runs.jsonl");
    Files.writeString(file, earlier.out());
    Cli.Result text = Cli.run(concat(new String[] {"--compare", file + ""}, tiny));
    assertThat(text.code()).as(text.err()).isZero();
    assertThat(text.out())
        .containsPattern("tiny +q8_0 +prefill +\\d+ +1 +0 +[\\d.]+ +[\\d.]+ +[\\d.]+ +[\\d.]+ % +")
        .containsPattern("tiny +q8_0 +decode +\\d+ +1 +8 +[\\d.]+ +[\\d.]+ +[\\d.]+ +[\\d.]+ % +");
    Cli.Result json =
        Cli.run(concat(new String[] {"--compare", file + "", "--json", "--depth", "3"}, tiny));
    assertThat(json.jsonLines()).hasSize(2);
    assertThat(json.err()).containsPattern("decode +\\d+ +1 +3 +- +[\\d.]+ +- +- +[\\d.]+ %");
  }

  @Test
  void aSyntheticModelCanBeKeptAsAFile(@TempDir Path folder) {
    Path file = folder.resolve("tiny.gguf");
    String[] small = {"--prompt-tokens", "8", "--gen-tokens", "2", "--repeat", "1", "--json"};
    Cli.Result saved =
        Cli.run(
            concat(small, "bench", "--synthetic", "tiny", "--dtype", "q4_k", "--save", file + ""));
    assertThat(saved.code()).as(saved.err()).isZero();
    assertThat(saved.jsonLines().getFirst())
        .containsEntry("model", "tiny")
        .containsEntry("dtype", "q4_k");
    Cli.Result again = Cli.run(concat(small, "bench", "-m", file.toString()));
    assertThat(again.code()).as(again.err()).isZero();
    assertThat(again.jsonLines().getFirst()).containsEntry("dtype", "q4_k");
    Cli.Result ids = Cli.run("generate", "-m", file.toString(), "--ids", "1,2", "-n", "3");
    assertThat(ids.out()).matches("\\d+,\\d+,\\d+\n");
  }

  @Test
  void aFolderOrADeviceIsNotReplacedByTheModel(@TempDir Path folder) {
    Cli.Result result = Cli.run("bench", "--synthetic", "tiny", "--save", folder.toString());
    assertThat(result.code()).isEqualTo(1);
    assertThat(result.err()).contains("cannot write " + folder, "not a regular file");
    assertThat(folder).isEmptyDirectory();
  }

  private static String[] concat(String[] tail, String... head) {
    String[] all = Arrays.copyOf(head, head.length + tail.length);
    System.arraycopy(tail, 0, all, head.length, tail.length);
    return all;
  }

  @Test
  void numbersBeyondAnIntAreRefusedLikeOthers() {
    Cli.Result result = Cli.run("bench", "--synthetic", "tiny", "--gen-tokens", "2147483647");
    assertThat(result.code()).isEqualTo(1);
    assertThat(result.err()).contains("tiny has 512 positions", "need 2147484159");
  }

  @Test
  void moreThanTheModelsPositionsIsRefused() {
    Cli.Result result = Cli.run("bench", "--synthetic", "tiny", "--prompt-tokens", "512");
    assertThat(result.code()).isEqualTo(1);
    assertThat(result.err()).contains("tiny has 512 positions", "need 640");
  }

  @Test
  void whatDoesNotFitIntoMemoryIsRefusedBeforeItIsTouched() {
    Cli.Result result = Cli.run("bench", "--synthetic", "llama-3.1-70b", "--dtype", "f32");
    assertThat(result.code()).isEqualTo(1);
    assertThat(result.err()).contains("282.21 GB", "smaller");
  }
}
