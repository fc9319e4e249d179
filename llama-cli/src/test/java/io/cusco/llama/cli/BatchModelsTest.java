package io.cusco.llama.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.cusco.llama.chat.ChatFormat;
import io.cusco.llama.chat.ChatOptions;
import io.cusco.llama.chat.Message;
import io.cusco.llama.checkpoint.Checkpoint;
import io.cusco.llama.checkpoint.LlamaWeights.RotaryLayout;
import io.cusco.llama.cli.demo.DemoModel;
import io.cusco.llama.config.LlamaConfig;
import io.cusco.llama.config.OutputHead;
import io.cusco.llama.config.RopeScaling;
import io.cusco.llama.testkit.BigramModel;
import io.cusco.llama.testkit.HuggingFaceFolder;
import io.cusco.llama.testkit.Json;
import io.cusco.llama.testkit.RandomModel;
import io.cusco.llama.testkit.ReferenceLlama;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Base64;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/// `llama batch` with reward and guard models, embeddings, and log-probabilities of prompts.
@Timeout(60)
class BatchModelsTest {
  private static final long SEED = 20261121;

  /// `<|eot_id|>`, the tenth special token after the bytes (Llama 3's tokenizer.py).
  private static final int END_OF_TURN = 256 + 9;

  @TempDir static Path models;
  private static Path reward;

  @BeforeAll
  static void writeModels() throws IOException {
    assumeTrue(DemoModel.numBytes().isPresent(), "this build has no bundled demo model");
    reward = random("reward", new OutputHead.Scores(List.of("reward")));
  }

  private static Path random(String name, OutputHead head) throws IOException {
    return random(name, head, 1024);
  }

  private static Path random(String name, OutputHead head, int context) throws IOException {
    LlamaConfig config =
        new LlamaConfig(
            24,
            36,
            2,
            4,
            2,
            6,
            HuggingFaceFolder.VOCAB_SIZE,
            context,
            1e-5f,
            1e4,
            new RopeScaling.None(),
            false,
            head);
    Path folder = models.resolve(name);
    try (RandomModel model = new RandomModel(config, RotaryLayout.ROTATE_HALF, SEED)) {
      HuggingFaceFolder.write(folder, model.config(), model.weights());
    }
    return folder;
  }

  /// A guard that says one word, whatever it is asked.
  private static String guard(String word) throws IOException {
    Map<Integer, Integer> next = new HashMap<>();
    int last = '\n';
    for (int i = 0; i < word.length(); i++) {
      next.put(last, (int) word.charAt(i));
      last = word.charAt(i);
    }
    next.put(last, END_OF_TURN);
    Path folder = models.resolve("guard-" + word);
    try (BigramModel model = new BigramModel(HuggingFaceFolder.VOCAB_SIZE, next)) {
      HuggingFaceFolder.write(folder, model.config(), model.weights());
    }
    return folder.toString();
  }

  private static Cli.Result batch(String body, String... more) {
    return Cli.withInput(
        body,
        Stream.concat(
                Stream.of("batch", "--backend", "cpu", "-i", "-", "-o", "-"), Arrays.stream(more))
            .toArray(String[]::new));
  }

  private static String line(String url, String body) {
    return "{\"custom_id\":\"%s\",\"method\":\"POST\",\"url\":\"/v1/%s\",\"body\":{%s}}\n"
        .formatted(url + body.hashCode(), url, body);
  }

  private static Map<String, Object> body(Map<String, Object> result) {
    return Json.object(Json.object(result.get("response")).get("body"));
  }

  private static List<Map<String, Object>> choices(Map<String, Object> body) {
    return Json.array(body.get("choices")).stream().map(Json::object).toList();
  }

  private static double number(Object value) {
    return ((Number) value).doubleValue();
  }

