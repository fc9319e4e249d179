package io.cusco.llama.engine;

import static org.assertj.core.api.Assertions.assertThat;

import io.cusco.llama.LlamaException;
import io.cusco.llama.model.KvCacheSpec;
import io.cusco.llama.model.StepInput;
import io.cusco.llama.model.StepLimits;
import io.cusco.llama.sampling.SamplingParams;
import io.cusco.llama.sampling.SamplingStep;
import io.cusco.llama.sampling.StopConditions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// Random loads on random engines, with and without a prefix cache: every sample of every request
/// ends exactly once, with the tokens that it would have had alone, and no block is lost.
@Timeout(value = 60, unit = TimeUnit.SECONDS, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class EngineSimulationTest {
  private static final int VOCAB_SIZE = 41;
  private static final List<Integer> END_OF_GENERATION = List.of(3, 11);
  private static final int ENGINES = 300;
  private static final int REQUESTS_PER_ENGINE = 30;

  private final AtomicLong preemptions = new AtomicLong();
  private final AtomicLong finished = new AtomicLong();
  private final AtomicLong cancelled = new AtomicLong();
  private final AtomicLong timedOut = new AtomicLong();
  private final AtomicLong failed = new AtomicLong();
  private final AtomicLong promptTokens = new AtomicLong();
  private final AtomicLong cachedPromptTokens = new AtomicLong();
  private final AtomicLong steps = new AtomicLong();
  private final AtomicLong overlapped = new AtomicLong();
  private final AtomicLong discarded = new AtomicLong();

  private record Submitted(Request request, List<Generation> generations, boolean mayBeCancelled) {}

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void everyRequestGivesWhatItGivesAlone(boolean overlaps) throws Exception {
    for (long seed = 1; seed <= ENGINES; seed++) {
      Random random = new Random(seed);
      simulate("seed " + seed, random, randomModel(random, 0, overlaps));
    }
    System.out.printf(
        "engine simulation: seeds 1 .. %d, %d of %d steps overlapped, %d tokens discarded,"
            + " %d finished, %d cancelled, %d timed out,"
            + " %d preemptions, %d of %d prompt tokens from the cache%n",
        ENGINES,
        overlapped.get(),
        steps.get(),
        discarded.get(),
        finished.get(),
        cancelled.get(),
        timedOut.get(),
        preemptions.get(),
        cachedPromptTokens.get(),
        promptTokens.get());
    assertThat(preemptions.get()).isPositive();
    assertThat(timedOut.get()).isPositive();
    assertThat(cachedPromptTokens.get()).isGreaterThan(promptTokens.get() / 20);
    assertThat(cancelled.get()).isPositive();
    assertThat(failed.get()).isZero();
    if (overlaps) {
      assertThat(overlapped.get()).isGreaterThan(steps.get() / 4);
      assertThat(discarded.get()).isBetween(1L, finished.get() + cancelled.get() + timedOut.get());
    } else {
      assertThat(overlapped.get() + discarded.get()).isZero();
    }
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void aModelThatFailsNowAndThenFailsOnlyTheSequencesOfThatStep(boolean overlaps) throws Exception {
    for (long seed = 1001; seed <= 1000 + ENGINES / 3; seed++) {
      Random random = new Random(seed);
      simulate("seed " + seed, random, randomModel(random, 40, overlaps));
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
    EngineOptions options = randomOptions(random);
    try (Engine engine =
        new Engine(model, END_OF_GENERATION, Optional.of(LetterDecoder::new), options)) {
      long scorerSeed = random.nextLong();
      CompletableFuture<Void> scorer =
          CompletableFuture.runAsync(() -> scoreTexts(engine, model, scorerSeed, maxLength));
      List<int[]> beginnings = beginnings(random, maxLength);
      for (int i = 0; i < REQUESTS_PER_ENGINE; i++) {
        Request request = randomRequest(random, beginnings, maxLength);
        boolean mayBeCancelled = random.nextInt(5) == 0;
        List<Generation> generations = engine.submitSamples(request);
        all.add(new Submitted(request, generations, mayBeCancelled));
        if (random.nextInt(3) == 0) {
          LockSupport.parkNanos(random.nextInt(100_000));
        }
        if (mayBeCancelled) {
          generations.get(random.nextInt(generations.size())).cancel();
        }
      }
      for (Submitted each : all) {
        for (int sample = 0; sample < each.generations().size(); sample++) {
          check(seed, each, sample, model, maxLength);
        }
      }
      scorer.join();
      awaitIdle(seed, engine);
      checkAtRest(seed, engine, model, options);
    }
    assertThat(model.closed).as(seed).isTrue();
  }

  /// Nothing is held any more; a text as long as may be gets all the blocks it needs.
  private void checkAtRest(String seed, Engine engine, FakeLlama model, EngineOptions options) {
    EngineStats stats = engine.stats();
    assertThat(stats.cachedPromptTokens())
        .as(seed)
        .isBetween(0L, options.prefixCache() ? stats.promptTokens() : 0L);
    steps.addAndGet(stats.steps());
    overlapped.addAndGet(model.numOverlapped.get());
    discarded.addAndGet(stats.discardedTokens());
    preemptions.addAndGet(stats.preemptions());
    promptTokens.addAndGet(stats.promptTokens());
    cachedPromptTokens.addAndGet(stats.cachedPromptTokens());
    KvCacheSpec cache = model.kvCache();
    int length = (int) Math.min(cache.capacityTokens(), model.limits().maxContextLength());
    try {
      engine.score(new int[length], (position, logits) -> {});
    } catch (LlamaException e) {
      assertThat(e).as(seed).hasMessageContaining("now and then");
    }
  }

  private void check(String seed, Submitted each, int sample, FakeLlama model, int maxLength) {
    Generation generation = each.generations().get(sample);
    OneAtATime.Expected expected =
        OneAtATime.run(model, each.request(), sample, END_OF_GENERATION, maxLength);
    StringBuilder text = new StringBuilder();
    List<Integer> ids = new ArrayList<>();
    Generation.Result result;
    try {
      for (Generation.Piece piece : generation) {
        ids.add(piece.tokenId());
        text.append(piece.text());
      }
      result = generation.await();
    } catch (LlamaException e) {
      assertThat(e).as(seed).hasMessageContaining("the model failed");
      assertThat(generation.finishReason()).contains(FinishReason.ERROR);
      failed.incrementAndGet();
      return;
    }
    assertThat(result.ids()).as(seed).isEqualTo(ids);
    assertThat(result.text()).as(seed).isEqualTo(text.toString());
    switch (result.finishReason()) {
      case CANCELLED -> {
        assertThat(each.mayBeCancelled()).as(seed).isTrue();
        cancelled.incrementAndGet();
      }
      case TIMEOUT -> {
        assertThat(each.request().timeout()).as(seed).isPresent();
        timedOut.incrementAndGet();
      }
      case STOP, LENGTH, ERROR -> {
        assertThat(ids).as(seed).isEqualTo(expected.ids());
        assertThat(result.text()).as(seed).isEqualTo(expected.text());
        assertThat(result.finishReason()).as(seed).isEqualTo(expected.reason());
        assertThat(result.logprobs())
            .hasSize(each.request().sampling().wantsLogprobs() ? ids.size() : 0);
        finished.incrementAndGet();
      }
    }
    assertThat(ids).as(seed).isEqualTo(expected.ids().subList(0, ids.size()));
    assertThat(expected.text()).as(seed).startsWith(result.text());
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
    long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(60);
    while (engine.stats().usedBlocks() + engine.stats().running() + engine.stats().waiting() > 0) {
      assertThat(System.nanoTime()).as("%s: %s", seed, engine.stats()).isLessThan(deadline);
      Thread.sleep(1);
    }
  }

  /// @param oneFailureIn how many calls there are to each one that fails; 0 for none
  private static FakeLlama randomModel(Random random, int oneFailureIn, boolean overlaps) {
    FakeLlama model = randomModel(random, oneFailureIn);
    model.overlaps = overlaps;
    return model;
  }

  private static FakeLlama randomModel(Random random, int oneFailureIn) {
    int context = 4 + random.nextInt(60);
    int blockSize = 1 + random.nextInt(6);
    int numBlocks = 1 + random.nextInt(Math.ceilDiv(context, blockSize) * (1 + random.nextInt(3)));
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
        failNowAndThen();
        super.forward(step);
      }

      @Override
      public void startSampling(SamplingStep sampling) {
        failNowAndThen();
        super.startSampling(sampling);
      }

      @Override
      public void awaitTokens(SamplingStep sampling, int[] nextTokenIds) {
        super.awaitTokens(sampling, nextTokenIds);
        failNowAndThen();
      }

      private void failNowAndThen() {
        if (failures.nextInt(oneFailureIn) == 0) {
          throw new IllegalStateException("fails now and then");
        }
      }
    };
  }

  private static EngineOptions randomOptions(Random random) {
    EngineOptions options = EngineOptions.DEFAULT.withPrefixCache(random.nextInt(4) > 0);
    if (random.nextInt(3) == 0) {
      options = options.withMaxRunning(1 + random.nextInt(4));
    }
    if (random.nextInt(3) == 0) {
      options = options.withQueue(1 + random.nextInt(5), EngineOptions.QueueFull.WAIT);
    }
    return options;
  }

  /// What prompts begin with: a tree of texts, each longer one starting with a part of another.
  private static List<int[]> beginnings(Random random, int maxLength) {
    List<int[]> beginnings = new ArrayList<>(List.of(new int[0]));
    for (int i = 0; i < 5; i++) {
      int[] other = beginnings.get(random.nextInt(beginnings.size()));
      int[] kept = Arrays.copyOf(other, random.nextInt(other.length + 1));
      beginnings.add(concat(kept, randomIds(random, random.nextInt(maxLength - kept.length))));
    }
    return beginnings;
  }

  private static int[] concat(int[] first, int[] second) {
    int[] both = Arrays.copyOf(first, first.length + second.length);
    System.arraycopy(second, 0, both, first.length, second.length);
    return both;
  }

  private static Request randomRequest(Random random, List<int[]> beginnings, int maxLength) {
    int[] beginning = beginnings.get(random.nextInt(beginnings.size()));
    int[] rest = randomIds(random, 1 + random.nextInt(maxLength - 1));
    int[] prompt = concat(beginning, rest);
    prompt = Arrays.copyOf(prompt, Math.min(prompt.length, maxLength - 1));
    SamplingParams.Builder sampling = SamplingParams.builder().seed(random.nextLong());
    switch (random.nextInt(4)) {
      case 0 -> sampling.temperature(0);
      case 1 -> sampling.topK(5).frequencyPenalty(0.5);
      case 2 -> sampling.topP(0.9).repetitionPenalty(1.2).logprobs(2);
      default -> sampling.temperature(1.5);
    }
    Request request = new Request(prompt, sampling.build(), randomStop(random));
    if (random.nextInt(3) == 0) {
      request = request.withSamples(1 + random.nextInt(5));
    }
    if (random.nextInt(6) == 0) {
      request = request.withTimeout(Duration.ofNanos(1 + random.nextInt(2_000_000)));
    }
    return request;
  }

  private static StopConditions randomStop(Random random) {
    String[] strings = {"abc", "bab", "cab", "é", "aa", "bcab", "\uFFFD", "caé"};
    List<String> stops = new ArrayList<>();
    for (int i = random.nextInt(3); i > 0; i--) {
      stops.add(strings[random.nextInt(strings.length)]);
    }
    List<Integer> stopIds =
        random.nextInt(4) == 0 ? List.of(random.nextInt(VOCAB_SIZE)) : List.of();
    return new StopConditions(1 + random.nextInt(40), stopIds, stops, random.nextBoolean());
  }

  private static int[] randomIds(Random random, int length) {
    return random.ints(length, 0, VOCAB_SIZE).toArray();
  }
}
