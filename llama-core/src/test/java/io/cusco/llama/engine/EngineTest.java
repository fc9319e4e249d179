package io.cusco.llama.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.cusco.llama.LlamaException;
import io.cusco.llama.model.KvCacheSpec;
import io.cusco.llama.model.StepInput;
import io.cusco.llama.model.StepLimits;
import io.cusco.llama.sampling.SamplingParams;
import io.cusco.llama.sampling.StopConditions;
import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(value = 30, unit = TimeUnit.SECONDS, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class EngineTest {
  private static final int VOCAB_SIZE = 41;
  private static final StepLimits LIMITS = new StepLimits(8, 4, 4, 64);
  private static final KvCacheSpec CACHE = new KvCacheSpec(4, 32);

  /// Continues a prompt with a script: the token after position p is `script[p]`.
  private static final class Scripted extends FakeLlama {
    private final int[] script;

    Scripted(int... script) {
      super(VOCAB_SIZE, LIMITS, CACHE);
      this.script = script;
    }

    @Override
    void fillLogits(int[] context, float[] row) {
      Arrays.fill(row, 0);
      row[script[(context.length - 1) % script.length]] = 1;
    }
  }

  /// Holds every step until the test lets it go.
  private static final class Gated extends FakeLlama {
    private final CountDownLatch entered = new CountDownLatch(1);
    private final CountDownLatch gate = new CountDownLatch(1);

    Gated() {
      super(VOCAB_SIZE, LIMITS, CACHE);
    }

    @Override
    public void forward(StepInput step) {
      entered.countDown();
      try {
        gate.await();
      } catch (InterruptedException e) {
        throw new IllegalStateException(e);
      }
      super.forward(step);
    }
  }

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
    try (Engine engine = new Engine(List.of(end), new Scripted(0, 1, end), decoder())) {
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
    try (Engine engine = new Engine(List.of(), new Scripted(0, 1), Optional.empty())) {
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
      List<Integer> full = java.util.Collections.nCopies(LIMITS.maxContextLength(), 1);
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
  void logitsThatAreNotFiniteFailThatRequestOnly() {
    FakeLlama model =
        new FakeLlama(VOCAB_SIZE, LIMITS, CACHE) {
          @Override
          void fillLogits(int[] context, float[] row) {
            super.fillLogits(context, row);
            if (context[0] == 13 && context.length == 5) {
              row[7] = Float.NaN;
            }
          }
        };
    try (Engine engine = engine(model)) {
      Generation good = engine.submit(greedy(List.of(12), 20, List.of()));
      Generation bad = engine.submit(greedy(List.of(13), 20, List.of()));
      Generation alsoGood = engine.submit(greedy(List.of(14), 20, List.of()));
      assertThat(good.await().ids()).hasSize(20);
      assertThat(alsoGood.await().ids()).hasSize(20);
      assertThatThrownBy(bad::await)
          .isInstanceOf(LlamaException.class)
          .hasMessageContaining("request 2, position 5")
          .hasMessageContaining("logit 7 of 41 is NaN");
      Iterator<Generation.Piece> pieces = bad.iterator();
      for (int i = 0; i < 4; i++) {
        pieces.next();
      }
      assertThatThrownBy(pieces::hasNext).isInstanceOf(LlamaException.class);
      assertThatThrownBy(() -> bad.future().get()).hasCauseInstanceOf(LlamaException.class);
      assertThat(bad.finishReason()).contains(FinishReason.ERROR);
    }
  }

  @Test
  void banningEveryTokenFailsTheRequest() {
    Map<Integer, Float> bans = new java.util.HashMap<>();
    for (int id = 0; id < VOCAB_SIZE; id++) {
      bans.put(id, Float.NEGATIVE_INFINITY);
    }
    SamplingParams sampling = SamplingParams.builder().logitBias(bans).build();
    try (Engine engine = engine(new Scripted(0))) {
      Generation generation =
          engine.submit(new Request(new int[] {1}, sampling, StopConditions.maxTokens(5)));
      assertThatThrownBy(generation::await).hasMessageContaining("logit_bias");
    }
  }

  @Test
  void aTokenThatTheTokenizerDoesNotKnowFailsTheRequest() {
    PieceDecoder small =
        new PieceDecoder() {
          @Override
          public String append(int id) {
            throw new IllegalArgumentException("id %d is outside".formatted(id));
          }

          @Override
          public String flush() {
            return "";
          }
        };
    try (Engine engine = new Engine(List.of(), new Scripted(40), Optional.of(() -> small))) {
      Generation generation = engine.submit(greedy(List.of(1), 5, List.of()));
      assertThatThrownBy(generation::await)
          .isInstanceOf(LlamaException.class)
          .hasMessageContaining("token 40 has no text");
      awaitIdle(engine);
    }
  }

  @Test
  void anErrorInTheModelEndsTheEngineAndEveryoneHearsOfIt() {
    FakeLlama model =
        new FakeLlama(VOCAB_SIZE, LIMITS, CACHE) {
          @Override
          public void forward(StepInput step) {
            throw new NoClassDefFoundError("jdk/incubator/vector/Vector");
          }
        };
    try (Engine engine = engine(model)) {
      Generation generation = engine.submit(greedy(List.of(1), 5, List.of()));
      assertThatThrownBy(generation::await).hasMessageContaining("jdk/incubator/vector");
      assertThatThrownBy(
              () -> {
                while (true) {
                  engine.submit(greedy(List.of(1), 5, List.of()));
                }
              })
          .isInstanceOf(IllegalStateException.class)
          .hasMessageContaining("jdk/incubator/vector");
    }
    assertThat(model.closed).isTrue();
  }

  @Test
  void anInterruptedConsumerGetsAnExceptionAndItsRequestIsCancelled() throws Exception {
    Gated model = new Gated();
    try (Engine engine = engine(model)) {
      Generation generation = engine.submit(greedy(List.of(1), 50, List.of()));
      model.entered.await();
      Thread.currentThread().interrupt();
      assertThatThrownBy(generation::await)
          .isInstanceOf(LlamaException.class)
          .hasMessageContaining("interrupted");
      assertThat(Thread.interrupted()).isTrue();
      Thread.currentThread().interrupt();
      assertThatThrownBy(() -> engine.score(new int[] {1}, (position, logits) -> {}))
          .hasMessageContaining("interrupted");
      assertThat(Thread.interrupted()).isTrue();
      model.gate.countDown();
      assertThat(generation.await().finishReason()).isEqualTo(FinishReason.CANCELLED);
      awaitIdle(engine);
    }
  }

  @Test
  void aSinkThatFailsFailsTheScoringOnly() {
    try (Engine engine = engine(new Scripted(0))) {
      assertThatThrownBy(() ->
              engine.score(
                  new int[] {1, 2, 3},
                  (position, logits) -> {
                    throw new AssertionError("no row " + position);
                  }))
          .isInstanceOf(LlamaException.class)
          .hasMessageContaining("no row 0");
      assertThatThrownBy(() ->
              engine.score(
                  new int[] {1}, (position, logits) -> engine.score(new int[] {1}, (p, row) -> {})))
          .hasRootCauseInstanceOf(IllegalStateException.class);
      assertThat(engine.submit(greedy(List.of(1), 3, List.of())).await().ids()).hasSize(3);
    }
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
      assertThat(stats).isEqualTo(new EngineStats(0, 0, 0, 32, 30, 1, 4, 0));
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

  private static Engine engine(FakeLlama model) {
    return new Engine(List.of(), model, decoder());
  }

  private static Optional<java.util.function.Supplier<PieceDecoder>> decoder() {
    return Optional.of(LetterDecoder::new);
  }

  private static Request greedy(List<Integer> prompt, int maxTokens, List<String> stops) {
    return new Request(
        prompt.stream().mapToInt(Integer::intValue).toArray(),
        SamplingParams.GREEDY,
        new StopConditions(maxTokens, List.of(), stops, false));
  }

  private static void assertRefused(Engine engine, Request request, String reason) {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> engine.submit(request))
        .withMessageContaining(reason);
  }

  private static void awaitIdle(Engine engine) {
    while (engine.stats().usedBlocks() + engine.stats().running() + engine.stats().waiting() > 0) {
      Thread.onSpinWait();
    }
  }
}
