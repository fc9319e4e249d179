package io.cusco.llama.cli.demo;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.cusco.llama.Llama;
import io.cusco.llama.LlamaOptions;
import io.cusco.llama.backend.ComputeMode;
import io.cusco.llama.backend.ModelOptions;
import io.cusco.llama.engine.BatchRun;
import io.cusco.llama.engine.EngineOptions;
import io.cusco.llama.engine.EngineStats;
import io.cusco.llama.engine.Generation;
import io.cusco.llama.engine.Outcome;
import io.cusco.llama.engine.Request;
import io.cusco.llama.sampling.SamplingParams;
import io.cusco.llama.sampling.StopConditions;
import io.cusco.llama.sampling.Uniforms;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/// A real model's keys and values, shared: what is found in the prefix cache gives the tokens that
/// computing it gives. The demo model's choices are far enough apart for that.
@Timeout(60)
class PrefixCacheTest {
  private static final String STORY =
      "Once upon a time there was a little fox who lived in a forest with her mother. Every day she"
          + " went to the river to play with the frog and the duck. One day it was raining, and the"
          + " little fox could not go out. She was sad. Then her mother said, \"";

  private static final int BLOCK_SIZE = ModelOptions.DEFAULT_KV_BLOCK_SIZE;

  @BeforeEach
  void requireModel() {
    assumeTrue(DemoModel.numBytes().isPresent(), "this build has no bundled demo model");
  }

  private static Llama open(ComputeMode compute, boolean prefixCache) {
    return Llama.open(
        DemoModel.open(),
        LlamaOptions.DEFAULT
            .withBackend("cpu")
            .withCompute(compute)
            .withContextLength(256)
            .withMaxSequences(4)
            .withEngine(EngineOptions.DEFAULT.withPrefixCache(prefixCache)));
  }

  /// `STORY` with `rest` after it; every second one drawn, the others greedy.
  private static List<Request> requests(Llama llama) {
    List<String> rests =
        List.of("", "Let", "Come", "", "We can", "Let us go", "The frog", "Do not be sad");
    return IntStream.range(0, rests.size())
        .mapToObj(i ->
            new Request(
                llama.encodePrompt(STORY + rests.get(i)),
                i % 2 == 0
                    ? SamplingParams.GREEDY
                    : SamplingParams.builder().temperature(0.8).seed(i).build(),
                new StopConditions(40, List.of(), List.of(), true)))
        .toList();
  }

  @Test
  void aWarmPrefixGivesTheTokensOfAColdOne() {
    for (ComputeMode compute : List.of(ComputeMode.AUTO, ComputeMode.F32)) {
      List<List<Integer>> cold = new ArrayList<>();
      try (Llama llama = open(compute, false)) {
        for (Request request : requests(llama)) {
          Generation.Result result = llama.submit(request).await();
          assertThat(result.cachedPromptTokens()).isZero();
          cold.add(result.ids());
        }
        assertThat(llama.engine().stats().prefixHitRate()).isZero();
      }
      try (Llama llama = open(compute, true)) {
        List<Request> requests = requests(llama);
        List<List<Integer>> computed = new ArrayList<>();
        long promptTokens = 0;
        long cached = 0;
        for (int i = 0; i < requests.size(); i++) {
          Generation.Result result = llama.submit(requests.get(i)).await();
          assertThat(result.ids()).as("%s, request %d", compute, i).isEqualTo(cold.get(i));
          assertThat(result.cachedPromptTokens())
              .as("%s, request %d", compute, i)
              .isEqualTo(cachedTokens(result.promptIds(), computed));
          computed.add(computedBy(result));
          promptTokens += result.promptIds().size();
          cached += result.cachedPromptTokens();
        }
        EngineStats stats = llama.engine().stats();
        assertThat(stats.promptTokens()).isEqualTo(promptTokens);
        assertThat(stats.cachedPromptTokens()).isEqualTo(cached).isPositive();
        assertThat(stats.prefixHitRate()).isEqualTo((double) cached / promptTokens);
      }
    }
  }

  /// The last token drawn is never computed.
  private static List<Integer> computedBy(Generation.Result result) {
    List<Integer> ids = new ArrayList<>(result.promptIds());
    ids.addAll(result.ids());
    ids.removeLast();
    return ids;
  }

  /// Tokens in the longest beginning of whole blocks that an earlier text shares, without the last
  /// token of the prompt.
  private static int cachedTokens(List<Integer> prompt, List<List<Integer>> earlier) {
    int longest = 0;
    for (List<Integer> text : earlier) {
      int common = 0;
      while (common < Math.min(prompt.size() - 1, text.size())
          && prompt.get(common).equals(text.get(common))) {
        common++;
      }
      longest = Math.max(longest, common);
    }
    return longest / BLOCK_SIZE * BLOCK_SIZE;
  }

  @Test
  void aRunAndSamplesThatShareAPromptGiveTheTokensOfOneAtATime() {
    try (Llama alone = open(ComputeMode.AUTO, false);
        Llama shared = open(ComputeMode.AUTO, true);
        BatchRun run =
            shared
                .engine()
                .run(requests(shared).stream().map(each -> each.withSamples(3)).iterator())) {
      int outcomes = 0;
      while (run.hasNext()) {
        Outcome.Completed completed = (Outcome.Completed) run.next();
        outcomes++;
        Request request = completed.request();
        for (int i = 0; i < 3; i++) {
          SamplingParams own =
              request.sampling().withSeed(Uniforms.seedOfSample(request.sampling().seed(), i));
          Request single = new Request(request.promptIds(), own, request.stop());
          assertThat(completed.samples().get(i).ids())
              .as("request %d, sample %d", completed.index(), i)
              .isEqualTo(alone.submit(single).await().ids());
        }
      }
      assertThat(outcomes).isEqualTo(8);
      // All but the very first sample find the story, though many were admitted in one step.
      assertThat(shared.engine().stats().prefixHitRate()).isGreaterThan(0.75);
    }
  }

  @Test
  void scoringComputesEveryPositionWhateverIsCached() {
    try (Llama llama = open(ComputeMode.AUTO, true)) {
      Request request = requests(llama).getFirst();
      List<float[]> before = scores(llama, request.promptIds());
      assertThat(llama.submit(request).await().cachedPromptTokens()).isZero();
      List<float[]> after = scores(llama, request.promptIds());
      assertThat(after).hasSameSizeAs(before).hasSize(request.promptIds().length);
      for (int i = 0; i < before.size(); i++) {
        assertThat(after.get(i)).isEqualTo(before.get(i));
      }
    }
  }

  private static List<float[]> scores(Llama llama, int[] ids) {
    List<float[]> rows = new ArrayList<>();
    llama.engine().score(ids, (position, logits) -> rows.add(logits.clone()));
    return rows;
  }
}
