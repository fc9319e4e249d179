package io.cusco.llama.engine;

import static org.assertj.core.api.Assertions.assertThat;

import io.cusco.llama.LlamaException;
import io.cusco.llama.model.KvCacheSpec;
import io.cusco.llama.model.StepInput;
import io.cusco.llama.model.StepLimits;
import io.cusco.llama.sampling.SamplingParams;
import io.cusco.llama.sampling.StopConditions;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/// Random loads on random engines: every request ends exactly once, with the tokens that it would
/// have had alone, and no block is lost.
@Timeout(value = 60, unit = TimeUnit.SECONDS, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class EngineSimulationTest {
  private static final int VOCAB_SIZE = 41;
  private static final List<Integer> END_OF_GENERATION = List.of(3, 11);
  private static final int ENGINES = 150;
  private static final int REQUESTS_PER_ENGINE = 30;

  private final AtomicLong preemptions = new AtomicLong();
  private final AtomicLong finished = new AtomicLong();
  private final AtomicLong cancelled = new AtomicLong();
  private final AtomicLong failed = new AtomicLong();

  private record Submitted(Request request, Generation generation, boolean mayBeCancelled) {}

  @Test
  void everyRequestGivesWhatItGivesAlone() throws Exception {
    for (long seed = 1; seed <= ENGINES; seed++) {
      Random random = new Random(seed);
      simulate("seed " + seed, random, randomModel(random, 0));
    }
    System.out.printf(
        "engine simulation: seeds 1 .. %d, %d finished, %d cancelled, %d preemptions%n",
        ENGINES, finished.get(), cancelled.get(), preemptions.get());
    assertThat(preemptions.get()).isPositive();
    assertThat(cancelled.get()).isPositive();
    assertThat(failed.get()).isZero();
  }

  @Test
  void aModelThatFailsNowAndThenFailsOnlyTheSequencesOfThatStep() throws Exception {
    for (long seed = 1001; seed <= 1000 + ENGINES / 3; seed++) {
      Random random = new Random(seed);
      simulate("seed " + seed, random, randomModel(random, 40));
    }
    System.out.printf(
        "engine simulation with failing steps: seeds 1001 .. %d, %d finished, %d failed%n",
        1000 + ENGINES / 3, finished.get(), failed.get());
    assertThat(failed.get()).isPositive();
    assertThat(finished.get()).isPositive();
  }

  private void simulate(String seed, Random random, FakeLlama model) throws Exception {
    int maxLength =
        (int) Math.min(model.limits().maxContextLength(), model.kvCache().capacityTokens());
    List<Submitted> all = new ArrayList<>();
    try (Engine engine =
        new Engine(
            model, END_OF_GENERATION, Optional.of(LetterDecoder::new), EngineOptions.DEFAULT)) {
      long scorerSeed = random.nextLong();
      CompletableFuture<Void> scorer =
          CompletableFuture.runAsync(() -> scoreTexts(engine, model, scorerSeed, maxLength));
      for (int i = 0; i < REQUESTS_PER_ENGINE; i++) {
        Request request = randomRequest(random, maxLength);
        boolean mayBeCancelled = random.nextInt(5) == 0;
        Generation generation = engine.submit(request);
        all.add(new Submitted(request, generation, mayBeCancelled));
        if (random.nextInt(3) == 0) {
          LockSupport.parkNanos(random.nextInt(100_000));
        }
        if (mayBeCancelled) {
          generation.cancel();
        }
      }
      for (Submitted each : all) {
        check(seed, each, model, maxLength);
      }
      scorer.join();
      awaitIdle(seed, engine);
      preemptions.addAndGet(engine.stats().preemptions());
    }
    assertThat(model.closed).as(seed).isTrue();
  }

  private void check(String seed, Submitted each, FakeLlama model, int maxLength) {
    OneAtATime.Expected expected =
        OneAtATime.run(model, each.request(), END_OF_GENERATION, maxLength);
    StringBuilder text = new StringBuilder();
    List<Integer> ids = new ArrayList<>();
    Generation.Result result;
    try {
      for (Generation.Piece piece : each.generation()) {
        ids.add(piece.tokenId());
        text.append(piece.text());
      }
      result = each.generation().await();
    } catch (LlamaException e) {
      assertThat(e).as(seed).hasMessageContaining("the model failed");
      assertThat(each.generation().finishReason()).contains(FinishReason.ERROR);
      failed.incrementAndGet();
      return;
    }
    assertThat(result.ids()).as(seed).isEqualTo(ids);
    assertThat(result.text()).as(seed).isEqualTo(text.toString());
    if (result.finishReason() == FinishReason.CANCELLED) {
      assertThat(each.mayBeCancelled()).as(seed).isTrue();
      assertThat(ids).as(seed).isEqualTo(expected.ids().subList(0, ids.size()));
      assertThat(expected.text()).as(seed).startsWith(result.text());
      cancelled.incrementAndGet();
    } else {
      assertThat(ids).as(seed).isEqualTo(expected.ids());
      assertThat(result.text()).as(seed).isEqualTo(expected.text());
      assertThat(result.finishReason()).as(seed).isEqualTo(expected.reason());
      assertThat(result.logprobs())
          .hasSize(each.request().sampling().wantsLogprobs() ? ids.size() : 0);
      finished.incrementAndGet();
    }
  }

  /// Scores a few texts, one after another.
  private static void scoreTexts(Engine engine, FakeLlama model, long seed, int maxLength) {
    Random random = new Random(seed);
    for (int i = 0; i < 3; i++) {
      int[] ids = randomIds(random, 1 + random.nextInt(maxLength));
      List<float[]> rows = new ArrayList<>();
      try {
        engine.score(
            ids,
            (position, logits) -> {
              assertThat(position).isEqualTo(rows.size());
              rows.add(logits.clone());
            });
      } catch (LlamaException e) {
        assertThat(e).hasMessageContaining("now and then");
        continue;
      }
      assertThat(rows).hasSize(ids.length);
      float[] expected = new float[VOCAB_SIZE];
      for (int length = 1; length <= ids.length; length++) {
        model.fillLogits(Arrays.copyOf(ids, length), expected);
        assertThat(rows.get(length - 1)).isEqualTo(expected);
      }
    }
  }

  private static void awaitIdle(String seed, Engine engine) throws InterruptedException {
    long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(10);
    while (engine.stats().usedBlocks() + engine.stats().running() + engine.stats().waiting() > 0) {
      assertThat(System.nanoTime()).as("%s: %s", seed, engine.stats()).isLessThan(deadline);
      Thread.sleep(1);
    }
  }

  /// @param oneFailureIn how many steps there are to each one that fails; 0 for none
  private static FakeLlama randomModel(Random random, int oneFailureIn) {
    int context = 4 + random.nextInt(60);
    int blockSize = 1 + random.nextInt(6);
    int numBlocks = 1 + random.nextInt(Math.ceilDiv(context, blockSize) * 3);
    if ((long) blockSize * numBlocks < 3) {
      numBlocks = 3;
    }
    StepLimits limits =
        new StepLimits(
            1 + random.nextInt(24), 1 + random.nextInt(8), 1 + random.nextInt(8), context);
    KvCacheSpec cache = new KvCacheSpec(blockSize, numBlocks);
    if (oneFailureIn == 0) {
      return new FakeLlama(VOCAB_SIZE, limits, cache);
    }
    Random failures = new Random(random.nextLong());
    return new FakeLlama(VOCAB_SIZE, limits, cache) {
      @Override
      public void forward(StepInput step) {
        if (failures.nextInt(oneFailureIn) == 0) {
          throw new IllegalStateException("fails now and then");
        }
        super.forward(step);
      }
    };
  }

  private static Request randomRequest(Random random, int maxLength) {
    int[] prompt = randomIds(random, 1 + random.nextInt(maxLength - 1));
    SamplingParams.Builder sampling = SamplingParams.builder().seed(random.nextLong());
    switch (random.nextInt(4)) {
      case 0 -> sampling.temperature(0);
      case 1 -> sampling.topK(5).frequencyPenalty(0.5);
      case 2 -> sampling.topP(0.9).repetitionPenalty(1.2).logprobs(2);
      default -> sampling.temperature(1.5);
    }
    String[] strings = {"abc", "bab", "cab", "é", "aa", "bcab", "\uFFFD", "caé"};
    List<String> stops = new ArrayList<>();
    for (int i = random.nextInt(3); i > 0; i--) {
      stops.add(strings[random.nextInt(strings.length)]);
    }
    List<Integer> stopIds =
        random.nextInt(4) == 0 ? List.of(random.nextInt(VOCAB_SIZE)) : List.of();
    return new Request(
        prompt,
        sampling.build(),
        new StopConditions(1 + random.nextInt(40), stopIds, stops, random.nextBoolean()));
  }

  private static int[] randomIds(Random random, int length) {
    return random.ints(length, 0, VOCAB_SIZE).toArray();
  }
}
