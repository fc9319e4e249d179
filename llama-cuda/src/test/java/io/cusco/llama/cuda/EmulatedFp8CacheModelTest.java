package io.cusco.llama.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import io.cusco.llama.backend.Backend;
import io.cusco.llama.backend.BackendOptions;
import io.cusco.llama.backend.ComputeMode;
import io.cusco.llama.backend.KvType;
import io.cusco.llama.backend.LoadProgress;
import io.cusco.llama.backend.ModelOptions;
import io.cusco.llama.checkpoint.LlamaWeights.RotaryLayout;
import io.cusco.llama.config.LlamaConfig;
import io.cusco.llama.cuda.driver.CudaContext;
import io.cusco.llama.cuda.driver.CudaProbe;
import io.cusco.llama.cuda.standin.EmulatedGpu;
import io.cusco.llama.model.KvCacheSpec;
import io.cusco.llama.model.LlamaModel;
import io.cusco.llama.model.StageProbe;
import io.cusco.llama.testkit.RandomModel;
import io.cusco.llama.testkit.ReferenceLlama;
import io.cusco.llama.testkit.TestSteps;
import io.cusco.llama.testkit.Tolerance;
import io.cusco.llama.testkit.Tolerance.Difference;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

/// The CUDA model with an FP8 cache: what every build checks of it. All that other caches have to
/// satisfy is in [EmulatedFp8ModelConformanceTest].
@EmulatedGpu(compute = 89)
class EmulatedFp8CacheModelTest {
  private static final long SEED = 20261121;

  private static final StageProbe NOBODY = (stage, layer, values, rows, width) -> {};

  private interface Work {
    void run(LlamaModel model, RandomModel weights);
  }

  private static void withModel(LlamaConfig config, ModelOptions options, Work work) {
    try (Backend backend = new CudaBackend(BackendOptions.DEFAULT, CudaProbe.run().devices());
        RandomModel random = new RandomModel(config, RotaryLayout.ROTATE_HALF, SEED);
        LlamaModel model = backend.load(config, random.weights(), options.withKvType(KvType.FP8))) {
      work.run(model, random);
    }
  }

  private static ModelOptions options(ComputeMode compute, StageProbe probe) {
    return new ModelOptions(
        compute, 128, 64, 8, 64, 16, OptionalInt.of(40), Optional.of(probe), LoadProgress.NONE);
  }

  /// Float32 but for the cache: as close to the network with rounded keys and values as without
  /// rounding to the network.
  @Test
  void everyStageIsThatOfANetworkWhoseKeysAndValuesAreRounded() {
    LlamaConfig config = RandomModel.oddConfig();
    int[] ids = new Random(SEED).ints(37, 0, config.vocabSize()).toArray();
    Map<String, float[]> actual = new HashMap<>();
    Map<String, float[]> expected = new HashMap<>();
    ModelOptions exact =
        options(
            ComputeMode.F32,
            (stage, layer, values, rows, width) -> actual.put(stage + " " + layer, values));
    withModel(
        config,
        exact,
        (model, weights) -> {
          new ReferenceLlama(
                  config,
                  weights.weights(),
                  (stage, layer, values, rows, width) -> expected.put(stage + " " + layer, values),
                  KvType.FP8)
              .forward(ids);
          logits(model, ids, ids.length);
        });
    assertThat(actual.keySet()).isEqualTo(expected.keySet());
    expected.forEach((stage, values) -> {
      double largest = 0;
      double error = 0;
      for (int i = 0; i < values.length; i++) {
        largest = Math.max(largest, Math.abs(values[i]));
        error = Math.max(error, Math.abs(actual.get(stage)[i] - values[i]));
      }
      assertThat(error / largest).as(stage).isLessThan(2e-5);
    });
  }

