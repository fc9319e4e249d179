package io.cusco.llama.engine;

import static io.cusco.llama.engine.EngineFixture.CACHE;
import static io.cusco.llama.engine.EngineFixture.LIMITS;
import static io.cusco.llama.engine.EngineFixture.VOCAB_SIZE;
import static io.cusco.llama.engine.EngineFixture.awaitIdle;
import static io.cusco.llama.engine.EngineFixture.decoder;
import static io.cusco.llama.engine.EngineFixture.engine;
import static io.cusco.llama.engine.EngineFixture.greedy;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.cusco.llama.engine.EngineFixture.Gated;
import io.cusco.llama.engine.EngineFixture.Scripted;
import io.cusco.llama.model.KvCacheSpec;
import io.cusco.llama.sampling.SamplingParams;
import io.cusco.llama.sampling.StopConditions;
import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(value = 30, unit = TimeUnit.SECONDS, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class EngineTest {

  @Test
  void stopStringsAreFoundAcrossTokensAndCutFromTheText() {
    // Pieces: 4 "c", 0 "a", 2 "ab", 1 "b".
    try (Engine engine = engine(new Scripted(4, 0, 2, 1))) {
      Generation generation = engine.submit(greedy(List.of(4), 20, List.of("abb")));
      List<Generation.Piece> pieces = new ArrayList<>();
      generation.forEach(pieces::add);
      assertThat(pieces)
          .containsExactly(
              new Generation.Piece(4, "c"),
              new Generation.Piece(0, ""),
              new Generation.Piece(2, "a"),
              new Generation.Piece(1, ""));
      assertThat(generation.await().text()).isEqualTo("ca");
      assertThat(generation.await().ids()).containsExactly(4, 0, 2, 1);
      assertThat(generation.await().promptIds()).containsExactly(4);
      assertThat(generation.await().finishReason()).isEqualTo(FinishReason.STOP);
    }
  }

  @Test
  void heldBackTextIsShownWhenTheGenerationEndsOtherwise() {
    try (Engine engine = engine(new Scripted(4, 0, 2))) {
      Generation.Result result = engine.submit(greedy(List.of(4), 2, List.of("cab"))).await();
      assertThat(result.text()).isEqualTo("ca");
      assertThat(result.finishReason()).isEqualTo(FinishReason.LENGTH);
    }
  }

  @Test
  void halfACharacterIsNeverShown() {
    try (Engine engine =
        engine(new Scripted(0, LetterDecoder.FIRST_HALF, LetterDecoder.SECOND_HALF))) {
      List<String> texts = new ArrayList<>();
      engine.submit(greedy(List.of(4), 5, List.of())).forEach(piece -> texts.add(piece.text()));
      assertThat(texts).containsExactly("a", "", "é", "a", "\uFFFD");
    }
  }

  @Test
  void anEndTokenIsTheLastIdAndAddsNoText() {
    int end = 6;
    try (Engine engine =
        new Engine(new Scripted(0, 1, end), List.of(end), decoder(), EngineOptions.DEFAULT)) {
      Generation.Result result = engine.submit(greedy(List.of(4), 20, List.of())).await();
      assertThat(result.ids()).containsExactly(0, 1, end);
      assertThat(result.text()).isEqualTo("ab");
      assertThat(result.finishReason()).isEqualTo(FinishReason.STOP);

      Request onwards =
          new Request(
              new int[] {4},
              SamplingParams.GREEDY,
              new StopConditions(5, List.of(), List.of(), true));
      assertThat(engine.submit(onwards).await().ids()).containsExactly(0, 1, end, 0, 1);

      Request stopId =
          new Request(
              new int[] {4},
              SamplingParams.GREEDY,
              new StopConditions(5, List.of(1), List.of(), true));
      assertThat(engine.submit(stopId).await().ids()).containsExactly(0, 1);
    }
  }

  @Test
  void theEndOfTheContextEndsWithLength() {
    try (Engine engine = engine(new Scripted(0))) {
      Generation.Result result = engine.submit(greedy(List.of(4, 4), 1000, List.of())).await();
      assertThat(result.ids()).hasSize(LIMITS.maxContextLength() - 2);
      assertThat(result.finishReason()).isEqualTo(FinishReason.LENGTH);
    }
  }

  @Test
  void aModelWithoutATokenizerGeneratesIds() {
    try (Engine engine =
        new Engine(new Scripted(0, 1), List.of(), Optional.empty(), EngineOptions.DEFAULT)) {
      Generation.Result result = engine.submit(greedy(List.of(4), 3, List.of())).await();
      assertThat(result.ids()).containsExactly(0, 1, 0);
      assertThat(result.text()).isEmpty();
      assertThatIllegalArgumentException()
          .isThrownBy(() -> engine.submit(greedy(List.of(4), 3, List.of("x"))))
          .withMessageContaining("tokenizer");
    }
  }

  @Test
  void requestsThatCanNeverRunAreRefusedWithTheirValues() {
    try (Engine engine = engine(new Scripted(0))) {
      assertRefused(engine, greedy(List.of(), 1, List.of()), "empty");
      assertRefused(engine, greedy(List.of(1, 41), 1, List.of()), "token 1 has id 41");
      assertRefused(engine, greedy(List.of(-1), 1, List.of()), "-1");
      List<Integer> full = Collections.nCopies(LIMITS.maxContextLength(), 1);
      assertRefused(engine, greedy(full, 1, List.of()), "context has 64 tokens");
      SamplingParams biased = SamplingParams.builder().logitBias(Map.of(99, 1f)).build();
      StopConditions stop = StopConditions.maxTokens(1);
      assertRefused(engine, new Request(new int[] {1}, biased, stop), "logit_bias 99");
      StopConditions badStop = new StopConditions(1, List.of(77), List.of(), false);
      assertRefused(
          engine, new Request(new int[] {1}, SamplingParams.GREEDY, badStop), "stop token 77");
      assertThatIllegalArgumentException()
          .isThrownBy(() -> engine.score(new int[65], (position, logits) -> {}))
          .withMessageContaining("65 tokens");
    }
    KvCacheSpec tiny = new KvCacheSpec(4, 2);
    try (Engine engine = engine(new FakeLlama(VOCAB_SIZE, LIMITS, tiny))) {
      assertRefused(engine, greedy(List.of(1, 2, 3, 4, 5, 6, 7, 8), 1, List.of()), "2 blocks of 4");
    }
  }

  @Test
  void cancellingEndsAtTheNextStepAndFreesTheBlocks() throws Exception {
    Gated model = new Gated();
    try (Engine engine = engine(model)) {
      Generation running = engine.submit(greedy(List.of(1, 2), 50, List.of()));
      model.entered.await();
      Generation waiting = engine.submit(greedy(List.of(3), 50, List.of()));
      waiting.cancel();
      running.close();
      assertThat(running.finishReason()).isEmpty();
      model.gate.countDown();
      assertThat(running.await().finishReason()).isEqualTo(FinishReason.CANCELLED);
      assertThat(running.await().ids()).hasSize(1);
      assertThat(waiting.await().ids()).isEmpty();
      assertThat(waiting.await().timings()).isEqualTo(new Generation.Timings(0, 0, 0));
      assertThat(waiting.iterator().hasNext()).isFalse();
      awaitIdle(engine);
    }
  }

  @Test
  void cancellingTheFutureCancelsTheGeneration() throws Exception {
    Gated model = new Gated();
    try (Engine engine = engine(model)) {
      Generation generation = engine.submit(greedy(List.of(1), 50, List.of()));
      CompletableFuture<Generation.Result> future = generation.future();
      model.entered.await();
      future.cancel(true);
      model.gate.countDown();
      assertThat(generation.await().finishReason()).isEqualTo(FinishReason.CANCELLED);
    }
  }

  @Test
  void dependentsOfAFutureDoNotRunOnTheEngineThread() {
    try (Engine engine = engine(new Scripted(0))) {
      String thread =
          engine
              .submit(greedy(List.of(1), 3, List.of()))
              .future()
              .thenApply(result -> Thread.currentThread().getName())
              .join();
      assertThat(thread).isNotEqualTo("cusco-engine");
    }
  }

  @Test
  void closingCancelsWhatRunsAndClosesTheModelOnItsThread() throws Exception {
    Gated model = new Gated();
    Engine engine = engine(model);
    Generation running = engine.submit(greedy(List.of(1), 50, List.of()));
    model.entered.await();
    Generation waiting = engine.submit(greedy(List.of(2), 50, List.of()));
    CompletableFuture<Void> closing = CompletableFuture.runAsync(engine::close);
    Thread.sleep(20);
    assertThat(closing).isNotDone();
    model.gate.countDown();
    closing.join();
    engine.close();

    assertThat(running.await().finishReason()).isEqualTo(FinishReason.CANCELLED);
    assertThat(waiting.await().finishReason()).isEqualTo(FinishReason.CANCELLED);
    assertThat(model.closedBy.getName()).isEqualTo("cusco-engine");
    assertThat(engine.stats().usedBlocks()).isZero();
    assertThatThrownBy(() -> engine.submit(greedy(List.of(1), 1, List.of())))
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("closed");
    assertThatThrownBy(() -> engine.score(new int[] {1}, (position, logits) -> {}))
        .isInstanceOf(IllegalStateException.class);
    running.cancel();
  }

  @Test
  void promptsShareStepsAndLongOnesAreComputedInChunks() {
    FakeLlama model = new FakeLlama(VOCAB_SIZE, LIMITS, CACHE);
    try (Engine engine = engine(model)) {
      int[] prompt = new int[30];
      Generation.Result result =
          engine
              .submit(new Request(prompt, SamplingParams.GREEDY, StopConditions.maxTokens(1)))
              .await();
      assertThat(result.ids()).hasSize(1);
      assertThat(model.numSteps.get()).isEqualTo(4);
      assertThat(model.largestStep).isEqualTo(8);
      awaitIdle(engine);
      EngineStats stats = engine.stats();
      assertThat(stats.withRate(0))
          .isEqualTo(new EngineStats(0, 0, 0, 7, 32, 30, 0, 1, 4, 0, 0, 0));
      assertThat(result.timings().timeToFirstTokenNanos())
          .isGreaterThan(result.timings().queuedNanos());
    }
  }

  @Test
  void anIdleEngineTakesNoTime() throws Exception {
    ThreadMXBean threads = ManagementFactory.getThreadMXBean();
    try (Engine engine = engine(new Scripted(0))) {
      engine.submit(greedy(List.of(1), 3, List.of())).await();
      Thread thread =
          Thread.getAllStackTraces().keySet().stream()
              .filter(each -> each.getName().equals("cusco-engine"))
              .findAny()
              .orElseThrow();
      // A stray interrupt must not make it spin.
      thread.interrupt();
      Thread.sleep(100);
      long before = threads.getThreadCpuTime(thread.threadId());
      Thread.sleep(300);
      long spent = threads.getThreadCpuTime(thread.threadId()) - before;
      assertThat(spent).isLessThan(TimeUnit.MILLISECONDS.toNanos(30));
      assertThat(thread.isDaemon()).isTrue();
    }
  }

  private static void assertRefused(Engine engine, Request request, String reason) {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> engine.submit(request))
        .withMessageContaining(reason);
  }
}
