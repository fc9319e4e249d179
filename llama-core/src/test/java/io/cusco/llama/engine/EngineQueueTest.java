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

import io.cusco.llama.LlamaException;
import io.cusco.llama.engine.EngineFixture.Gated;
import io.cusco.llama.engine.EngineFixture.Scripted;
import io.cusco.llama.engine.EngineOptions.QueueFull;
import io.cusco.llama.sampling.SamplingParams;
import io.cusco.llama.sampling.StopConditions;
import io.cusco.llama.sampling.Uniforms;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/// Limits of the queue, of time and of what runs at once; several samples of one request.
@Timeout(value = 30, unit = TimeUnit.SECONDS, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class EngineQueueTest {
  private static Engine limited(FakeLlama model, int maxRunning, int maxQueued, QueueFull full) {
    return new Engine(
        model,
        List.of(),
        decoder(),
        EngineOptions.DEFAULT.withMaxRunning(maxRunning).withQueue(maxQueued, full));
  }

  private static Request request(int maxTokens) {
    return greedy(List.of(1), maxTokens, List.of());
  }

  @Test
  void aFullQueueRefusesAndSaysWhatToDo() throws Exception {
    Gated model = new Gated();
    try (Engine engine = limited(model, 1, 2, QueueFull.REFUSE)) {
      Generation running = engine.submit(request(3));
      model.entered.await();
      List<Generation> several = engine.submitSamples(request(3).withSamples(3));
      Generation waiting = engine.submit(request(3));
      assertThatThrownBy(() -> engine.submit(request(3)))
          .isInstanceOf(QueueFullException.class)
          .hasMessageContaining("2 requests wait already");
      // A request waits until none of its samples does.
      several.getFirst().cancel();
      model.gate.countDown();
      assertThat(running.await().ids()).hasSize(3);
      assertThat(waiting.await().ids()).hasSize(3);
      assertThat(several.getFirst().await().finishReason()).isEqualTo(FinishReason.CANCELLED);
      awaitIdle(engine);
      // All places are free again, and the refused one took none.
      engine.submit(request(1)).await();
      engine.submit(request(1)).await();
      engine.submit(request(1)).await();
    }
  }

  @Test
  void aCallerWaitsForRoomWhereAskedTo() throws Exception {
    Gated model = new Gated();
    try (Engine engine = limited(model, 1, 1, QueueFull.WAIT)) {
      Generation running = engine.submit(request(3));
      model.entered.await();
      Generation waiting = engine.submit(request(3));
      CompletableFuture<Generation> late =
          CompletableFuture.supplyAsync(() -> engine.submit(request(2)));
      Thread.sleep(50);
      assertThat(late).isNotDone();
      model.gate.countDown();
      assertThat(late.join().await().ids()).hasSize(2);
      assertThat(waiting.await().ids()).hasSize(3);
      assertThat(running.await().ids()).hasSize(3);
    }
  }

  @Test
  void callersWhoWaitForRoomHearThatTheEngineIsClosed() throws Exception {
    Gated model = new Gated();
    Engine engine = limited(model, 1, 1, QueueFull.WAIT);
    Generation running = engine.submit(request(3));
    model.entered.await();
    Generation waiting = engine.submit(request(3));
    List<CompletableFuture<Void>> late = new ArrayList<>();
    for (int i = 0; i < 3; i++) {
      CompletableFuture<Void> refused = new CompletableFuture<>();
      Thread.ofVirtual()
          .start(() -> {
            try {
              engine.submit(request(2));
            } catch (IllegalStateException e) {
              refused.complete(null);
            }
          });
      late.add(refused);
    }
    Thread.sleep(50);
    Thread closing = Thread.ofPlatform().start(engine::close);
    // It waits for the step under way, and takes no more requests.
    while (closing.getState() != Thread.State.WAITING) {
      Thread.onSpinWait();
    }
    model.gate.countDown();
    closing.join();
    late.forEach(CompletableFuture::join);
    assertThat(running.await().finishReason()).isEqualTo(FinishReason.CANCELLED);
    assertThat(waiting.await().finishReason()).isEqualTo(FinishReason.CANCELLED);
  }

  @Test
  void anInterruptedCallerStopsWaitingForRoom() throws Exception {
    Gated model = new Gated();
    try (Engine engine = limited(model, 1, 1, QueueFull.WAIT)) {
      engine.submit(request(3));
      model.entered.await();
      engine.submit(request(3));
      Thread.currentThread().interrupt();
      assertThatThrownBy(() -> engine.submit(request(3)))
          .isInstanceOf(LlamaException.class)
          .hasMessageContaining("room in the queue");
      assertThat(Thread.interrupted()).isTrue();
      model.gate.countDown();
    }
  }

  @Test
  void noMoreRunAtOnceThanAskedFor() throws Exception {
    Gated model = new Gated();
    try (Engine engine = limited(model, 2, 10, QueueFull.REFUSE)) {
      List<Generation> all = new ArrayList<>();
      for (int i = 0; i < 6; i++) {
        all.add(engine.submit(request(30)));
      }
      model.gate.countDown();
      while (all.stream().anyMatch(each -> each.finishReason().isEmpty())) {
        assertThat(engine.stats().running()).isLessThanOrEqualTo(2);
      }
    }
  }

  @Test
  void aRequestWhoseTimeIsUpEndsWithWhatItHas() throws Exception {
    Gated model = new Gated();
    try (Engine engine = limited(model, 1, 10, QueueFull.REFUSE)) {
      Generation running = engine.submit(request(60).withTimeout(Duration.ofSeconds(2)));
      model.entered.await();
      List<Generation> waiting =
          engine.submitSamples(request(60).withTimeout(Duration.ofMillis(10)).withSamples(2));
      Generation patient =
          engine.submit(request(5).withTimeout(Duration.ofSeconds(Long.MAX_VALUE)));
      Thread.sleep(2_020);
      assertThat(running.finishReason()).isEmpty();
      model.gate.countDown();
      assertThat(running.await().finishReason()).isEqualTo(FinishReason.TIMEOUT);
      assertThat(running.await().ids()).hasSize(1);
      for (Generation sample : waiting) {
        assertThat(sample.await().finishReason()).isEqualTo(FinishReason.TIMEOUT);
        assertThat(sample.await().ids()).isEmpty();
      }
      assertThat(patient.await().finishReason()).isEqualTo(FinishReason.LENGTH);
      awaitIdle(engine);
    }
  }

  @Test
  void whatNoRequestCanHaveIsRefused() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> request(1).withSamples(0))
        .withMessageContaining("got 0");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> request(1).withTimeout(Duration.ZERO))
        .withMessageContaining("PT0S");
    assertThatIllegalArgumentException().isThrownBy(() -> EngineOptions.DEFAULT.withMaxRunning(0));
    assertThatIllegalArgumentException()
        .isThrownBy(() -> EngineOptions.DEFAULT.withQueue(0, QueueFull.WAIT));
    assertThatIllegalArgumentException().isThrownBy(() -> BatchOptions.DEFAULT.withWindow(0));
    try (Engine engine = engine(new Scripted(0))) {
      assertThatIllegalArgumentException()
          .isThrownBy(() -> engine.submit(request(1).withSamples(2)))
          .withMessageContaining("submitSamples");
    }
  }

  @Test
  void samplesShareThePromptAndDrawForThemselves() {
    int[] prompt = new int[30];
    SamplingParams sampling = SamplingParams.builder().seed(42).build();
    Request request = new Request(prompt, sampling, StopConditions.maxTokens(10));
    FakeLlama model = new FakeLlama(VOCAB_SIZE, LIMITS, CACHE);
    try (Engine engine = engine(model)) {
      List<Generation> samples = engine.submitSamples(request.withSamples(6));
      List<List<Integer>> drawn = samples.stream().map(each -> each.await().ids()).toList();
      // Seven full blocks of four, taken over by each of the others.
      assertThat(engine.stats().cachedPromptTokens()).isEqualTo(5 * 28);
      assertThat(samples.get(0).await().cachedPromptTokens()).isZero();
      assertThat(samples.get(5).await().cachedPromptTokens()).isEqualTo(28);
      assertThat(drawn).doesNotHaveDuplicates();
      assertThat(drawn.getFirst()).isEqualTo(engine.submit(request).await().ids());
      for (int i = 0; i < drawn.size(); i++) {
        SamplingParams own = sampling.withSeed(Uniforms.seedOfSample(42, i));
        Request alone = new Request(prompt, own, StopConditions.maxTokens(10));
        assertThat(drawn.get(i)).isEqualTo(engine.submit(alone).await().ids());
      }
    }
  }

  @Test
  void aConversationComputesOnlyWhatIsNew() {
    FakeLlama model = new FakeLlama(VOCAB_SIZE, LIMITS, CACHE);
    try (Engine engine = engine(model)) {
      List<Integer> text = new ArrayList<>(List.of(1, 2, 3, 4, 5, 6));
      for (int turn = 0; turn < 4; turn++) {
        Generation.Result result = engine.submit(greedy(text, 9, List.of())).await();
        // All but the last token drawn was computed, in blocks of four.
        int computed = turn == 0 ? 0 : text.size() - 2 - 1;
        assertThat(result.cachedPromptTokens()).isEqualTo(computed / 4 * 4);
        text.addAll(result.ids());
        text.addAll(List.of(7, 8));
      }
      awaitIdle(engine);
      assertThat(engine.stats().prefixHitRate()).isGreaterThan(0.5);
      assertThat(engine.stats().cachedBlocks()).isPositive();
    }
  }
}
