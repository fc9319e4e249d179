package io.cusco.llama.cli.demo;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.cusco.llama.Llama;
import io.cusco.llama.LlamaOptions;
import io.cusco.llama.engine.EngineOptions;
import io.cusco.llama.engine.Generation;
import io.cusco.llama.engine.Request;
import io.cusco.llama.sampling.SamplingParams;
import io.cusco.llama.sampling.StopConditions;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/// The deterministic mode from end to end: tokens and the bits of their log-probabilities are the
/// same one at a time and in a full engine, in any order, with and without the prefix cache.
@Timeout(120)
class DeterministicTest {
  private static final int REQUESTS = 20;

  @BeforeEach
  void requireModel() {
    assumeTrue(DemoModel.numBytes().isPresent(), "this build has no bundled demo model");
  }

  private static Llama open(boolean prefixCache, int maxSequences) {
    return Llama.open(
        DemoModel.open(),
        LlamaOptions.DEFAULT
            .withBackend("cpu")
            .withContextLength(256)
            .withMaxSequences(maxSequences)
            .withDeterministic(true)
            .withEngine(EngineOptions.DEFAULT.withPrefixCache(prefixCache)));
  }

  private static List<Request> requests(Llama llama) {
    List<Request> requests = new ArrayList<>();
    for (int i = 0; i < REQUESTS; i++) {
      String prompt =
          "Once upon a time there was a little fox. ".repeat(1 + i % 4) + "He ".repeat(i);
      SamplingParams.Builder sampling = SamplingParams.builder().seed(i).logprobs(2);
      requests.add(
          new Request(
              llama.encodePrompt(prompt),
              (i % 2 == 0 ? sampling.temperature(0) : sampling.temperature(1.2)).build(),
              new StopConditions(10 + i, List.of(), List.of(), true)));
    }
    return requests;
  }

  @Test
  void tokensAndLogprobsDoNotDependOnTheCompany() {
    List<Generation.Result> alone = new ArrayList<>();
    try (Llama llama = open(false, 1)) {
      for (Request request : requests(llama)) {
        alone.add(llama.submit(request).await());
      }
    }
    Random random = new Random(20261121);
    for (boolean prefixCache : new boolean[] {false, true}) {
      try (Llama llama = open(prefixCache, 16)) {
        List<Request> requests = requests(llama);
        List<Integer> order = new ArrayList<>();
        for (int i = 0; i < REQUESTS; i++) {
          order.add(i);
        }
        Collections.shuffle(order, random);
        List<Generation> generations =
            order.stream().map(i -> llama.submit(requests.get(i))).toList();
        for (int i = 0; i < REQUESTS; i++) {
          Generation.Result result = generations.get(i).await();
          Generation.Result expected = alone.get(order.get(i));
          assertThat(result.ids()).as("request %d", order.get(i)).isEqualTo(expected.ids());
          assertThat(result.logprobs())
              .as("request %d", order.get(i))
              .isEqualTo(expected.logprobs());
        }
        assertThat(llama.engine().stats().cachedPromptTokens() > 0).isEqualTo(prefixCache);
      }
    }
  }
}
