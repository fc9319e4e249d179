package io.cusco.llama.cli;

import static io.cusco.llama.cli.BatchFixture.chat;
import static io.cusco.llama.cli.BatchFixture.text;
import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.cusco.llama.cli.demo.DemoModel;
import io.cusco.llama.testkit.Json;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.PipedInputStream;
import java.io.PipedOutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(30)
class BatchCommandTest {
  @TempDir Path folder;
  private Path input;
  private Path output;

  @BeforeEach
  void nameFiles() {
    assumeTrue(DemoModel.numBytes().isPresent(), "this build has no bundled demo model");
    input = folder.resolve("in.jsonl");
    output = folder.resolve("out.jsonl");
  }

  private Cli.Result run(String... more) {
    return Cli.run(
        Stream.concat(
                Stream.of(
                    "batch", "--backend", "cpu", "-i", input.toString(), "-o", output.toString()),
                Arrays.stream(more))
            .toArray(String[]::new));
  }

  private static Cli.Result pipe(String in) {
    return Cli.withInput(in, "batch", "--backend", "cpu", "-i", "-", "-o", "-");
  }

  private static String golden(String line) {
    return BatchFixture.withoutNames(line);
  }

  @Test
  void switchesOfTheEngineChangeNoText() throws IOException {
    String story = "Once upon a time there was a little fox who lived in a forest with her mother.";
    Files.writeString(input, text("a", story, 9) + "\n" + text("b", story, 9) + "\n");
    Cli.Result shared = run("--max-concurrent", "1", "--overlap", "on");
    assertThat(shared.code()).as(shared.err()).isZero();
    Map<String, String> expected = BatchFixture.contents(output);
    assertThat(Files.readString(output)).containsPattern("\"cached_tokens\":[1-9]");
    Files.delete(output);
    Cli.Result plain = run("--prefix-cache", "off", "--overlap", "off", "--deterministic");
    assertThat(plain.code()).as(plain.err()).isZero();
    assertThat(BatchFixture.contents(output)).isEqualTo(expected);
    assertThat(Files.readString(output)).doesNotContainPattern("\"cached_tokens\":[1-9]");
    assertThat(run("--prefix-cache", "maybe").err()).contains("--prefix-cache", "on or off");
  }

  @Test
  void resultsAreGoldenFromStdinToStdout() {
    String in =
        String.join(
                "\n",
                text("story", "Once upon a time", 5),
                "",
                text("wrong", "x", -1),
                "nonsense",
                text("story", "again", 5),
                "{\"custom_id\":\"e\",\"method\":\"POST\",\"url\":\"/v1/embeddings\",\"body\":{\"input\":\"x\",\"pooling\":\"cls\"}}",
                "{\"custom_id\":\"g\",\"method\":\"GET\",\"url\":\"/v1/completions\",\"body\":{}}",
                "{\"custom_id\":\"u\",\"method\":\"POST\",\"url\":\"/v2\",\"body\":{}}",
                "{\"custom_id\":\"b\",\"method\":\"POST\",\"url\":\"/v1/completions\"}",
                "{\"custom_id\":7,\"method\":\"POST\",\"url\":\"/v1/completions\",\"body\":{}}")
            + "\n";
    Cli.Result result = pipe(in);
    assertThat(result.code()).isEqualTo(1);
    String text = ", there was a";
    assertThat(result.out().lines().map(BatchCommandTest::golden))
        .containsExactly(
            """
            {"id":"batch_req_","custom_id":"story","response":{"status_code":200,"request_id":"req_",\
            "body":{"id":"cmpl-","object":"text_completion","created":0,"model":"cusco-demo-stories",\
            "choices":[{"index":0,"text":"%s little","logprobs":null,"finish_reason":"length"}],\
            "usage":{"prompt_tokens":5,"completion_tokens":5,"total_tokens":10,\
            "prompt_tokens_details":{"cached_tokens":0}}}},"error":null}\
            """
                .formatted(text),
            """
            {"id":"batch_req_","custom_id":"wrong","response":{"status_code":400,"request_id":"req_",\
            "body":{"error":{"message":"max_tokens must be a whole number from 1 on, got -1",\
            "type":"invalid_request_error","param":"max_tokens","code":null}}},"error":null}\
            """,
            """
            {"id":"batch_req_","custom_id":null,"response":null,"error":{"code":"invalid_json_line",\
            "message":"line 4: not valid JSON at character 1: Unrecognized token 'nonsense': was \
            expecting (JSON String, Number, Array, Object or token 'null', 'true' or 'false')","line":4}}\
            """,
            """
            {"id":"batch_req_","custom_id":"story","response":null,"error":\
            {"code":"duplicate_custom_id","message":"line 5: an earlier line has the custom_id \
            \\"story\\" already","line":5}}\
            """,
            """
            {"id":"batch_req_","custom_id":"e","response":{"status_code":400,"request_id":"req_",\
            "body":{"error":{"message":"pooling must be \\"last\\" or \\"mean\\", got \\"cls\\"",\
            "type":"invalid_request_error","param":"pooling","code":null}}},"error":null}\
            """,
            """
            {"id":"batch_req_","custom_id":"g","response":null,"error":{"code":"invalid_method",\
            "message":"line 7: method must be \\"POST\\", got \\"GET\\"","line":7}}\
            """,
            """
            {"id":"batch_req_","custom_id":"u","response":null,"error":{"code":"invalid_url",\
            "message":"line 8: url must be one of /v1/chat/completions, /v1/completions, \
            /v1/embeddings, got \\"/v2\\"","line":8}}\
            """,
            """
            {"id":"batch_req_","custom_id":"b","response":null,"error":\
            {"code":"missing_required_parameter","message":"line 9: body must be an object, got \
            null or nothing","line":9}}\
            """,
            """
            {"id":"batch_req_","custom_id":null,"response":null,"error":\
            {"code":"missing_required_parameter","message":"line 10: custom_id must be a string, \
            got 7","line":10}}\
            """);
    assertThat(result.err().lines().toList().getLast())
        .startsWith(
            "llama: 9 requests, 8 failed; 5 prompt tokens (0 from the prefix cache), 5 generated");
  }