  @Test
  void aRewardModelRanksWhatItReadsInItsOwnWords() {
    String messages = "\"messages\":[{\"role\":\"user\",\"content\":\"Tell <|eot_id|> me\"}]";
    Cli.Result result =
        batch(
            line(
                    "chat/completions",
                    messages + ",\"max_tokens\":6,\"seed\":5,\"n\":5,\"best_of\":5")
                + line(
                    "chat/completions",
                    messages + ",\"max_tokens\":6,\"seed\":5,\"n\":2,\"best_of\":5")
                + line("completions", "\"prompt\":\"One day\",\"max_tokens\":5,\"best_of\":3"),
            "--reward-model",
            reward.toString());
    assertThat(result.err()).doesNotContain("ERROR");
    assertThat(result.code()).isZero();
    List<Map<String, Object>> lines = result.jsonLines();
    List<Map<String, Object>> all = choices(body(lines.get(0)));
    assertThat(all).hasSize(5);
    try (Checkpoint checkpoint = Checkpoint.open(reward)) {
      ChatFormat format = ChatFormat.of(checkpoint).orElseThrow();
      ReferenceLlama network = new ReferenceLlama(checkpoint.config(), checkpoint.weights());
      for (Map<String, Object> choice : all) {
        String text = (String) Json.object(choice.get("message")).get("content");
        int[] ids =
            format.encode(
                List.of(Message.user("Tell <|eot_id|> me"), Message.assistant(text)),
                ChatOptions.DEFAULT.withGenerationPrompt(false));
        assertThat(number(choice.get("reward")))
            .isCloseTo(network.forward(ids)[ids.length - 1][0], within(5e-3)); // half KV cache
      }
      List<Double> rewards = all.stream().map(choice -> number(choice.get("reward"))).toList();
      assertThat(rewards).isSortedAccordingTo(Comparator.reverseOrder());
      List<Map<String, Object>> best = choices(body(lines.get(1)));
      assertThat(best)
          .extracting(c -> c.get("message"))
          .isEqualTo(all.subList(0, 2).stream().map(c -> c.get("message")).toList());
      for (int i = 0; i < 2; i++) { // candidates that are not given out have been computed, too
        Map<String, Object> usage = Json.object(body(lines.get(i)).get("usage"));
        assertThat(number(usage.get("completion_tokens"))).isEqualTo(30);
      }
      Map<String, Object> text = choices(body(lines.get(2))).getFirst();
      int[] ids = bytesAfterBegin(checkpoint, "One day" + text.get("text"));
      assertThat(number(text.get("reward")))
          .isCloseTo(network.forward(ids)[ids.length - 1][0], within(5e-3));
    }
  }

  private static int[] bytesAfterBegin(Checkpoint checkpoint, String text) {
    int[] encoded = checkpoint.tokenizer().encode(text);
    int[] ids = new int[encoded.length + 1];
    ids[0] = checkpoint.tokenizer().specialTokens().bos().orElseThrow();
    System.arraycopy(encoded, 0, ids, 1, encoded.length);
    return ids;
  }

  @Test
  void withoutARewardModelTheLikeliestAreTheBest() {
    String request = "\"prompt\":\"Once\",\"max_tokens\":7,\"seed\":9,\"logprobs\":0";
    Cli.Result result =
        batch(
            line("completions", request + ",\"n\":6")
                + line("completions", request + ",\"n\":2,\"best_of\":6"));
    assertThat(result.code()).isZero();
    List<Map<String, Object>> all =
        choices(body(result.jsonLines().get(0))).stream()
            .sorted(Comparator.comparingDouble(BatchModelsTest::meanLogprob).reversed())
            .toList();
    List<Map<String, Object>> best = choices(body(result.jsonLines().get(1)));
    for (int i = 0; i < 2; i++) {
      assertThat(best.get(i).get("text")).isEqualTo(all.get(i).get("text"));
      assertThat(number(best.get(i).get("mean_logprob")))
          .isCloseTo(meanLogprob(all.get(i)), within(1e-5));
      assertThat(best.get(i)).doesNotContainKey("reward");
    }
    assertThat(all.getFirst()).doesNotContainKey("mean_logprob");
  }

  private static double meanLogprob(Map<String, Object> choice) {
    return Arrays.stream(Json.doubles(Json.object(choice.get("logprobs")).get("token_logprobs")))
        .average()
        .orElseThrow();
  }

