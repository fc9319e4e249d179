package io.cusco.llama.engine;

import static io.cusco.llama.engine.EngineFixture.CACHE;
import static io.cusco.llama.engine.EngineFixture.LIMITS;
import static io.cusco.llama.engine.EngineFixture.VOCAB_SIZE;
import static io.cusco.llama.engine.EngineFixture.awaitIdle;
import static io.cusco.llama.engine.EngineFixture.engine;
import static io.cusco.llama.engine.EngineFixture.greedy;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import io.cusco.llama.LlamaException;
import io.cusco.llama.config.OutputHead;
import io.cusco.llama.engine.EmbeddingParams.Pooling;
import io.cusco.llama.engine.EngineFixture.Gated;
import io.cusco.llama.model.KvCacheSpec;
import io.cusco.llama.model.StepInput;
import io.cusco.llama.sampling.Sampler;
import io.cusco.llama.sampling.SamplingParams;
import io.cusco.llama.sampling.StopConditions;
import io.cusco.llama.sampling.TokenLogprobs;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/// Texts that are read: rewards, embeddings, log-probabilities of prompts.
@Timeout(60)
final class EngineReadTest {
  private static final OutputHead REWARD = new OutputHead.Scores(List.of("reward"));
  private static final EmbeddingParams RAW = EmbeddingParams.DEFAULT.withNormalize(false);

  private static FakeLlama rewardModel() {
    return new FakeLlama(VOCAB_SIZE, REWARD, LIMITS, CACHE);
  }

  private static float[] expected(FakeLlama model, int... ids) {
    float[] row = new float[model.config().numOutputs()];
    model.fillLogits(ids, row);
    return row;
  }

  /// Many at once, of every length, some with a common beginning, beside requests that generate.
  @Test
  void everyTextIsReadRightWhateverElseRuns() throws Exception {
    long seed = 20261121;
    System.out.println("everyTextIsReadRightWhateverElseRuns seed " + seed);
    Random random = new Random(seed);
    FakeLlama model = new FakeLlama(VOCAB_SIZE, LIMITS, CACHE);
    try (Engine engine = engine(model)) {
      int[] common = random.ints(20, 0, VOCAB_SIZE).toArray();
      List<Runnable> checks = new ArrayList<>();
      for (int i = 0; i < 60; i++) {
        int length = 1 + random.nextInt(60);
        int[] ids = random.ints(length, 0, VOCAB_SIZE).toArray();
        if (i % 2 == 0) {
          System.arraycopy(common, 0, ids, 0, Math.min(length, common.length));
        }
        switch (i % 4) {
          case 0, 1 -> {
            CompletableFuture<float[]> last = engine.embed(ids, RAW);
            checks.add(() -> assertThat(last.join()).isEqualTo(FakeLlama.hiddenStates(ids)));
          }
          case 2 -> {
            CompletableFuture<float[]> mean = engine.embed(ids, RAW.withPooling(Pooling.MEAN));
            checks.add(() -> assertThat(mean.join()).containsExactly(mean(ids), within(1e-5f)));
          }
          default -> {
            Request request =
                new Request(
                    Arrays.copyOf(ids, Math.min(length, 50)),
                    SamplingParams.GREEDY,
                    StopConditions.maxTokens(3));
            Generation generation = engine.submit(request);
            CompletableFuture<List<TokenLogprobs>> logprobs = engine.promptLogprobs(ids, 2);
            checks.add(() -> checkLogprobs(model, ids, logprobs.join()));
            checks.add(() -> assertThat(generation.await().ids()).hasSize(3));
          }
        }
      }
      checks.forEach(Runnable::run);
      awaitIdle(engine);
      assertThat(engine.stats().usedBlocks()).isZero();
      assertThat(model.largestStep).isEqualTo(LIMITS.maxTokens());
    }
  }

  private static float[] mean(int... ids) {
    double[] sums = new double[8];
    for (int length = 1; length <= ids.length; length++) {
      float[] row = FakeLlama.hiddenStates(Arrays.copyOf(ids, length));
      for (int i = 0; i < sums.length; i++) {
        sums[i] += row[i];
      }
    }
    float[] mean = new float[sums.length];
    for (int i = 0; i < sums.length; i++) {
      mean[i] = (float) (sums[i] / ids.length);
    }
    return mean;
  }

  private static void checkLogprobs(FakeLlama model, int[] ids, List<TokenLogprobs> logprobs) {
    assertThat(logprobs).hasSize(ids.length - 1);
    for (int i = 1; i < ids.length; i++) {
      float[] row = expected(model, Arrays.copyOf(ids, i));
      assertThat(logprobs.get(i - 1)).isEqualTo(new Sampler(VOCAB_SIZE).logprobs(row, ids[i], 2));
    }
  }

