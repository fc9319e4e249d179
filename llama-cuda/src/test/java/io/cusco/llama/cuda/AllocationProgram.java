package io.cusco.llama.cuda;

import com.sun.management.ThreadMXBean;
import io.cusco.llama.backend.Backend;
import io.cusco.llama.backend.BackendOptions;
import io.cusco.llama.backend.ComputeMode;
import io.cusco.llama.backend.LoadProgress;
import io.cusco.llama.backend.ModelOptions;
import io.cusco.llama.checkpoint.LlamaWeights.RotaryLayout;
import io.cusco.llama.config.LlamaConfig;
import io.cusco.llama.config.RopeScaling;
import io.cusco.llama.cuda.driver.CudaProbe;
import io.cusco.llama.model.LlamaModel;
import io.cusco.llama.model.StepBatch;
import io.cusco.llama.model.StepInput;
import io.cusco.llama.sampling.SamplingParams;
import io.cusco.llama.testkit.RandomModel;
import io.cusco.llama.testkit.TestSteps;
import java.lang.management.ManagementFactory;
import java.util.Arrays;
import java.util.Optional;
import java.util.OptionalInt;

/// Runs steps of a small model against a driver that does nothing, in a JVM of its own, until the
/// JIT compiler has settled, and prints what a step allocates on the Java heap: `recorded BYTES
/// STEPS`, `direct BYTES STEPS` and `overlapped BYTES STEPS`.
final class AllocationProgram {
  private static final int VOCABULARY = 131;
  private static final int SEQUENCES = 3;
  private static final int STEPS = 1000;
  private static final int MAX_ROUNDS = 60;

  private AllocationProgram() {}

  public static void main(String[] args) {
    LlamaConfig config =
        new LlamaConfig(
            64, 96, 2, 4, 2, 64, VOCABULARY, 256, 1e-5f, 1e4, new RopeScaling.None(), false);
    ModelOptions options =
        new ModelOptions(
            ComputeMode.AUTO,
            128,
            64,
            8,
            8,
            16,
            OptionalInt.of(40),
            Optional.empty(),
            LoadProgress.NONE);
    try (Backend backend = new CudaBackend(BackendOptions.DEFAULT, CudaProbe.run().devices());
        RandomModel random = new RandomModel(config, RotaryLayout.ROTATE_HALF, 1);
        LlamaModel model = backend.load(random.config(), random.weights(), options)) {
      RandomDraws draws = draws();
      int[] ids = new int[SEQUENCES];
      StepInput decode = step(1, 5, false);
      measure(
          "recorded",
          () -> {
            model.forward(decode);
            model.sample(draws, ids);
          });
      StepInput prefill = step(9, 5, false);
      measure(
          "direct",
          () -> {
            model.forward(prefill);
            model.sample(draws, ids);
          });
      StepInput ofDrawn = step(1, 5, true);
      model.startSampling(draws);
      measure(
          "overlapped",
          () -> {
            model.forward(ofDrawn);
            model.awaitTokens(draws, ids);
            model.startSampling(draws);
          });
    }
  }

  /// Sequences that bring `tokens` tokens each.
  ///
  /// @param drawn whether the last draws give them
  private static StepInput step(int tokens, int start, boolean drawn) {
    StepBatch step = TestSteps.of(16, 8);
    for (int i = 0; i < SEQUENCES; i++) {
      int[] ids = new int[tokens];
      Arrays.fill(ids, drawn ? StepInput.drawn(i) : 0);
      step.add(ids, start, new int[] {2 * i, 2 * i + 1}, 1);
    }
    return step;
  }

  private static RandomDraws draws() {
    RandomDraws draws = new RandomDraws();
    for (int i = 0; i < SEQUENCES; i++) {
      draws.add(i, SamplingParams.builder().temperature(0.9f).topK(40).topP(0.95f).build(), 0.5);
    }
    return draws;
  }

  /// Rounds of steps until one allocates less than a byte a step, or the last.
  private static void measure(String name, Runnable step) {
    ThreadMXBean thread = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    long bytes = Long.MAX_VALUE;
    for (int round = 0; round < MAX_ROUNDS && bytes >= STEPS; round++) {
      long before = thread.getCurrentThreadAllocatedBytes();
      for (int i = 0; i < STEPS; i++) {
        step.run();
      }
      bytes = thread.getCurrentThreadAllocatedBytes() - before;
      if (Boolean.getBoolean("llama.verbose")) {
        System.err.printf("%s, round %d: %d bytes%n", name, round, bytes / STEPS);
      }
    }
    System.out.println(name + " " + bytes + " " + STEPS);
  }
}
