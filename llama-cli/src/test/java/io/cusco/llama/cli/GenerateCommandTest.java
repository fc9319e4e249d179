package io.cusco.llama.cli;

import static org.assertj.core.api.Assertions.assertThat;

import io.cusco.llama.testkit.Json;
import io.cusco.llama.testkit.TestData;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// Expected tokens: testdata/stories260k, computed in float64 by an independent implementation.
class GenerateCommandTest {
  private static final String BACKEND_LINE = "llama: backend cuda is unavailable: ";

  private Path folder;
  private String model;

  @BeforeEach
  void findModel() {
    folder = TestData.require("stories260k");
    model = folder.resolve("stories260K-F32.gguf").toString();
  }

  private Map<String, Object> goldenCase() {
    Map<String, Object> golden = Json.object(Json.read(folder.resolve("golden-F32.json")));
    return Json.object(Json.array(golden.get("cases")).getFirst());
  }

  private static String commaSeparated(int[] ids) {
    return Arrays.stream(ids).mapToObj(Integer::toString).collect(Collectors.joining(","));
  }

  @Test
  void theGreedyContinuationIsTheGoldenOne() {
    Map<String, Object> golden = goldenCase();
    Cli.Result result =
        Cli.run(
            "generate",
            "-m",
            model,
            "-p",
            (String) golden.get("prompt"),
            "-n",
            "40",
            "--temperature",
            "0",
            "--compute",
            "f32",
            "--json",
            "--ignore-eos");
    assertThat(result.code()).as(result.err()).isZero();
    Map<String, Object> json = result.json();
    assertThat(Json.ints(json.get("prompt_ids"))).containsExactly(Json.ints(golden.get("ids")));
    assertThat(Json.ints(json.get("ids")))
        .containsExactly(Arrays.copyOf(Json.ints(golden.get("greedy_ids")), 40));
    assertThat(json.get("finish_reason")).isEqualTo("length");
    assertThat(json.get("backend")).isEqualTo("cpu");
    assertThat(json.keySet())
        .containsExactly(
            "text", "ids", "prompt_ids", "finish_reason", "usage", "timings", "backend", "model");
    assertThat(Json.object(json.get("usage")))
        .containsEntry("prompt_tokens", 5)
        .containsEntry("completion_tokens", 40);
    assertThat(Json.object(json.get("timings")).keySet())
        .containsExactly(
            "load_ms", "ttft_ms", "prefill_tokens_per_second", "decode_tokens_per_second");
  }

  @Test
  void theStreamedTextIsTheTextOfTheJson() {
    String[] common = {
      "generate", "-m", model, "-p", "Once upon a time", "-n", "60", "--seed", "7"
    };
    Cli.Result text = Cli.run(common);
    String[] withJson = Arrays.copyOf(common, common.length + 1);
    withJson[common.length] = "--json";
    Map<String, Object> json = Cli.run(withJson).json();
    assertThat(text.code()).as(text.err()).isZero();
    assertThat(text.out()).isEqualTo(json.get("text") + "\n");
    assertThat(json.get("seed")).isEqualTo(7);
    assertThat(text.err().lines()).hasSize(1);
    assertThat(text.err()).startsWith(BACKEND_LINE);
  }

  @Test
  void aPromptCanComeFromStdinAndFromAFile(@TempDir Path temp) throws IOException {
    Path file = Files.writeString(temp.resolve("prompt.txt"), "Lily went");
    String[] common = {"-m", model, "-n", "5", "--temperature", "0"};
    Cli.Result stdin = Cli.withInput("Lily went", concat(common, "generate"));
    Cli.Result fromFile = Cli.run(concat(common, "generate", "--prompt-file", file.toString()));
    Cli.Result option = Cli.run(concat(common, "generate", "-p", "Lily went"));
    assertThat(stdin.out()).isEqualTo(option.out()).isEqualTo(fromFile.out()).isNotBlank();
  }

  private static String[] concat(String[] tail, String... head) {
    String[] all = Arrays.copyOf(head, head.length + tail.length);
    System.arraycopy(tail, 0, all, head.length, tail.length);
    return all;
  }

  @Test
  void stopBiasAndLogprobsAct() {
    int[] golden = Json.ints(goldenCase().get("greedy_ids"));
    String ids = commaSeparated(Json.ints(goldenCase().get("ids")));
    Cli.Result biased =
        Cli.run(
            "generate",
            "-m",
            model,
            "--ids",
            ids,
            "-n",
            "1",
            "--temperature",
            "0",
            "--json",
            "--logit-bias",
            golden[0] + ":-100",
            "--logprobs",
            "2");
    Map<String, Object> json = biased.json();
    assertThat(Json.ints(json.get("ids"))[0]).isNotEqualTo(golden[0]);
    Map<String, Object> first = Json.object(Json.array(json.get("logprobs")).getFirst());
    List<Object> top = Json.array(first.get("top"));
    assertThat(top).hasSize(2);
    assertThat(Json.object(top.getFirst()).get("id")).isEqualTo(golden[0]);
    Cli.Result stopped =
        Cli.run(
            "generate",
            "-m",
            model,
            "-p",
            "Once upon a time",
            "--temperature",
            "0",
            "--json",
            "--stop",
            "little");
    assertThat(stopped.json().get("finish_reason")).isEqualTo("stop");
    assertThat((String) stopped.json().get("text")).doesNotContain("little").isNotEmpty();
  }

  @Test
  void specialTextStaysTextUnlessAskedFor() {
    Map<String, Object> plain =
        Cli.run("generate", "-m", model, "-p", "<s>a", "-n", "1", "--json").json();
    Map<String, Object> special =
        Cli.run("generate", "-m", model, "-p", "<s>a", "-n", "1", "--json", "--special").json();
    assertThat(Json.ints(plain.get("prompt_ids"))).hasSizeGreaterThan(3).startsWith(1);
    assertThat(Json.ints(special.get("prompt_ids"))[0]).isEqualTo(1);
    assertThat(Json.ints(special.get("prompt_ids"))).hasSizeLessThan(4);
  }

  @Test
  void whatTheModelCannotDoIsRefused() {
    assertFails("outside the vocabulary", "--ids", "1,512");
    assertFails("context length 513", "-p", "x", "--context-length", "513");
    assertFails("no room", "--ids", "1,2,3", "--context-length", "3");
    assertFails("no backend is called 'tpu'", "-p", "x", "--backend", "tpu");
    assertFails("backend cuda is unavailable: ", "-p", "x", "--backend", "cuda");
  }

  @Test
  void anExplicitBackendThatIsUnavailableTellsWhatWasTried() {
    Cli.Result result = Cli.run("generate", "-m", model, "-p", "x", "--backend", "cuda");
    assertThat(result.err())
        .containsPattern("backend cuda is unavailable: .+ \\((tried|driver library).+\\)");
  }

  private void assertFails(String reason, String... options) {
    Cli.Result result = Cli.run(concat(options, "generate", "-m", model));
    assertThat(result.code()).isEqualTo(1);
    assertThat(result.out()).isEmpty();
    assertThat(result.err().lines().toList().getLast()).contains(reason);
  }

  @Test
  void verboseTellsTimingsAndTheSeed() {
    Cli.Result result = Cli.run("generate", "-m", model, "-p", "x", "-n", "2", "--verbose");
    assertThat(result.err()).contains("first token after", "seed ", "2 generated");
  }
}
