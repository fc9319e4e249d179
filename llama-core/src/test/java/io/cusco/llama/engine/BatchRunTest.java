package io.cusco.llama.engine;

import static io.cusco.llama.engine.EngineFixture.CACHE;
import static io.cusco.llama.engine.EngineFixture.LIMITS;
import static io.cusco.llama.engine.EngineFixture.VOCAB_SIZE;
import static io.cusco.llama.engine.EngineFixture.awaitIdle;
import static io.cusco.llama.engine.EngineFixture.decoder;
import static io.cusco.llama.engine.EngineFixture.engine;
import static io.cusco.llama.engine.EngineFixture.greedy;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.cusco.llama.LlamaException;
import io.cusco.llama.engine.EngineFixture.Gated;
import io.cusco.llama.engine.EngineFixture.Scripted;
import io.cusco.llama.sampling.SamplingParams;
import io.cusco.llama.sampling.StopConditions;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.Iterator;
import java.util.List;
import java.util.NoSuchElementException;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(value = 30, unit = TimeUnit.SECONDS, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class BatchRunTest {
  private static final BatchOptions IN_ORDER =
      BatchOptions.DEFAULT.withOrder(BatchOptions.Order.INPUT);

  /// Counts what was pulled.
  private static final class Input implements Iterator<Request> {
    private final Iterator<Request> requests;
    int pulled;

    Input(List<Request> requests) {
      this.requests = requests.iterator();
    }

    @Override
    public boolean hasNext() {
      return requests.hasNext();
    }

    @Override
    public Request next() {
      pulled++;
      return requests.next();
    }
  }

  /// Fails where the prompt begins with 13.
  private static final class Unlucky extends FakeLlama {
    Unlucky() {
      super(VOCAB_SIZE, LIMITS, CACHE);
    }

    @Override
    void fillLogits(int[] context, float[] row) {
      super.fillLogits(context, row);
      if (context[0] == 13) {
        row[0] = Float.NaN;
      }
    }
  }

  /// Request `i` draws `lengths[i]` tokens.
  private static List<Request> requests(int... lengths) {
    return Arrays.stream(lengths)
        .mapToObj(length -> greedy(List.of(4), length, List.of()))
        .toList();
  }

  @Test
  void outcomesComeInTheOrderOfTheInputWhereAskedFor() {
    int[] lengths = {40, 1, 20, 1, 1, 30, 2};
    try (Engine engine = engine(new Scripted(0));
        BatchRun run = engine.run(requests(lengths).iterator(), IN_ORDER)) {
      for (int i = 0; i < lengths.length; i++) {
        assertThat(run.hasNext()).isTrue();
        Outcome outcome = run.next();
        assertThat(outcome.index()).isEqualTo(i);
        assertThat(((Outcome.Completed) outcome).result().ids()).hasSize(lengths[i]);
      }
      assertThat(run.hasNext()).isFalse();
      assertThatThrownBy(run::next)
          .isInstanceOf(NoSuchElementException.class)
          .hasMessageContaining("7 requests");
    }
  }

  @Test
  void outcomesComeAsTheyEndOtherwise() {
    Gated model = new Gated();
    try (Engine engine = engine(model);
        BatchRun run = engine.run(requests(60, 1, 60, 1).iterator())) {
      assertThat(run.hasNext()).isTrue();
      model.gate.countDown();
      assertThat(run.next().index()).isEqualTo(1);
      assertThat(run.next().index()).isEqualTo(3);
      assertThat(run.next().index()).isEqualTo(0);
      assertThat(run.next().index()).isEqualTo(2);
    }
  }

  @Test
  void theInputIsPulledOnlyIntoTheWindow() {
    for (BatchOptions options : List.of(BatchOptions.DEFAULT, IN_ORDER)) {
      Input input = new Input(requests(new Random(1).ints(100, 1, 9).toArray()));
      try (Engine engine = engine(new Scripted(0));
          BatchRun run = engine.run(input, options.withWindow(7))) {
        assertThat(input.pulled).isZero();
        Set<Long> seen = new HashSet<>();
        while (run.hasNext()) {
          assertThat(input.pulled).isLessThanOrEqualTo(seen.size() + 7);
          assertThat(seen.add(run.next().index())).isTrue();
        }
        assertThat(seen).hasSize(100);
      }
    }
  }

  @Test
  void aConsumerThatStopsAskingStopsTheInput() {
    Input input = new Input(requests(nTimes(100, 3)));
    try (Engine engine = engine(new Scripted(0));
        BatchRun run = engine.run(input)) {
      assertThat(run.next()).isInstanceOf(Outcome.Completed.class);
      // 4 run at once, the window is 4 times that.
      while (engine.stats().promptTokens() < 16) {
        Thread.onSpinWait();
      }
      awaitIdle(engine);
      assertThat(input.pulled).isEqualTo(16);
    }
  }

  private static int[] nTimes(int count, int value) {
    int[] values = new int[count];
    Arrays.fill(values, value);
    return values;
  }

  @Test
  void aRequestThatIsRefusedOrFailsIsAnOutcome() {
    List<Request> requests =
        List.of(
            greedy(List.of(1), 5, List.of()),
            greedy(List.of(99), 5, List.of()),
            greedy(List.of(13), 5, List.of()).withSamples(3),
            greedy(List.of(), 5, List.of()),
            greedy(List.of(2), 5, List.of()).withSamples(2));
    for (BatchOptions options : List.of(BatchOptions.DEFAULT.withWindow(1), IN_ORDER)) {
      try (Engine engine = engine(new Unlucky());
          BatchRun run = engine.run(requests.iterator(), options)) {
        List<Outcome> outcomes = new ArrayList<>();
        run.forEachRemaining(outcomes::add);
        assertThat(outcomes).extracting(Outcome::index).containsExactly(0L, 1L, 2L, 3L, 4L);
        assertThat(outcomes).extracting(Outcome::request).isEqualTo(requests);
        assertThat(outcomes.get(0)).isInstanceOf(Outcome.Completed.class);
        assertThat(((Outcome.Failed) outcomes.get(1)).failure())
            .isInstanceOf(IllegalArgumentException.class)
            .hasMessageContaining("id 99");
        assertThat(((Outcome.Failed) outcomes.get(2)).failure())
            .isInstanceOf(LlamaException.class)
            .hasMessageContaining("NaN");
        assertThat(((Outcome.Failed) outcomes.get(3)).failure()).hasMessageContaining("empty");
        assertThat(((Outcome.Completed) outcomes.get(4)).samples()).hasSize(2);
      }
    }
  }

  @Test
  void aFailureOfTheInputIsThrownAfterTheOutcomesBeforeIt() {
    Iterator<Request> input =
        new Iterator<>() {
          private int line;

          @Override
          public boolean hasNext() {
            return true;
          }

          @Override
          public Request next() {
            line++;
            if (line == 4) {
              throw new IllegalArgumentException("line 4 is broken");
            }
            return greedy(List.of(line), 3, List.of());
          }
        };
    try (Engine engine = engine(new Scripted(0));
        BatchRun run = engine.run(input)) {
      for (int i = 0; i < 3; i++) {
        assertThat(run.next()).isInstanceOf(Outcome.Completed.class);
      }
      assertThatThrownBy(run::hasNext).hasMessage("line 4 is broken");
      assertThat(run.hasNext()).isFalse();
    }
  }

  @Test
  void closingCancelsWhatIsInTheWindow() throws Exception {
    Gated model = new Gated();
    Input input = new Input(requests(nTimes(50, 60)));
    try (Engine engine = engine(model)) {
      BatchRun run = engine.run(input);
      assertThat(run.hasNext()).isTrue();
      model.entered.await();
      run.close();
      run.close();
      assertThat(run.hasNext()).isFalse();
      model.gate.countDown();
      awaitIdle(engine);
      assertThat(engine.stats().generatedTokens()).isLessThan(60);
      assertThat(input.pulled).isEqualTo(16);
    }
  }

  @Test
  void anEngineThatIsClosedEndsTheRun() throws Exception {
    Gated model = new Gated();
    Engine engine = engine(model);
    try (BatchRun run = engine.run(requests(nTimes(50, 60)).iterator())) {
      assertThat(run.hasNext()).isTrue();
      model.entered.await();
      model.gate.countDown();
      engine.close();
      for (int i = 0; i < 16; i++) {
        Generation.Result result = ((Outcome.Completed) run.next()).result();
        assertThat(result.finishReason()).isIn(FinishReason.CANCELLED, FinishReason.LENGTH);
      }
      assertThatThrownBy(run::hasNext)
          .isInstanceOf(IllegalStateException.class)
          .hasMessageContaining("closed");
    }
  }

  @Test
  void anInterruptedConsumerGetsAnExceptionAndTheRunIsClosed() {
    for (BatchOptions options : List.of(BatchOptions.DEFAULT, IN_ORDER)) {
      Gated model = new Gated();
      try (Engine engine = engine(model);
          BatchRun run = engine.run(requests(5, 5).iterator(), options)) {
        assertThat(run.hasNext()).isTrue();
        Thread.currentThread().interrupt();
        assertThatThrownBy(run::next)
            .isInstanceOf(LlamaException.class)
            .hasMessageContaining("interrupted");
        assertThat(Thread.interrupted()).isTrue();
        assertThat(run.hasNext()).isFalse();
        model.gate.countDown();
      }
    }
  }

  @Test
  void severalRunsAndRequestsOfSeveralSamplesShareAnEngine() {
    long seed = 77;
    Random random = new Random(seed);
    List<Request> requests =
        IntStream.range(0, 60)
            .mapToObj(i ->
                new Request(
                        random.ints(1 + random.nextInt(20), 0, 3).toArray(),
                        SamplingParams.builder().seed(i).build(),
                        StopConditions.maxTokens(1 + random.nextInt(20)))
                    .withSamples(1 + random.nextInt(4)))
            .toList();
    FakeLlama model = new FakeLlama(VOCAB_SIZE, LIMITS, CACHE);
    EngineOptions options = EngineOptions.DEFAULT.withQueue(2, EngineOptions.QueueFull.REFUSE);
    try (Engine engine = new Engine(model, List.of(), decoder(), options);
        BatchRun first = engine.run(requests.iterator());
        BatchRun second = engine.run(requests.iterator(), IN_ORDER.withWindow(3))) {
      while (first.hasNext() || second.hasNext()) {
        for (BatchRun run : List.of(first, second)) {
          if (run.hasNext()) {
            checkSamples(model, run.next(), seed);
          }
        }
      }
    }
  }

  private static void checkSamples(FakeLlama model, Outcome outcome, long seed) {
    Outcome.Completed completed = (Outcome.Completed) outcome;
    assertThat(completed.samples()).hasSize(completed.request().samples());
    for (int sample = 0; sample < completed.samples().size(); sample++) {
      assertThat(completed.samples().get(sample).ids())
          .as("seed %d, request %d, sample %d", seed, outcome.index(), sample)
          .isEqualTo(
              OneAtATime.run(model, outcome.request(), sample, List.of(), LIMITS.maxContextLength())
                  .ids());
    }
  }
}