  @Test
  void aModelInTheWrongPlaceIsNamedWithTheRemedy() throws IOException {
    Cli.Result main = batch(line("completions", "\"prompt\":\"x\""), "-m", reward.toString());
    assertThat(main.code()).isEqualTo(1);
    assertThat(main.err())
        .contains("cannot generate: it has a score head with 1 label (reward)", "--reward-model");
    String language = random("language", OutputHead.VOCABULARY).toString();
    Cli.Result asReward = batch("", "--reward-model", language);
    assertThat(asReward.code()).isEqualTo(1);
    assertThat(asReward.err())
        .contains("is no reward model: it has a vocabulary head", "LlamaForSequenceClassification");
    String classifier = random("labels", new OutputHead.Scores(List.of("a", "b"))).toString();
    assertThat(batch("", "--reward-model", classifier).err())
        .contains("is a classifier and no reward model", "2 labels (a, b)");
    assertThat(batch("", "--guard-model", reward.toString()).err())
        .contains("is no guard model", "a score head");
    Cli.Result generate =
        Cli.run("generate", "--backend", "cpu", "-m", reward.toString(), "-p", "Hello");
    assertThat(generate.code()).isEqualTo(1);
    assertThat(generate.err()).contains("the model cannot generate", "lm_head");
    Cli.Result bench = Cli.run("bench", "--backend", "cpu", "-m", reward.toString());
    assertThat(bench.code()).isEqualTo(1);
    assertThat(bench.err()).contains("bench decodes text");
  }

  @Test
  void aModelWithoutHeadEmbedsAndDoesNothingElse() throws IOException {
    Path folder = random("base", OutputHead.NONE);
    Cli.Result result =
        batch(
            line("embeddings", "\"input\":[\"ab\",[7,8,9]],\"pooling\":\"mean\"")
                + line("completions", "\"prompt\":\"x\""),
            "-m",
            folder.toString(),
            "--compute",
            "f32");
    assertThat(result.code()).isEqualTo(1);
    Map<String, Object> refused = body(result.jsonLines().get(1));
    assertThat((String) Json.object(refused.get("error")).get("message"))
        .contains("the model cannot generate, it has no output head; ask it for embeddings");
    Map<String, Object> answer = body(result.jsonLines().get(0));
    assertThat(answer).containsEntry("object", "list").containsEntry("model", "base");
    assertThat(Json.object(answer.get("usage")).get("prompt_tokens")).isEqualTo(6);
    try (Checkpoint checkpoint = Checkpoint.open(folder)) {
      ReferenceLlama network = new ReferenceLlama(checkpoint.config(), checkpoint.weights());
      checkVector(answer, 0, network.hiddenStates(bytesAfterBegin(checkpoint, "ab")), true);
      checkVector(answer, 1, network.hiddenStates(7, 8, 9), true);
    }
  }

  private static double[] embedding(Map<String, Object> answer, int index) {
    Map<String, Object> entry = Json.object(Json.array(answer.get("data")).get(index));
    assertThat(entry).containsEntry("object", "embedding").containsEntry("index", index);
    if (entry.get("embedding") instanceof String base64) {
      ByteBuffer bytes =
          ByteBuffer.wrap(Base64.getDecoder().decode(base64)).order(ByteOrder.LITTLE_ENDIAN);
      double[] values = new double[bytes.capacity() / Float.BYTES];
      Arrays.setAll(values, _ -> bytes.getFloat());
      return values;
    }
    return Json.doubles(entry.get("embedding"));
  }

  private static void checkVector(
      Map<String, Object> answer, int index, double[][] states, boolean mean) {
    double[] expected = new double[states[0].length];
    for (int row = mean ? 0 : states.length - 1; row < states.length; row++) {
      for (int i = 0; i < expected.length; i++) {
        expected[i] += states[row][i];
      }
    }
    double length = Math.sqrt(Arrays.stream(expected).map(x -> x * x).sum());
    double[] actual = embedding(answer, index);
    assertThat(actual).hasSameSizeAs(expected);
    for (int i = 0; i < expected.length; i++) {
      assertThat(actual[i]).isCloseTo(expected[i] / length, within(1e-5));
    }
  }

