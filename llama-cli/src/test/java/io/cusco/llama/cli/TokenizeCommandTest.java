package io.cusco.llama.cli;

import static org.assertj.core.api.Assertions.assertThat;

import io.cusco.llama.testkit.Json;
import io.cusco.llama.testkit.TestData;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/// Expected ids: testdata/tokenizers, encoded by sentencepiece and tiktoken.
class TokenizeCommandTest {
  private static String stories() {
    return TestData.require("stories260k").resolve("stories260K-F32.gguf").toString();
  }

  private static String bigVocab() {
    return TestData.require("tokenizers").resolve("llama3/llama32-bigvocab-F16.gguf").toString();
  }

  private static void assertEncodesAll(String model, String cases) throws IOException {
    Path file = TestData.require("tokenizers").resolve(cases);
    List<Map<String, Object>> expected = Json.lines(file);
    // Long cases are stored as parts to repeat; the tokenizer's own tests run those.
    List<Map<String, Object>> whole =
        expected.stream().filter(line -> line.containsKey("text")).toList();
    String input =
        String.join(
            "\n",
            Files.readAllLines(file).stream()
                .filter(line -> line.contains("\"text\":"))
                .map(line -> line.replaceFirst("\"ids\":.*", "\"ignored\":0}"))
                .toList());
    assertThat(whole).isNotEmpty();
    Cli.Result result = Cli.withInput(input, "tokenize", "-m", model, "--jsonl");
    assertThat(result.code()).as(result.err()).isZero();
    List<Map<String, Object>> lines = result.jsonLines();
    assertThat(lines).hasSameSizeAs(whole);
    for (int i = 0; i < whole.size(); i++) {
      assertThat(Json.ints(lines.get(i).get("ids")))
          .as("%s", whole.get(i).get("text"))
          .containsExactly(Json.ints(whole.get(i).get("ids")));
    }
  }

  @Test
  void sentencePieceLinesGiveTheReferenceIds() throws IOException {
    assertEncodesAll(stories(), "tok512_encode.jsonl");
  }

  @Test
  void byteBpeLinesGiveTheReferenceIds() throws IOException {
    assertEncodesAll(bigVocab(), "llama3_encode.jsonl");
  }

  @Test
  void textComesFromTheOptionOrStdin() {
    Cli.Result option = Cli.run("tokenize", "-m", stories(), "--text", "Once upon a time");
    Cli.Result stdin = Cli.withInput("Once upon a time", "tokenize", "-m", stories(), "--json");
    assertThat(option.out()).isEqualTo("{\"ids\":[403,407,261,378]}\n").isEqualTo(stdin.out());
    Cli.Result withBos =
        Cli.withInput("Once upon a time", "tokenize", "-m", stories(), "--add-bos");
    assertThat(withBos.out()).isEqualTo("{\"ids\":[1,403,407,261,378]}\n");
  }

  @Test
  void specialTokensAreMadeOnlyWhenAskedFor() {
    Cli.Result plain = Cli.run("tokenize", "-m", bigVocab(), "--text", "<|eot_id|>");
    Cli.Result special = Cli.run("tokenize", "-m", bigVocab(), "--text", "<|eot_id|>", "--special");
    assertThat(Json.ints(plain.json().get("ids"))).hasSizeGreaterThan(1);
    assertThat(Json.ints(special.json().get("ids"))).containsExactly(128009);
  }

  @Test
  void aBadLineIsNamedAndEndsTheRun() {
    Cli.Result result =
        Cli.withInput("{\"text\":\"a\"}\n{\"ids\":[1]}\n", "tokenize", "-m", stories(), "--jsonl");
    assertThat(result.code()).isEqualTo(1);
    assertThat(result.out().lines()).hasSize(1);
    assertThat(result.err()).isEqualTo("llama: input line 2: \"text\" is missing\n");
  }

  @Test
  void detokenizeGivesTextAndBytes() {
    Cli.Result result = Cli.run("detokenize", "-m", stories(), "--ids", "403, 407 261,378");
    assertThat(result.json())
        .containsEntry("text", "Once upon a time")
        .containsEntry("bytes_hex", "204f6e63652075706f6e20612074696d65");
  }

  @Test
  void idsOutsideTheVocabularyAreRefused() {
    for (String ids : List.of("512", "-1")) {
      Cli.Result result = Cli.run("detokenize", "-m", stories(), "--ids=" + ids);
      assertThat(result.code()).isEqualTo(1);
      assertThat(result.err()).contains("token id " + ids + " is not in the vocabulary of 512");
    }
    Cli.Result lines =
        Cli.withInput("{\"ids\":[1]}\n{\"ids\":[512]}", "detokenize", "-m", stories(), "--jsonl");
    assertThat(lines.err()).contains("input line 2: token id 512");
  }
}