  /// Prompts and single tokens through the tiled kernels, against the network without any rounding.
  @Test
  void theFastPathIsWithinWhatTheRoundingCosts() {
    LlamaConfig config = EmulatedCudaLlamaModelTest.config();
    int[] ids = new Random(SEED).ints(60, 0, config.vocabSize()).toArray();
    withModel(
        config,
        options(ComputeMode.AUTO, NOBODY),
        (model, weights) -> {
          double[][] reference = new ReferenceLlama(config, weights.weights()).forward(ids);
          for (int tokensPerStep : new int[] {60, 1}) {
            float[][] logits = logits(model, ids, tokensPerStep);
            Difference difference = new Difference();
            for (int i = 0; i < ids.length; i++) {
              difference.add(logits[i], floats(reference[i]), deviation(reference));
            }
            assertThat(difference.within(Tolerance.FP8_KV))
                .as("%d tokens a step: %s", tokensPerStep, difference)
                .isTrue();
          }
        });
  }

  @Test
  void recordedStepsGiveTheBitsOfStepsThatAreNot() {
    LlamaConfig config = EmulatedCudaLlamaModelTest.config();
    float[][][] eager = new float[8][][];
    withModel(
        config,
        EmulatedCudaLlamaModelTest.options(Optional.of(NOBODY)),
        (model, _) -> System.arraycopy(EmulatedCudaLlamaModelTest.decode(model), 0, eager, 0, 8));
    withModel(
        config,
        EmulatedCudaLlamaModelTest.options(Optional.empty()),
        (model, _) -> assertThat(EmulatedCudaLlamaModelTest.decode(model)).isDeepEqualTo(eager));
  }

  @Test
  void theSameMemoryHoldsAlmostTwiceTheTokens(CudaContext context) {
    LlamaConfig config = EmulatedCudaLlamaModelTest.config();
    ModelOptions options = ModelOptions.of(ComputeMode.AUTO, 256, 1_000_000);
    KvFormat plain = KvFormat.plain(ActivationType.BF16);
    KvFormat fp8 = new KvFormat(ActivationType.BF16, true);
    KvCacheSpec wide = CudaKvCache.spec(context, config, options, plain, 0);
    KvCacheSpec narrow = CudaKvCache.spec(context, config, options, fp8, 0);
    // Rows of 64 elements: 128 bytes, and 64 with a scale of two.
    assertThat((double) narrow.capacityTokens() / wide.capacityTokens())
        .isBetween(128 / 66.0 - 0.01, 128 / 66.0 + 0.01);
    KvCacheSpec small = new KvCacheSpec(16, 3);
    try (CudaKvCache cache = new CudaKvCache(context, config, small, fp8)) {
      assertThat(cache.numBytes()).isEqualTo(3 * CudaKvCache.blockBytes(config, 16, fp8));
    }
  }

  /// Logits after each token, from steps of `tokensPerStep`.
  private static float[][] logits(LlamaModel model, int[] ids, int tokensPerStep) {
    int[] blocks = IntStream.range(0, 8).map(i -> 20 - 2 * i).toArray();
    float[][] logits = new float[ids.length][model.config().vocabSize()];
    for (int first = 0; first < ids.length; first += tokensPerStep) {
      int count = Math.min(tokensPerStep, ids.length - first);
      int[] part = Arrays.copyOfRange(ids, first, first + count);
      model.forward(TestSteps.of(16, 8).add(part, first, blocks, count));
      for (int row = 0; row < count; row++) {
        model.copyLogits(row, logits[first + row]);
      }
    }
    return logits;
  }

  private static float[] floats(double[] values) {
    float[] floats = new float[values.length];
    for (int i = 0; i < values.length; i++) {
      floats[i] = (float) values[i];
    }
    return floats;
  }

  private static double deviation(double[][] rows) {
    double sum = 0;
    double squares = 0;
    long count = 0;
    for (double[] row : rows) {
      for (double value : row) {
        sum += value;
        squares += value * value;
        count++;
      }
    }
    return Math.sqrt(squares / count - sum * sum / count / count);
  }
}