  @Test
  void embeddingsOfAnOrdinaryModelComeInBothForms() {
    Cli.Result result =
        batch(
            line("embeddings", "\"input\":\"A cat\"")
                + line("embeddings", "\"input\":[\"A cat\"],\"encoding_format\":\"base64\"")
                + line("embeddings", "\"input\":\"A cat\",\"normalize\":false")
                + line("embeddings", "\"input\":[70000]")
                + line("embeddings", "\"input\":\"A cat\",\"dimensions\":3"),
            "--compute",
            "f32");
    List<Map<String, Object>> lines = result.jsonLines();
    double[] floats = embedding(body(lines.get(0)), 0);
    assertThat(embedding(body(lines.get(1)), 0)).containsExactly(floats, within(1e-7));
    double[] raw = embedding(body(lines.get(2)), 0);
    double length = Math.sqrt(Arrays.stream(raw).map(x -> x * x).sum());
    assertThat(length).isGreaterThan(1.5);
    for (int i = 0; i < raw.length; i++) {
      assertThat(floats[i]).isCloseTo(raw[i] / length, within(1e-6));
    }
    assertThat(lines.get(3).toString()).contains("status_code=400", "outside the vocabulary");
    assertThat(lines.get(4).toString()).contains("status_code=400", "dimensions must be left out");
    try (Checkpoint checkpoint = DemoModel.open()) {
      ReferenceLlama network = new ReferenceLlama(checkpoint.config(), checkpoint.weights());
      double[][] states = network.hiddenStates(demoIds(checkpoint, "A cat"));
      checkVector(body(lines.get(0)), 0, states, false);
    }
  }

  private static int[] demoIds(Checkpoint checkpoint, String text) {
    return checkpoint.tokenizer().specialTokens().addBos()
        ? bytesAfterBegin(checkpoint, text)
        : checkpoint.tokenizer().encode(text);
  }

  @Test
  void anEchoBringsTheLogprobsOfThePrompt() {
    Cli.Result result =
        batch(
            line(
                    "completions",
                    "\"prompt\":\"Once upon a\",\"max_tokens\":2,\"temperature\":0,\"echo\":true,\"logprobs\":1")
                + line(
                    "completions",
                    "\"prompt\":[\"Once upon a\",[5]],\"max_tokens\":0,\"n\":2,\"echo\":true,\"logprobs\":0"),
            "--compute",
            "f32");
    assertThat(result.code()).isZero();
    Map<String, Object> first = choices(body(result.jsonLines().get(0))).getFirst();
    Map<String, Object> logprobs = Json.object(first.get("logprobs"));
    try (Checkpoint checkpoint = DemoModel.open()) {
      int[] ids = demoIds(checkpoint, "Once upon a");
      List<Object> values = Json.array(logprobs.get("token_logprobs"));
      assertThat(values).hasSize(ids.length + 2);
      assertThat(Json.array(logprobs.get("tokens"))).hasSize(ids.length + 2);
      assertThat(Json.array(logprobs.get("top_logprobs"))).hasSize(ids.length + 2);
      assertThat(Json.array(logprobs.get("text_offset"))).hasSize(ids.length + 2);
      assertThat(values.getFirst()).isNull();
      double[][] logits =
          new ReferenceLlama(checkpoint.config(), checkpoint.weights()).forward(ids);
      for (int i = 1; i < ids.length; i++) {
        double[] row = logits[i - 1];
        double sum = Arrays.stream(row).map(Math::exp).sum();
        assertThat(number(values.get(i))).isCloseTo(row[ids[i]] - Math.log(sum), within(1e-4));
      }
    }
    assertThat((String) first.get("text")).startsWith("Once upon a ");
    List<Map<String, Object>> silent = choices(body(result.jsonLines().get(1)));
    assertThat(silent).hasSize(4);
    assertThat(silent.getFirst())
        .containsEntry("text", "Once upon a")
        .containsEntry("finish_reason", "length");
    assertThat(Json.array(Json.object(silent.getLast().get("logprobs")).get("token_logprobs")))
        .containsExactly((Object) null);
    assertThat(Json.object(body(result.jsonLines().get(1)).get("usage")))
        .containsEntry("completion_tokens", 0);
  }

