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
import io.cusco.llama.model.LlamaModel;
import io.cusco.llama.model.StageProbe;
import io.cusco.llama.model.StepBatch;
import io.cusco.llama.sampling.Sampler;
import io.cusco.llama.sampling.SamplingParams;
import io.cusco.llama.testkit.RandomModel;
import io.cusco.llama.testkit.TestSteps;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Random;
import org.junit.jupiter.api.Test;

/// What the CUDA model adds to the forward pass that the conformance tests look at: recorded steps,
/// padding, and draws on the device.
@EmulatedGpu
class EmulatedCudaLlamaModelTest {
  private static final long SEED = 20261121;
  private static final int SEQUENCES = 3;

  /// Head width 64: the kernels for decoding, not the plain one.
  private static LlamaConfig config() {
    return new LlamaConfig(
        64, 96, 2, 4, 2, 64, 131, 256, 1e-5f, 1e4, new RopeScaling.None(), false);
  }

  private static ModelOptions options(Optional<StageProbe> probe) {
    return new ModelOptions(
        ComputeMode.AUTO, 128, 64, 8, 8, 16, OptionalInt.of(40), probe, LoadProgress.NONE);
  }

  private interface Work {
    void run(LlamaModel model);
  }

  private static void withModel(Optional<StageProbe> probe, Work work) {
    try (Backend backend = new CudaBackend(BackendOptions.DEFAULT, CudaProbe.run().devices());
        RandomModel random = new RandomModel(config(), RotaryLayout.ROTATE_HALF, SEED);
        LlamaModel model = backend.load(random.config(), random.weights(), options(probe))) {
      work.run(model);
    }
  }

  /// Prompts of different length, then eight steps that decode all sequences.
  private static float[][][] decode(LlamaModel model) {
    Random random = new Random(SEED);
    int[][] blocks = new int[SEQUENCES][8];
    StepBatch prompts = TestSteps.of(16, 8);
    int[] lengths = {1, 9, 30};
    for (int i = 0; i < SEQUENCES; i++) {
      for (int j = 0; j < 8; j++) {
        blocks[i][j] = 3 * j + i;
      }
      prompts.add(random.ints(lengths[i], 0, 131).toArray(), 0, blocks[i], 1);
    }
    model.forward(prompts);
    float[][][] logits = new float[8][SEQUENCES][131];
    for (int step = 0; step < 8; step++) {
      StepBatch next = TestSteps.of(16, 8);
      for (int i = 0; i < SEQUENCES; i++) {
        next.add(new int[] {random.nextInt(131)}, lengths[i] + step, blocks[i], 1);
      }
      model.forward(next);
      for (int i = 0; i < SEQUENCES; i++) {
        model.copyLogits(i, logits[step][i]);
      }
    }
    return logits;
  }

  @Test
  void recordedStepsGiveTheBitsOfStepsThatAreNot() {
    float[][][] eager = new float[8][][];
    withModel(
        Optional.of((stage, layer, values, rows, width) -> {}),
        model -> System.arraycopy(decode(model), 0, eager, 0, 8));
    withModel(Optional.empty(), model -> assertThat(decode(model)).isDeepEqualTo(eager));
  }

  @Test
  void theDeviceDrawsWhatCoreDraws() {
    Random random = new Random(SEED);
    withModel(
        Optional.empty(),
        model -> {
          decode(model);
          RandomDraws draws = new RandomDraws();
          for (int i = 0; i < 2 * SEQUENCES; i++) {
            SamplingParams params =
                i < SEQUENCES
                    ? SamplingParams.GREEDY
                    : SamplingParams.builder().temperature(0.9f).topK(40).topP(0.95f).build();
            draws.add(i % SEQUENCES, params, random.nextDouble());
          }
          int[] ids = new int[draws.size()];
          model.sample(draws, ids);
          float[] logits = new float[131];
          for (int i = 0; i < draws.size(); i++) {
            model.copyLogits(draws.logitsRow(i), logits);
            assertThat(ids[i])
                .as("draw %d", i)
                .isEqualTo(
                    new Sampler(131)
                        .sample(logits, draws.params(i), draws.history(i), draws.uniform(i)));
          }
        });
  }
}
