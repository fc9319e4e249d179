package io.cusco.llama.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import io.cusco.llama.testkit.Json;
import io.cusco.llama.testkit.TestData;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.io.TempDir;

/// Expected values: testdata/models, float64 on the weights as stored.
class ScoreCommandTest {
  /// First row of the reference data's table: weights widened to f32, f32 arithmetic.
  private static final double MAX_ERROR = 5e-5;

  @TempDir private static Path temp;

  /// One model file or folder with the goldens that apply to it.
  private record Case(Path model, Path golden, Path logits) {}

  @Tag("slow")
  @TestFactory
  Stream<DynamicTest> everyModelScoresAsTheReference() throws IOException {
    List<Case> cases = new ArrayList<>();
    try (Stream<Path> folders = Files.list(TestData.require("models"))) {
      for (Path folder : folders.filter(Files::isDirectory).sorted().toList()) {
        cases.addAll(casesOf(folder));
      }
    }
    return cases.stream()
        .map(c -> DynamicTest.dynamicTest(c.model().getFileName().toString(), () -> check(c)));
  }

  private static List<Case> casesOf(Path folder) throws IOException {
    List<Case> cases = new ArrayList<>();
    try (Stream<Path> entries = Files.list(folder)) {
      for (Path entry : entries.sorted().toList()) {
        String name = entry.getFileName().toString();
        boolean isModel =
            name.endsWith(".gguf") || name.startsWith("hf-") || name.equals("meta-pth");
        String type = name.replaceAll(".*-|\\.gguf$", "");
        for (String goldenClass : List.of(type, "exact", "full")) {
          Path golden = folder.resolve("golden/golden-" + goldenClass + ".json");
          if (isModel && Files.exists(golden)) {
            cases.add(
                new Case(entry, golden, folder.resolve("golden/logits-" + goldenClass + ".f32")));
            break;
          }
        }
      }
    }
    return cases;
  }

  private static void check(Case c) throws IOException {
    Map<String, Object> golden = Json.object(Json.read(c.golden()));
    List<Map<String, Object>> prompts =
        Json.array(golden.get("prompts")).stream().map(Json::object).toList();
    StringBuilder input = new StringBuilder();
    for (Map<String, Object> prompt : prompts) {
      input.append("{\"ids\":").append(Arrays.toString(Json.ints(prompt.get("ids")))).append("}\n");
    }
    Path file = temp.resolve("logits.f32");
    Cli.Result result =
        Cli.withInput(
            input.toString(),
            "score",
            "-m",
            c.model().toString(),
            "--jsonl",
            "--compute",
            "f32",
            "--logits",
            file.toString());
    assertThat(result.code()).as(result.err()).isZero();
    List<Map<String, Object>> scores = result.jsonLines();
    double std = ((Number) golden.get("logits_std")).doubleValue();
    FloatBuffer expected = floats(c.logits());
    FloatBuffer actual = floats(file);
    int firstRow = 0;
    for (int p = 0; p < prompts.size(); p++) {
      Map<String, Object> prompt = prompts.get(p);
      int[] ids = Json.ints(prompt.get("ids"));
      assertThat(scores.get(p).get("id")).isEqualTo(p);
      assertLogprobs(prompt, scores.get(p), ids.length, std);
      int vocab = actual.capacity() / totalLength(prompts);
      int[] positions = Json.ints(prompt.get("positions"));
      int row = ((Number) prompt.get("row")).intValue();
      for (int i = 0; i < positions.length; i++) {
        for (int id = 0; id < vocab; id++) {
          float want = expected.get((row + i) * vocab + id);
          float got = actual.get((firstRow + positions[i]) * vocab + id);
          assertThat(Math.abs(got - want) / std)
              .as("prompt %d, position %d, token %d", p, positions[i], id)
              .isLessThan(MAX_ERROR);
        }
      }
      firstRow += ids.length;
    }
  }

  private static void assertLogprobs(
      Map<String, Object> prompt, Map<String, Object> score, int length, double std) {
    double[] logprobs = Json.doubles(score.get("logprobs"));
    assertThat(logprobs).hasSize(length - 1);
    if (prompt.get("prompt_logprobs") instanceof List<?> list && list.size() == logprobs.length) {
      assertThat(logprobs).containsExactly(Json.doubles(list), within(2 * MAX_ERROR * std + 1e-6));
    }
    if (logprobs.length > 0) {
      double mean = Arrays.stream(logprobs).average().orElseThrow();
      assertThat((double) score.get("perplexity")).isCloseTo(Math.exp(-mean), within(1e-9));
    } else {
      assertThat(score.get("perplexity")).isNull();
    }
  }