  @Test
  void allGoodExitsWithZeroAndKeepsTheOrder() throws IOException {
    List<String> lines = new ArrayList<>();
    for (int i = 0; i < 40; i++) {
      lines.add(i % 2 == 0 ? text("t" + i, "The dog", 40 - i) : chat("c" + i, "Hello", 1 + i % 3));
    }
    Files.write(input, lines);
    assertThat(run("--max-concurrent", "4").code()).isZero();
    List<String> expected =
        IntStream.range(0, 40).mapToObj(i -> "id " + (i % 2 == 0 ? "t" : "c") + i).toList();
    assertThat(Files.readAllLines(output).stream().map(BatchFixture::key)).isEqualTo(expected);
    Map<String, String> inOrder = BatchFixture.contents(output);
    Files.delete(output);
    assertThat(run("--max-concurrent", "7", "--order", "completion").code()).isZero();
    assertThat(BatchFixture.contents(output)).isEqualTo(inOrder);
    assertThat(Files.readAllLines(output).stream().map(BatchFixture::key))
        .isNotEqualTo(expected)
        .containsExactlyInAnyOrderElementsOf(expected);
  }

  @Test
  void hostileLinesAreAnsweredAndTheRunGoesOn() throws IOException {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    String deep = "[".repeat(50_000);
    for (byte[] line :
        new byte[][] {
          utf8(
              "{\"custom_id\":\"deep\",\"method\":\"POST\",\"url\":\"/v1/completions\",\"body\":"
                  + deep),
          utf8(text("huge", "x", 1).replace("\"temperature\":0", "\"temperature\":1e99999")),
          utf8(text("digits", "x", 1).replace("\"temperature\":0", "\"seed\":" + "9".repeat(2000))),
          utf8(
              text("tools", "x", 1)
                  .replace("\"temperature\":0", "\"logit_bias\":{\"999999999\":1}")),
          utf8("\u0000\u0000"),
          {'{', '"', (byte) 0xff, '"', '}'},
          utf8(text("long", "word ".repeat(2_000_000), 1)),
          utf8(text("nul", "a\\u0000b", 1)),
          utf8(text("half", "a\\ud800b", 1)),
          utf8(text("\\ud800", "x", 1)),
          utf8(text("é", "x", 1)),
          utf8("[]"),
          utf8(text("last", "x", 1))
        }) {
      bytes.write(line);
      bytes.write('\n');
    }
    Files.write(input, bytes.toByteArray());
    Cli.Result result = run();
    assertThat(result.code()).as(result.err()).isEqualTo(1);
    List<String> lines = Files.readAllLines(output);
    assertThat(lines.stream().map(BatchFixture::key))
        .containsExactly(
            "line 1",
            "id huge",
            "line 3",
            "id tools",
            "line 5",
            "line 6",
            "id long",
            "id nul",
            "id half",
            "line 10",
            "id é",
            "line 12",
            "id last");
    assertThat(lines.get(0)).contains("nesting depth");
    assertThat(lines.get(1)).contains("temperature must be a number from 0 to 2, got 1e99999");
    assertThat(lines.get(3)).contains("logit_bias 999999999 is outside the vocabulary");
    assertThat(lines.get(5)).contains("not UTF-8");
    assertThat(lines.get(6)).contains("context_length_exceeded", "\"status_code\":400");
    for (int good : new int[] {7, 8, 10, 12}) {
      assertThat(lines.get(good)).contains("\"status_code\":200");
    }
    assertThat(result.err().lines().toList().getLast()).contains("13 requests, 9 failed");
  }