  @Test
  void rewardsOfCandidatesShareTheirPromptAndTheirSteps() throws Exception {
    Gated gate = new Gated(REWARD);
    try (Engine engine = engine(gate)) {
      int[] prompt = new Random(1).ints(40, 0, VOCAB_SIZE).toArray();
      List<CompletableFuture<float[]>> rewards = new ArrayList<>();
      List<int[]> texts = new ArrayList<>();
      for (int i = 0; i < 4; i++) {
        int[] text = Arrays.copyOf(prompt, 44);
        Arrays.fill(text, 40, 44, i);
        texts.add(text);
        rewards.add(engine.reward(text));
      }
      gate.gate.countDown();
      for (int i = 0; i < 4; i++) {
        assertThat(rewards.get(i).get()).isEqualTo(expected(gate, texts.get(i)));
      }
      // 44 tokens in steps of 8, and for each other one the 4 tokens behind ten shared blocks.
      assertThat(gate.numSteps.get()).isEqualTo((44 + 3 * 4) / 8);
    }
  }

  @Test
  void embeddingsAreNormalisedUnlessToldOtherwise() throws Exception {
    try (Engine engine = engine(new FakeLlama(VOCAB_SIZE, OutputHead.NONE, LIMITS, CACHE))) {
      float[] raw = engine.embed(new int[] {3, 5, 7}, RAW).get();
      float[] unit = engine.embed(new int[] {3, 5, 7}, EmbeddingParams.DEFAULT).get();
      double length = 0;
      for (float value : raw) {
        length += (double) value * value;
      }
      length = Math.sqrt(length);
      for (int i = 0; i < raw.length; i++) {
        assertThat(unit[i]).isCloseTo((float) (raw[i] / length), within(1e-7f));
      }
    }
    assertThat(EmbeddingParams.DEFAULT.finish(new float[3])).containsExactly(0, 0, 0);
  }

  @Test
  void whatTheHeadCannotGiveIsRefusedByName() {
    try (Engine engine = engine(rewardModel())) {
      assertThatIllegalArgumentException()
          .isThrownBy(() -> engine.submit(greedy(List.of(1), 1, List.of())))
          .withMessageContaining("cannot generate, it has a score head with 1 label (reward)")
          .withMessageContaining("rewards");
      assertThatIllegalArgumentException()
          .isThrownBy(() -> engine.score(new int[] {1}, (position, logits) -> {}))
          .withMessageContaining("no probabilities");
      assertThatIllegalArgumentException()
          .isThrownBy(() -> engine.promptLogprobs(new int[] {1}, 0))
          .withMessageContaining("no probabilities");
      assertThatIllegalArgumentException()
          .isThrownBy(() -> engine.reward(new int[65]))
          .withMessageContaining("65 tokens");
      assertThatIllegalArgumentException()
          .isThrownBy(() -> engine.reward())
          .withMessageContaining("empty");
      assertThatIllegalArgumentException()
          .isThrownBy(() -> engine.reward(VOCAB_SIZE))
          .withMessageContaining("outside the vocabulary");
    }
    try (Engine engine = engine(new FakeLlama(VOCAB_SIZE, LIMITS, CACHE))) {
      assertThatIllegalArgumentException()
          .isThrownBy(() -> engine.reward(1))
          .withMessageContaining("LlamaForSequenceClassification");
      assertThatIllegalArgumentException()
          .isThrownBy(() -> engine.promptLogprobs(new int[] {1}, 101))
          .withMessageContaining("0 .. 100");
    }
  }

  @Test
  void closingFailsWhatIsUnderWayAndWhatWaits() throws Exception {
    Gated model = new Gated(REWARD);
    Engine engine = engine(model);
    List<CompletableFuture<float[]>> rewards = new ArrayList<>();
    for (int i = 0; i < 9; i++) {
      rewards.add(engine.reward(new int[30]));
    }
    model.entered.await();
    Thread closing = Thread.ofVirtual().start(engine::close);
    while (!isClosed(engine)) {
      Thread.onSpinWait();
    }
    model.gate.countDown();
    closing.join();
    for (CompletableFuture<float[]> reward : rewards) {
      assertThatThrownBy(reward::get)
          .isInstanceOf(ExecutionException.class)
          .hasCauseInstanceOf(LlamaException.class)
          .hasMessageContaining("closed");
    }
    assertThat(model.closed).isTrue();
    assertThatIllegalStateException().isThrownBy(() -> engine.reward(1));
  }