  private static int totalLength(List<Map<String, Object>> prompts) {
    return prompts.stream().mapToInt(prompt -> Json.ints(prompt.get("ids")).length).sum();
  }

  private static FloatBuffer floats(Path file) throws IOException {
    return ByteBuffer.wrap(Files.readAllBytes(file)).order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer();
  }

  private static String stories() {
    return TestData.require("stories260k").resolve("stories260K-F32.gguf").toString();
  }

  @Test
  void greedyGoesOnPastTheEndToken() {
    Path folder = TestData.require("stories260k");
    Map<String, Object> golden = Json.object(Json.read(folder.resolve("golden-F32.json")));
    for (Object entry : Json.array(golden.get("cases"))) {
      Map<String, Object> wanted = Json.object(entry);
      String ids = Arrays.toString(Json.ints(wanted.get("ids"))).replaceAll("[\\[\\] ]", "");
      Cli.Result result =
          Cli.run("score", "-m", stories(), "--ids", ids, "--greedy", "200", "--compute", "f32");
      assertThat(result.code()).as(result.err()).isZero();
      int[] greedy = Json.ints(wanted.get("greedy_ids"));
      assertThat(Json.ints(result.json().get("greedy_ids")))
          .containsExactly(Arrays.copyOf(greedy, Math.min(200, greedy.length)));
      assertThat(Json.doubles(result.json().get("greedy_logprobs"))).hasSize(200);
    }
  }

  @Test
  void aTextGetsItsBeginToken() {
    Cli.Result text = Cli.run("score", "-m", stories(), "--text", "Once upon a time");
    Cli.Result ids = Cli.run("score", "-m", stories(), "--ids", "1,403,407,261,378");
    assertThat(Json.doubles(text.json().get("logprobs")))
        .containsExactly(Json.doubles(ids.json().get("logprobs")));
  }

  @Test
  void aRunThatFailsLeavesNoLogits() {
    Path file = temp.resolve("none.f32");
    Cli.Result result =
        Cli.withInput(
            "{\"id\":\"a\",\"ids\":[1,2]}\n{\"ids\":[1,512]}\n",
            "score",
            "-m",
            stories(),
            "--jsonl",
            "--logits",
            file.toString());
    assertThat(result.code()).isEqualTo(1);
    assertThat(result.out()).startsWith("{\"id\":\"a\",");
    assertThat(result.err()).contains("input line 2: ", "outside the vocabulary");
    assertThat(temp.toFile().list()).noneMatch(name -> name.startsWith("none"));
  }

  @Test
  void whatDoesNotFitIsRefused() {
    Cli.Result result =
        Cli.run(
            "score", "-m", stories(), "--ids", "1,2,3", "--greedy", "9", "--context-length", "10");
    assertThat(result.code()).isEqualTo(1);
    assertThat(result.err()).contains("3 tokens and 9 greedy ones do not fit into a context of 10");
  }

  @Test
  void aFolderThatIsMissingIsNamed() {
    Cli.Result result =
        Cli.run("score", "-m", stories(), "--ids", "1", "--logits", "no/such/folder/x.f32");
    assertThat(result.code()).isEqualTo(1);
    assertThat(result.err()).contains("no such file or folder: no/such/folder/x.f32");
  }

  @Test
  void aFileThatAnotherRunWritesIsRefusedAndLeftAlone() throws IOException {
    Path file = temp.resolve("logits.f32");
    try (LogitsFile other = LogitsFile.create(file)) {
      other.write(new float[] {1, 2});
      Cli.Result result =
          Cli.run("score", "-m", stories(), "--ids", "1", "--logits", file.toString());
      assertThat(result.code()).isEqualTo(1);
      assertThat(result.err()).contains(file + ": another run writes to it");
      other.finish();
    }
    assertThat(file).hasSize(2 * Float.BYTES);
  }

  @Test
  void whatIsNoFileIsNotReplacedByTheLogits() {
    Cli.Result result =
        Cli.run("score", "-m", stories(), "--ids", "1", "--logits", temp.toString());
    assertThat(result.code()).isEqualTo(1);
    assertThat(result.err()).contains("cannot write " + temp + ": not a regular file");
    assertThat(temp).isEmptyDirectory();
  }
}