  private static byte[] utf8(String text) {
    return text.getBytes(StandardCharsets.UTF_8);
  }

  @Test
  void aTornLineIsCutAndTheRestIsAnsweredOnce() throws IOException {
    List<String> requests = BatchFixture.requests(30);
    Files.write(input, requests);
    assertThat(run("--seed", "5").code()).isEqualTo(1);
    Map<String, String> undisturbed = BatchFixture.contents(output);
    assertThat(undisturbed).hasSize(30);
    List<String> lines = Files.readAllLines(output);
    String cut = String.join("\n", lines.subList(0, 17)) + "\n" + lines.get(17).substring(0, 40);
    Files.writeString(output, cut);
    Cli.Result result = run("--resume", "--seed", "5");
    assertThat(result.code()).isEqualTo(1);
    assertThat(result.err()).contains("13 requests,", "17 skipped as answered before,");
    assertThat(Files.readAllLines(output).stream().map(BatchFixture::key))
        .isEqualTo(lines.stream().map(BatchFixture::key).toList());
    assertThat(BatchFixture.contents(output)).isEqualTo(undisturbed);
    byte[] whole = Files.readAllBytes(output);
    assertThat(run("--resume").err()).contains("0 requests,", "30 skipped");
    assertThat(Files.readAllBytes(output)).isEqualTo(whole);
  }

  @Test
  void resultsOfAnEarlierLineComeBeforeTheNextLineIsThere() throws Exception {
    PipedInputStream in = new PipedInputStream(1 << 16);
    PipedInputStream results = new PipedInputStream(1 << 16);
    CompletableFuture<Integer> code = new CompletableFuture<>();
    try (PipedOutputStream requests = new PipedOutputStream(in);
        PipedOutputStream out = new PipedOutputStream(results)) {
      String[] args = {"batch", "--backend", "cpu", "-i", "-", "-o", "-"};
      // Not on the common pool: answers pass through it, and it may have one thread.
      Thread.ofPlatform()
          .daemon()
          .start(() -> code.complete(Main.run(args, out, OutputStream.nullOutputStream(), in)));
      for (int i = 0; i < 3; i++) {
        requests.write(utf8(text("r" + i, "The cat", 2) + "\n"));
        requests.flush();
        StringBuilder line = new StringBuilder();
        for (int c = results.read(); c != '\n'; c = results.read()) {
          line.append((char) c);
        }
        assertThat(BatchFixture.key(line.toString())).isEqualTo("id r" + i);
      }
    }
    assertThat(code.get()).isZero();
  }

  @Test
  void samplesAndSeedsAreThoseOfTheRequest() throws IOException {
    String request =
        """
        {"custom_id":"%s","method":"POST","url":"/v1/completions","body":{"prompt":"The dog","max_tokens":8,"n":2%s}}
        """;
    Files.writeString(
        input,
        request.formatted("a", ",\"seed\":5")
            + request.formatted("b", ",\"seed\":5")
            + request.formatted("c", "")
            + request.formatted("d", ""));
    run("--seed", "1");
    List<List<Object>> first = texts();
    assertThat(first.get(0)).isEqualTo(first.get(1)).doesNotHaveDuplicates();
    assertThat(first.get(2)).isNotEqualTo(first.get(3));
    Files.delete(output);
    run("--seed", "1");
    assertThat(texts()).isEqualTo(first);
    Files.delete(output);
    run("--seed", "2");
    assertThat(texts().subList(0, 2)).isEqualTo(first.subList(0, 2));
    assertThat(texts().get(2)).isNotEqualTo(first.get(2));
  }

  private List<List<Object>> texts() {
    return Json.lines(output).stream()
        .map(line -> Json.object(Json.object(line.get("response")).get("body")).get("choices"))
        .map(choices ->
            Json.array(choices).stream().map(choice -> Json.object(choice).get("text")).toList())
        .toList();
  }

