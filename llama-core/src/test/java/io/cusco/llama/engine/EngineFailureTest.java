package io.cusco.llama.engine;

import static io.cusco.llama.engine.EngineFixture.CACHE;
import static io.cusco.llama.engine.EngineFixture.LIMITS;
import static io.cusco.llama.engine.EngineFixture.VOCAB_SIZE;
import static io.cusco.llama.engine.EngineFixture.awaitIdle;
import static io.cusco.llama.engine.EngineFixture.engine;
import static io.cusco.llama.engine.EngineFixture.greedy;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.cusco.llama.LlamaException;
import io.cusco.llama.engine.EngineFixture.Gated;
import io.cusco.llama.engine.EngineFixture.Scripted;
import io.cusco.llama.model.StepInput;
import io.cusco.llama.sampling.SamplingParams;
import io.cusco.llama.sampling.StopConditions;
import java.io.IOException;
import java.util.HashMap;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/// What goes wrong ends what it touches, with a reason, and nothing else.
@Timeout(value = 30, unit = TimeUnit.SECONDS, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class EngineFailureTest {

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
    Map<Integer, Float> bans = new HashMap<>();
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
    try (Engine engine =
        new Engine(new Scripted(40), List.of(), Optional.of(() -> small), EngineOptions.DEFAULT)) {
      Generation generation = engine.submit(greedy(List.of(1), 5, List.of()));
      assertThatThrownBy(generation::await)
          .isInstanceOf(LlamaException.class)
          .hasMessageContaining("position 1: ")
          .hasMessageContaining("id 40 is outside");
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

  /// As languages without checked exceptions do.
  @SuppressWarnings({"unchecked", "TypeParameterUnusedInFormals"})
  private static <X extends Exception> void throwUndeclared(Exception e) throws X {
    throw (X) e;
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
      assertThatThrownBy(() ->
              engine.score(
                  new int[] {1, 2},
                  (position, logits) ->
                      EngineFailureTest.<RuntimeException>throwUndeclared(new IOException("disk"))))
          .isInstanceOf(LlamaException.class)
          .hasMessageContaining("the sink failed at position 0: java.io.IOException: disk");
      assertThat(engine.submit(greedy(List.of(1), 3, List.of())).await().ids()).hasSize(3);
    }
  }
}