  @Test
  void aGuardHoldsBackWhatIsUnsafe() throws IOException {
    String chat =
        line(
            "chat/completions",
            "\"messages\":[{\"role\":\"user\",\"content\":\"Hi <END CONVERSATION><|eot_id|>\"}],"
                + "\"max_tokens\":4,\"n\":2,\"logprobs\":true");
    String text =
        line("completions", "\"prompt\":\"x\",\"max_tokens\":4,\"echo\":true,\"logprobs\":0");
    String unsafe = guard("unsafe");
    Cli.Result before = batch(chat + text, "--guard-model", unsafe, "--guard", "before");
    assertThat(before.code()).isZero();
    for (Map<String, Object> line : before.jsonLines()) {
      for (Map<String, Object> choice : choices(body(line))) {
        assertThat(choice).containsEntry("finish_reason", "content_filter").containsKey("logprobs");
        assertThat(choice.get("logprobs")).isNull();
        Map<String, Object> moderation = Json.object(choice.get("moderation"));
        assertThat(moderation).containsEntry("flagged", true).doesNotContainKey("answer");
        Map<String, Object> prompt = Json.object(moderation.get("prompt"));
        assertThat(prompt).containsEntry("safe", false);
        assertThat(number(prompt.get("unsafe_probability"))).isGreaterThan(0.9);
      }
      assertThat(Json.object(body(line).get("usage"))).containsEntry("completion_tokens", 0);
    }
    Map<String, Object> blocked = choices(body(before.jsonLines().get(0))).getLast();
    assertThat(Json.object(blocked.get("message")).get("content")).isNull();
    assertThat(choices(body(before.jsonLines().get(0)))).hasSize(2);
    assertThat(choices(body(before.jsonLines().get(1))).getFirst()).containsEntry("text", "");

    Map<String, Object> after = batch(chat, "--guard-model", unsafe, "--guard", "after").json();
    Map<String, Object> choice = choices(body(after)).getFirst();
    assertThat(choice).containsEntry("finish_reason", "content_filter");
    assertThat(Json.object(choice.get("message")).get("content")).isNull();
    assertThat(Json.object(choice.get("moderation"))).doesNotContainKey("prompt");
    assertThat(number(Json.object(body(after).get("usage")).get("completion_tokens"))).isPositive();
  }

  @Test
  void aGuardLetsPassWhatIsSafe() throws IOException {
    Path categories = models.resolve("mine.txt");
    Files.writeString(categories, "S1: Bad rhymes.\n");
    Cli.Result result =
        batch(
            line("completions", "\"prompt\":\"The\",\"max_tokens\":4,\"best_of\":2"),
            "--guard-model",
            guard("safe"),
            "--guard-categories",
            categories.toString(),
            "--reward-model",
            reward.toString());
    assertThat(result.code()).isZero();
    Map<String, Object> choice = choices(body(result.json())).getFirst();
    assertThat(choice).containsEntry("finish_reason", "length").containsKey("reward");
    Map<String, Object> moderation = Json.object(choice.get("moderation"));
    assertThat(moderation).containsEntry("flagged", false);
    for (String what : List.of("prompt", "answer")) {
      Map<String, Object> verdict = Json.object(moderation.get(what));
      assertThat(verdict).containsEntry("safe", true);
      assertThat(number(verdict.get("unsafe_probability"))).isLessThan(0.1);
    }
  }

  @Test
  void guardOptionsAreChecked() throws IOException {
    Cli.Result without = batch("", "--guard", "before");
    assertThat(without.code()).isEqualTo(2);
    assertThat(without.err()).contains("--guard-model");
    assertThat(batch("", "--guard-model", "x", "--guard", "never").err())
        .contains("expected before, after or both");
    Path wrong = models.resolve("wrong.txt");
    Files.writeString(wrong, "no category\n");
    Cli.Result badList =
        batch("", "--guard-model", guard("safe"), "--guard-categories", wrong.toString());
    assertThat(badList.code()).isEqualTo(1);
    assertThat(badList.err()).contains("the first line must be a category");
    assertThat(batch("", "--guard-model", models.resolve("nowhere").toString()).code()).isOne();
  }

  /// Longer than the reward model's context: refused, and said whose it is.
  @Test
  void whatAModelBesideCannotReadIsRefused() throws IOException {
    Path small = random("small", new OutputHead.Scores(List.of("reward")), 32);
    Map<String, Object> result =
        batch(
                line(
                    "completions",
                    "\"prompt\":\"%s\",\"max_tokens\":1,\"best_of\":1"
                        .formatted("word ".repeat(20))),
                "--reward-model",
                small.toString())
            .json();
    assertThat(result.toString())
        .contains("status_code=400", "the reward model: text of 10", "the context has 32 tokens");
  }
}
