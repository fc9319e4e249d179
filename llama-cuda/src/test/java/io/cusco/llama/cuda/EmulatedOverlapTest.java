package io.cusco.llama.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import io.cusco.llama.backend.Backend;
import io.cusco.llama.backend.BackendOptions;
import io.cusco.llama.backend.ComputeMode;
import io.cusco.llama.backend.LoadProgress;
import io.cusco.llama.backend.ModelOptions;
import io.cusco.llama.checkpoint.LlamaWeights.RotaryLayout;
import io.cusco.llama.config.LlamaConfig;
import io.cusco.llama.config.RopeScaling;
import io.cusco.llama.cuda.driver.CudaProbe;
import io.cusco.llama.cuda.standin.EmulatedGpu;
import io.cusco.llama.cuda.standin.StandIn;
import io.cusco.llama.engine.Engine;
import io.cusco.llama.engine.EngineOptions;
import io.cusco.llama.engine.EngineStats;
import io.cusco.llama.engine.Generation;
import io.cusco.llama.engine.Request;
import io.cusco.llama.model.LlamaModel;
import io.cusco.llama.sampling.SamplingParams;
import io.cusco.llama.sampling.StopConditions;
import io.cusco.llama.testkit.RandomModel;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Random;
import org.junit.jupiter.api.Test;

/// The engine over the CUDA model, with steps that overlap and without: the same tokens, and the
/// driver gets a step before the tokens of the one before it are read.
@EmulatedGpu
class EmulatedOverlapTest {
  private static final long SEED = 20261121;
  private static final int VOCAB_SIZE = 67;
  private static final int REQUESTS = 7;

  /// What the driver was asked for, in order: a step's kernels or its graph, its tokens' way back,
  /// and the wait for that.
  private enum Call {
    WORK,
    COPY_BACK,
    READ
  }

  /// Tells the calls of a model apart by what they are given.
  private static final class CallLog {
    private final List<Call> calls = new ArrayList<>();
    private boolean copiesBack;
    private MemorySegment copiedBack = MemorySegment.NULL;

    synchronized void add(String name, Object[] arguments) {
      switch (name) {
        case "cuLaunchKernel", "cuGraphLaunch" -> calls.add(Call.WORK);
        case "cuMemcpyDtoHAsync_v2" -> {
          calls.add(Call.COPY_BACK);
          copiesBack = true;
        }
        case "cuEventRecord" -> {
          if (copiesBack) {
            copiedBack = (MemorySegment) arguments[0];
            copiesBack = false;
          }
        }
        case "cuEventSynchronize" -> {
          if (copiedBack.equals(arguments[0])) {
            calls.add(Call.READ);
          }
        }
        default -> {}
      }
    }

    synchronized int reads() {
      return (int) calls.stream().filter(call -> call == Call.READ).count();
    }

    /// Reads before which the device was given more to do than to draw.
    synchronized int readsWithWorkBehindThem() {
      int count = 0;
      for (int i = 1; i < calls.size(); i++) {
        count += calls.get(i) == Call.READ && calls.get(i - 1) == Call.WORK ? 1 : 0;
      }
      return count;
    }
  }

  private record Run(List<Generation.Result> results, EngineStats stats, CallLog calls) {
    List<List<Integer>> ids() {
      return results.stream().map(Generation.Result::ids).toList();
    }
  }

  @Test
  void stepsThatOverlapGiveTheTokensOfThoseThatDoNot(StandIn standIn) {
    Run overlapped = run(standIn, true);
    Run plain = run(standIn, false);
    assertThat(overlapped.ids()).isEqualTo(plain.ids());
    for (int i = 0; i < REQUESTS; i++) {
      Generation.Result result = overlapped.results().get(i);
      assertThat(result.finishReason()).isEqualTo(plain.results().get(i).finishReason());
      assertThat(result.logprobs()).hasSize(i % 4 == 3 ? result.ids().size() : 0);
    }
    System.out.printf(
        "%d of %d reads with a step behind them, %d tokens discarded, %d preemptions%n",
        overlapped.calls().readsWithWorkBehindThem(),
        overlapped.calls().reads(),
        overlapped.stats().discardedTokens(),
        overlapped.stats().preemptions());
    assertThat(overlapped.stats().preemptions()).isPositive();
    assertThat(overlapped.stats().discardedTokens()).isPositive();
    assertThat(plain.stats().discardedTokens()).isZero();
    // All but those after which nothing was left to do.
    assertThat(overlapped.calls().readsWithWorkBehindThem())
        .isBetween(overlapped.calls().reads() * 3 / 4, overlapped.calls().reads() - 1);
    assertThat(plain.calls().reads()).isPositive();
    assertThat(plain.calls().readsWithWorkBehindThem()).isZero();
  }

  /// A KV cache so small that sequences lose their blocks, and draws of every kind.
  private static Run run(StandIn standIn, boolean overlap) {
    CallLog calls = new CallLog();
    standIn.observe(calls::add);
    LlamaConfig config =
        new LlamaConfig(
            32, 48, 2, 2, 1, 16, VOCAB_SIZE, 64, 1e-5f, 1e4, new RopeScaling.None(), false);
    ModelOptions options =
        new ModelOptions(
            ComputeMode.F32,
            64,
            16,
            6,
            6,
            4,
            OptionalInt.of(20),
            Optional.empty(),
            LoadProgress.NONE);
    try (Backend backend = new CudaBackend(BackendOptions.DEFAULT, CudaProbe.run().devices());
        RandomModel random = new RandomModel(config, RotaryLayout.ROTATE_HALF, SEED)) {
      LlamaModel model = backend.load(random.config(), random.weights(), options);
      EngineOptions engineOptions = EngineOptions.DEFAULT.withOverlap(overlap);
      try (Engine engine = new Engine(model, Optional.empty(), List.of(5), engineOptions)) {
        List<Generation> generations = requests().stream().map(engine::submit).toList();
        List<Generation.Result> results = generations.stream().map(Generation::await).toList();
        return new Run(results, engine.stats(), calls);
      }
    }
  }

  private static List<Request> requests() {
    Random random = new Random(SEED);
    List<Request> requests = new ArrayList<>();
    for (int i = 0; i < REQUESTS; i++) {
      SamplingParams.Builder sampling = SamplingParams.builder().seed(i);
      switch (i % 4) {
        case 0 -> sampling.temperature(0);
        case 1 -> sampling.topK(9);
        case 2 -> sampling.temperature(0.8).repetitionPenalty(1.3).frequencyPenalty(0.5);
        default -> sampling.topP(0.9).logprobs(2);
      }
      requests.add(
          new Request(
              random.ints(1 + random.nextInt(20), 0, VOCAB_SIZE).toArray(),
              sampling.build(),
              new StopConditions(12, List.of(7, 30), List.of(), false)));
    }
    return requests;
  }
}