  @Test
  void filesThatWillNotDoAreRefusedBeforeAnythingIsWritten() throws IOException {
    Cli.Result missing = run();
    assertThat(missing.code()).isEqualTo(1);
    assertThat(missing.err()).contains("no such file or folder: " + input);
    Files.write(input, List.of(text("a", "x", 1)));
    String[] same = {
      "batch", "-i", input.toString(), "-o", folder.resolve("./in.jsonl").toString()
    };
    assertThat(Cli.run(same).err()).contains("is both input and output");
    assertThat(Files.readAllLines(input)).hasSize(1);
    assertThat(Cli.run("batch", "-i", input.toString(), "-o", folder + "/no/out").err())
        .contains("there is no folder");
    assertThat(Cli.run("batch", "-i", folder.toString(), "-o", output.toString()).err())
        .contains("is a folder; name a file of requests");
    Files.writeString(output, "x\n");
    assertThat(run().err()).contains("go on with it by --resume");
    assertThat(run("--resume").err()).contains("line 1 is no result of a batch run");
    assertThat(Files.readString(output)).isEqualTo("x\n");
  }

  @Test
  void theReadmesRequestsAreAnswered() throws IOException {
    Path readme = Path.of(System.getProperty("llama.scripts")).resolveSibling("README.md");
    assumeTrue(Files.exists(readme), "there is no README.md");
    List<String> lines =
        Files.readAllLines(readme).stream()
            .dropWhile(line -> !line.startsWith("cat >requests.jsonl"))
            .skip(1)
            .takeWhile(line -> !line.equals("END"))
            .toList();
    assertThat(lines).hasSize(3);
    Files.write(input, lines);
    Cli.Result result = run();
    assertThat(result.code()).as(result.err()).isZero();
    assertThat(Json.lines(output))
        .extracting(r -> r.get("custom_id"))
        .containsExactly("a", "b", "c");
  }

  @Test
  void anEmptyFileGivesAnEmptyFile() throws IOException {
    Files.createFile(input);
    assertThat(run().code()).isZero();
    assertThat(output).isEmptyFile();
  }

  @Test
  void whatTheModelFailsAtIsAnsweredWithTheReason() throws IOException {
    Path broken = folder.resolve("broken.gguf");
    DemoModel.copyTo(broken);
    byte[] bytes = Files.readAllBytes(broken);
    // The last tensors become values that are no numbers.
    Arrays.fill(bytes, bytes.length - (1 << 16), bytes.length, (byte) 0xff);
    Files.write(broken, bytes);
    Files.write(input, List.of(text("a", "x", 1), "nonsense"));
    Cli.Result result = run("-m", broken.toString());
    assertThat(result.code()).isEqualTo(1);
    assertThat(Files.readAllLines(output).getFirst())
        .contains("\"custom_id\":\"a\"", "\"status_code\":500", "\"type\":\"server_error\"")
        .contains("position 2: ", "not finite")
        .doesNotContain("Exception");
    assertThat(Files.readAllLines(output)).hasSize(2);
  }

  /// What the reader of bodies does not look at.
  @Test
  void aStreamFieldOfTheWrongTypeIsThatLinesFailure() throws IOException {
    String wrong = text("a", "Once", 2).replace("\"prompt\"", "\"stream\":\"true\",\"prompt\"");
    Files.write(input, List.of(wrong, text("b", "Once", 2)));
    Cli.Result result = run();
    assertThat(result.code()).as(result.err()).isEqualTo(1);
    assertThat(result.err()).contains("2 requests, 1 failed");
    List<String> lines = Files.readAllLines(output);
    assertThat(lines).hasSize(2);
    assertThat(lines.get(0))
        .contains(
            "\"status_code\":400", "stream must be true or false, got", "\"param\":\"stream\"");
    assertThat(lines.get(1)).contains("\"status_code\":200");
  }

  @Test
  void aFullDiskEndsTheRunInOneLine() {
    OutputStream full =
        new OutputStream() {
          @Override
          public void write(int b) throws IOException {
            throw new IOException("No space left on device");
          }
        };
    ByteArrayOutputStream err = new ByteArrayOutputStream();
    String[] args = {"batch", "--backend", "cpu", "-i", "-", "-o", "-"};
    byte[] in = utf8(String.join("\n", BatchFixture.requests(50)));
    assertThat(Main.run(args, full, err, new ByteArrayInputStream(in))).isEqualTo(1);
    assertThat(err.toString(StandardCharsets.UTF_8).lines())
        .containsExactly("llama: cannot write the output: No space left on device");
  }
}
