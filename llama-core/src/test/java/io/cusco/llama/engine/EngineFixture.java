package io.cusco.llama.engine;

import io.cusco.llama.config.OutputHead;
import io.cusco.llama.model.KvCacheSpec;
import io.cusco.llama.model.StepInput;
import io.cusco.llama.model.StepLimits;
import io.cusco.llama.sampling.SamplingParams;
import io.cusco.llama.sampling.StopConditions;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;
import java.util.function.Supplier;

/// Small engines over fake models, and requests for them.
final class EngineFixture {
  static final int VOCAB_SIZE = 41;
  static final StepLimits LIMITS = new StepLimits(8, 4, 4, 64);
  static final KvCacheSpec CACHE = new KvCacheSpec(4, 32);

  /// Continues a prompt with a script: the token after position p is `script[p]`.
  static final class Scripted extends FakeLlama {
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
  static final class Gated extends FakeLlama {
    final CountDownLatch entered = new CountDownLatch(1);
    final CountDownLatch gate = new CountDownLatch(1);

    Gated() {
      this(OutputHead.VOCABULARY);
    }

    Gated(OutputHead head) {
      super(VOCAB_SIZE, head, LIMITS, CACHE);
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

  private EngineFixture() {}

  static Engine engine(FakeLlama model) {
    return new Engine(model, List.of(), decoder(), EngineOptions.DEFAULT);
  }

  static Optional<Supplier<PieceDecoder>> decoder() {
    return Optional.of(LetterDecoder::new);
  }

  static Request greedy(List<Integer> prompt, int maxTokens, List<String> stops) {
    return new Request(
        prompt.stream().mapToInt(Integer::intValue).toArray(),
        SamplingParams.GREEDY,
        new StopConditions(maxTokens, List.of(), stops, false));
  }

  static void awaitIdle(Engine engine) {
    while (engine.stats().usedBlocks() + engine.stats().running() + engine.stats().waiting() > 0) {
      Thread.onSpinWait();
    }
  }
}