  private static boolean isClosed(Engine engine) {
    try {
      CompletableFuture<float[]> _ = engine.reward(1);
      return false;
    } catch (IllegalStateException e) {
      return true;
    }
  }

  @Test
  void aCancelledTextFreesItsBlocksAndItsPlace() throws Exception {
    Gated model = new Gated(REWARD);
    EngineOptions options = EngineOptions.DEFAULT.withQueue(1, EngineOptions.QueueFull.REFUSE);
    try (Engine engine = new Engine(model, List.of(), EngineFixture.decoder(), options)) {
      CompletableFuture<float[]> running = engine.reward(new int[40]);
      model.entered.await();
      CompletableFuture<float[]> waiting = engine.reward(new int[41]);
      assertThatThrownBy(() -> engine.reward(1)).isInstanceOf(QueueFullException.class);
      running.cancel(true);
      waiting.cancel(true);
      model.gate.countDown();
      Optional<CompletableFuture<float[]>> next = tryReward(engine, 7, 8);
      while (next.isEmpty()) {
        next = tryReward(engine, 7, 8);
      }
      assertThat(next.get().get()).isEqualTo(expected(model, 7, 8));
      assertThat(model.numSteps.get()).isLessThan(4);
    }
  }

  private static Optional<CompletableFuture<float[]>> tryReward(Engine engine, int... ids) {
    try {
      return Optional.of(engine.reward(ids));
    } catch (QueueFullException e) {
      return Optional.empty();
    }
  }

  @Test
  void aStepThatFailsTakesItsTextsAndNoOthers() throws Exception {
    FakeLlama model =
        new FakeLlama(VOCAB_SIZE, REWARD, LIMITS, CACHE) {
          @Override
          public void forward(StepInput step) {
            for (int i = 0; i < step.numTokens(); i++) {
              if (step.tokenIds()[i] == 13) {
                throw new IllegalStateException("unlucky");
              }
            }
            super.forward(step);
          }
        };
    try (Engine engine = engine(model)) {
      int[] beginning = new int[16];
      assertThat(engine.reward(beginning).get()).isEqualTo(expected(model, beginning));
      int[] unlucky = Arrays.copyOf(beginning, 24);
      Arrays.fill(unlucky, 16, 24, 13);
      assertThatThrownBy(engine.reward(unlucky)::get).hasMessageContaining("unlucky");
      int[] other = Arrays.copyOf(beginning, 24);
      assertThat(engine.reward(other).get()).isEqualTo(expected(model, other));
      awaitIdle(engine);
    }
  }

  @Test
  void valuesThatAreNotFiniteFailTheirTextAlone() throws Exception {
    FakeLlama model =
        new FakeLlama(VOCAB_SIZE, REWARD, LIMITS, CACHE) {
          @Override
          void fillLogits(int[] context, float[] row) {
            super.fillLogits(context, row);
            row[0] = context[0] == 13 ? Float.NaN : row[0];
          }
        };
    try (Engine engine = engine(model)) {
      CompletableFuture<float[]> broken = engine.reward(13, 1);
      CompletableFuture<float[]> whole = engine.reward(12, 1);
      assertThatThrownBy(broken::get).hasMessageContaining("score 0 of 1 is NaN");
      assertThat(whole.get()).isEqualTo(expected(model, 12, 1));
    }
  }

  /// Texts that need the whole cache, one after the other, while sequences run.
  @Test
  void textsThatNeedAllBlocksWaitForThem() throws Exception {
    FakeLlama model = new FakeLlama(VOCAB_SIZE, LIMITS, new KvCacheSpec(4, 10));
    try (Engine engine = engine(model)) {
      List<Generation> generations = new ArrayList<>();
      List<CompletableFuture<float[]>> means = new ArrayList<>();
      for (int i = 0; i < 5; i++) {
        generations.add(engine.submit(greedy(List.of(i), 20, List.of())));
        int[] ids = new int[40];
        Arrays.fill(ids, i);
        means.add(engine.embed(ids, RAW.withPooling(Pooling.MEAN)));
      }
      for (int i = 0; i < 5; i++) {
        int[] ids = new int[40];
        Arrays.fill(ids, i);
        assertThat(means.get(i).get()).containsExactly(mean(ids), within(1e-5f));
        assertThat(generations.get(i).await().ids()).hasSize(20);
      }
    }
  }

  @Test
  void stagesRunOffTheEngineThread() throws Exception {
    try (Engine engine = engine(rewardModel())) {
      Optional<String> name =
          engine.reward(1, 2).thenApply(_ -> Optional.of(Thread.currentThread().getName())).get();
      assertThat(name).isPresent().get().isNotEqualTo("cusco-engine");
    }
  }
}
