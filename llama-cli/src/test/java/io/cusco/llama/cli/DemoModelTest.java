package io.cusco.llama.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import io.cusco.llama.Llama;
import io.cusco.llama.LlamaOptions;
import io.cusco.llama.backend.ComputeMode;
import io.cusco.llama.chat.Message;
import io.cusco.llama.cli.demo.DemoModel;
import io.cusco.llama.engine.Generation;
import io.cusco.llama.engine.Request;
import io.cusco.llama.sampling.SamplingParams;
import io.cusco.llama.sampling.StopConditions;
import io.cusco.llama.testkit.Json;
import io.cusco.llama.testkit.Tolerance;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/// The whole path on the bundled model, against numbers that an independent forward pass (numpy,
/// float64, `scripts/demo-model/evaluate.py`) computed on the same dequantised weights. Needs
/// nothing that is not in the repository.
class DemoModelTest {
  /// float32 arithmetic over five layers; logits are of the order of 10.
  private static final double F32_TOLERANCE = 2e-4;

  /// Keys and values in float16.
  private static final double FAST_TOLERANCE = 2e-2;

  @Test
  void exactComputeGivesTheGoldenNumbers() throws IOException {
    check(ComputeMode.F32, F32_TOLERANCE);
  }

  @Test
  void fastComputeStaysCloseToTheGoldenNumbers() throws IOException {
    check(ComputeMode.AUTO, FAST_TOLERANCE);
  }

  private static void check(ComputeMode compute, double tolerance) throws IOException {
    try (Llama llama = Llama.open(DemoModel.open(), LlamaOptions.DEFAULT.withCompute(compute))) {
      for (Map<String, Object> prompt : prompts()) {
        String name = (String) prompt.get("name");
        int[] ids = Json.ints(prompt.get("ids"));
        assertThat(llama.tokenizer().encodeWithSpecialTokens((String) prompt.get("text")))
            .as("%s: ids of the text", name)
            .endsWith(withoutBos(llama, ids));
        List<float[]> logits = new ArrayList<>();
        llama.engine().score(ids, (position, row) -> logits.add(row.clone()));
        checkLogits(name, prompt, ids, logits, tolerance);
        checkGreedy(llama, name, prompt, ids, tolerance);
      }
    }
  }

  private static int[] withoutBos(Llama llama, int[] ids) {
    boolean hasBos = ids[0] == llama.tokenizer().specialTokens().bos().orElse(-1);
    return hasBos ? java.util.Arrays.copyOfRange(ids, 1, ids.length) : ids;
  }

  private static void checkLogits(
      String name, Map<String, Object> prompt, int[] ids, List<float[]> logits, double tolerance) {
    float[] last = logits.get(ids.length - 1);
    for (Object entry : Json.array(prompt.get("logits_last_top"))) {
      double[] idAndLogit = Json.doubles(entry);
      assertThat((double) last[(int) idAndLogit[0]])
          .as("%s: logit of token %d", name, (int) idAndLogit[0])
          .isCloseTo(idAndLogit[1], within(tolerance));
    }
    assertThat(Tolerance.logSumExp(last))
        .as("%s: logsumexp", name)
        .isCloseTo(((Number) prompt.get("logsumexp")).doubleValue(), within(tolerance));
    double[] logprobs = Json.doubles(prompt.get("prompt_logprobs"));
    for (int i = 0; i < logprobs.length; i++) {
      double logprob = logits.get(i)[ids[i + 1]] - Tolerance.logSumExp(logits.get(i));
      assertThat(logprob)
          .as("%s: log-probability of prompt token %d", name, i + 1)
          .isCloseTo(logprobs[i], within(2 * tolerance));
    }
  }

  private static void checkGreedy(
      Llama llama, String name, Map<String, Object> prompt, int[] ids, double tolerance) {
    int[] expected = Json.ints(prompt.get("greedy_ids"));
    double[] margin = Json.doubles(prompt.get("greedy_margin"));
    Generation.Result result =
        llama
            .submit(
                new Request(ids, SamplingParams.GREEDY, StopConditions.maxTokens(expected.length)))
            .await();
    for (int i = 0; i < expected.length; i++) {
      if (i >= result.ids().size() || result.ids().get(i) != expected[i]) {
        assertThat(margin[i]).as("%s: greedy token %d", name, i).isLessThan(2 * tolerance);
        return;
      }
    }
    // the golden text spells out the end token, which adds nothing to ours
    String text = ((String) prompt.get("greedy_text")).replaceFirst("<\\|\\w+\\|>$", "");
    assertThat(result.text()).as(name).isEqualTo(text);
  }

  @Test
  void chatAnswersAndEndsItsTurn() {
    try (Llama llama = Llama.open(DemoModel.open(), LlamaOptions.DEFAULT)) {
      String story = llama.chat(List.of(Message.user("Tell me a story about a fox.")));
      assertThat(story).contains("fox").endsWith(".").doesNotContain("<|");
      assertThat(story.length()).isBetween(100, 2000);
    }
  }

  private static List<Map<String, Object>> prompts() throws IOException {
    try (InputStream golden = DemoModelTest.class.getResourceAsStream("demo/golden.json")) {
      String text = new String(golden.readAllBytes(), StandardCharsets.UTF_8);
      return Json.array(Json.object(Json.parse(text)).get("prompts")).stream()
          .map(Json::object)
          .toList();
    }
  }
}
