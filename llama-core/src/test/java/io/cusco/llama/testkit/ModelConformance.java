package io.cusco.llama.testkit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import io.cusco.llama.backend.ComputeMode;
import io.cusco.llama.backend.ModelOptions;
import io.cusco.llama.checkpoint.Checkpoint;
import io.cusco.llama.checkpoint.LlamaWeights.RotaryLayout;
import io.cusco.llama.checkpoint.SyntheticCheckpoint;
import io.cusco.llama.config.LlamaConfig;
import io.cusco.llama.model.LlamaModel;
import io.cusco.llama.model.Stage;
import io.cusco.llama.model.StageProbe;
import io.cusco.llama.model.StepBatch;
import io.cusco.llama.model.StepInput;
import io.cusco.llama.sampling.SamplingParams;
import io.cusco.llama.sampling.SamplingStep;
import io.cusco.llama.sampling.TokenHistory;
import io.cusco.llama.sampling.TokenLogprobs;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;

/// What every backend has to satisfy; a backend's tests extend this class.
///
/// Sizes are odd on purpose, blocks of the KV cache are handed out in shuffled order, and prompts
/// are cut into chunks, so that a wrong offset cannot go unseen.
public abstract class ModelConformance extends GoldenConformance {
  private static final long SEED = 20261121;

  /// How far an exact stage may be from the reference network's, relative to the stage's own size:
  /// float32 sums of a few hundred terms lose about 1e-6.
  protected double exactness() {
    return 2e-5;
  }

  @Test
  void everyStageMatchesTheReferenceNetwork() {
    for (RotaryLayout layout : RotaryLayout.values()) {
      try (RandomModel random = new RandomModel(RandomModel.oddConfig(), layout, SEED)) {
        Map<String, float[]> expected = new HashMap<>();
        int[] ids = randomIds(random.config(), 37, new Random(SEED));
        new ReferenceLlama(random.config(), random.weights(), keep(expected), kvType())
            .forward(ids);
        Map<String, float[]> actual = new HashMap<>();
        List<String> order = new ArrayList<>();
        StageProbe probe =
            (stage, layer, values, rows, width) -> {
              order.add(stage + " " + layer);
              actual.put(stage + " " + layer, values);
            };
        ModelOptions options = options(random.config(), ComputeMode.F32, 64, Optional.of(probe));
        try (LlamaModel model = backend().load(random.config(), random.weights(), options)) {
          logits(model, ids, blocks(model, 0), ids.length);
        }
        assertThat(actual.keySet()).isEqualTo(expected.keySet());
        for (String stage : order) {
          assertClose(layout + " " + stage, actual.get(stage), expected.get(stage));
        }
      }
    }
  }

  private static StageProbe keep(Map<String, float[]> stages) {
    return (Stage stage, int layer, float[] values, int rows, int width) ->
        stages.put(stage + " " + layer, values);
  }

  private void assertClose(String what, float[] actual, float[] expected) {
    assertThat(actual).as(what).hasSameSizeAs(expected);
    double scale = 0;
    for (float value : expected) {
      scale = Math.max(scale, Math.abs(value));
    }
    for (int i = 0; i < expected.length; i++) {
      assertThat(Math.abs(actual[i] - expected[i]) / scale)
          .as("%s, element %d: %s instead of %s", what, i, actual[i], expected[i])
          .isLessThan(exactness());
    }
  }

  @Test
  void chunksAndBatchesGiveTheLogitsOfOneLongStep() {
    Random random = new Random(SEED);
    ModelOptions options = options(RandomModel.oddConfig(), ComputeMode.F32, 512, Optional.empty());
    try (RandomModel weights =
            new RandomModel(RandomModel.oddConfig(), RotaryLayout.INTERLEAVED, SEED);
        LlamaModel model = backend().load(weights.config(), weights.weights(), options)) {
      int[] lengths = {1, 2, 5, 13, 33, 70, 129};
      int[][] prompts = new int[lengths.length][];
      float[][] expected = new float[lengths.length][];
      int[][] blocks = new int[lengths.length][];
      List<Integer> pool = shuffledBlocks(model, random);
      for (int i = 0; i < lengths.length; i++) {
        prompts[i] = randomIds(model.config(), lengths[i], random);
        expected[i] = logits(model, prompts[i], blocks(model, 0), 1)[0];
        int needed = model.kvCache().blocksFor(lengths[i]);
        blocks[i] = pool.subList(0, needed).stream().mapToInt(Integer::intValue).toArray();
        pool = pool.subList(needed, pool.size());
      }
      float[][] actual = runInChunks(model, prompts, blocks, random);
      for (int i = 0; i < prompts.length; i++) {
        assertClose("prompt of " + lengths[i] + " tokens", actual[i], expected[i]);
      }
    }
  }

  /// All prompts side by side, each in chunks of random length.
  private static float[][] runInChunks(
      LlamaModel model, int[][] prompts, int[][] blocks, Random random) {
    int[] done = new int[prompts.length];
    float[][] last = new float[prompts.length][model.config().vocabSize()];
    while (true) {
      StepBatch step = step(model);
      List<Integer> finished = new ArrayList<>();
      for (int i = 0; i < prompts.length; i++) {
        int left = prompts[i].length - done[i];
        if (left == 0) {
          continue;
        }
        int chunk = Math.min(left, 1 + random.nextInt(17));
        boolean ends = chunk == left;
        step.add(
            Arrays.copyOfRange(prompts[i], done[i], done[i] + chunk),
            done[i],
            blocks[i],
            ends ? 1 : 0);
        done[i] += chunk;
        if (ends) {
          finished.add(i);
        }
      }
      if (step.numSequences() == 0) {
        return last;
      }
      model.forward(step);
      for (int row = 0; row < finished.size(); row++) {
        model.copyLogits(row, last[finished.get(row)]);
      }
    }
  }

  @Test
  void aSequenceReadsBlocksThatAnotherFillsInTheSameStep() {
    Random random = new Random(SEED);
    ModelOptions options = options(RandomModel.oddConfig(), ComputeMode.F32, 512, Optional.empty());
    try (RandomModel weights =
            new RandomModel(RandomModel.oddConfig(), RotaryLayout.INTERLEAVED, SEED);
        LlamaModel model = backend().load(weights.config(), weights.weights(), options)) {
      int shared = 2 * model.kvCache().blockSize();
      int[] first = randomIds(model.config(), shared + 3, random);
      int[][] prompts = {first, first.clone(), Arrays.copyOf(first, shared + 9)};
      for (int i = shared + 3; i < shared + 9; i++) {
        prompts[2][i] = random.nextInt(model.config().vocabSize());
      }
      float[][] expected = new float[prompts.length][];
      for (int i = 0; i < prompts.length; i++) {
        expected[i] = logits(model, prompts[i], blocks(model, 0), 1)[0];
      }
      // Also when the one that fills them comes last.
      for (int filler = 0; filler < prompts.length; filler++) {
        List<Integer> pool = shuffledBlocks(model, random);
        int[] common = {pool.get(0), pool.get(1)};
        StepBatch step = step(model);
        for (int i = 0; i < prompts.length; i++) {
          int start = i == filler ? 0 : shared;
          int[] table = {common[0], common[1], pool.get(2 + i)};
          step.add(Arrays.copyOfRange(prompts[i], start, prompts[i].length), start, table, 1);
        }
        model.forward(step);
        float[] actual = new float[model.config().vocabSize()];
        for (int i = 0; i < prompts.length; i++) {
          model.copyLogits(i, actual);
          assertClose("prompt %d, filled by %d".formatted(i, filler), actual, expected[i]);
        }
      }
    }
  }

  @Test
  void tokensThatAreBeingDrawnGiveTheLogitsOfTheirIds() {
    Random random = new Random(SEED);
    ModelOptions options = options(RandomModel.oddConfig(), ComputeMode.F32, 512, Optional.empty());
    try (RandomModel weights =
            new RandomModel(RandomModel.oddConfig(), RotaryLayout.INTERLEAVED, SEED);
        LlamaModel model = backend().load(weights.config(), weights.weights(), options)) {
      Assumptions.assumeTrue(model.overlapsSteps(), "steps of this backend do not overlap");
      // Draw i takes row rows[i]; not in order, and not all of them.
      int[] rows = {2, 0, 3};
      List<Integer> pool = shuffledBlocks(model, random);
      int[] lengths = {3, 20, 1, 7};
      int[][] blocks = new int[lengths.length][];
      StepBatch prompts = step(model);
      for (int i = 0; i < lengths.length; i++) {
        blocks[i] = pool.subList(3 * i, 3 * i + 3).stream().mapToInt(Integer::intValue).toArray();
        prompts.add(randomIds(model.config(), lengths[i], random), 0, blocks[i], 1);
      }
      model.forward(prompts);
      SamplingStep draws = new GreedyDraws(rows);
      int[] ids = new int[rows.length];
      model.startSampling(draws);
      // Often enough that a backend which records steps replays one.
      for (int n = 0; n < 5; n++) {
        StepBatch unknown = step(model);
        StepBatch known = step(model);
        int[] text = randomIds(model.config(), n == 1 ? 6 : 1, random);
        for (int i = 0; i < rows.length; i++) {
          int start = lengths[rows[i]] + n;
          unknown.add(new int[] {StepInput.drawn(i)}, start, blocks[rows[i]], 1);
        }
        // One that is not drawn for.
        unknown.add(text, lengths[1], blocks[1], 1);
        model.forward(unknown);
        model.awaitTokens(draws, ids);
        float[][] actual = new float[unknown.numLogits()][model.config().vocabSize()];
        for (int row = 0; row < actual.length; row++) {
          model.copyLogits(row, actual[row]);
        }
        for (int i = 0; i < rows.length; i++) {
          known.add(new int[] {ids[i]}, lengths[rows[i]] + n, blocks[rows[i]], 1);
        }
        known.add(text, lengths[1], blocks[1], 1);
        model.forward(known);
        float[] expected = new float[model.config().vocabSize()];
        for (int row = 0; row < actual.length; row++) {
          model.copyLogits(row, expected);
          assertThat(actual[row]).as("step %d, row %d", n, row).isEqualTo(expected);
        }
        draws = new GreedyDraws(new int[] {0, 1, 2});
        model.startSampling(draws);
      }
      model.awaitTokens(draws, ids);
    }
  }

  /// The best token of each row.
  private record GreedyDraws(int[] rows) implements SamplingStep {
    @Override
    public int size() {
      return rows.length;
    }

    @Override
    public int logitsRow(int index) {
      return rows[index];
    }

    @Override
    public SamplingParams params(int index) {
      return SamplingParams.GREEDY;
    }

    @Override
    public double uniform(int index) {
      return 0;
    }

    @Override
    public TokenHistory history(int index) {
      return new TokenHistory();
    }

    @Override
    public void acceptLogprobs(int index, TokenLogprobs logprobs) {
      throw new IllegalStateException("log-probabilities were not asked for");
    }
  }

  @Test
  void everyTypeOfWeightMatchesTheReferenceNetwork() {
    for (String type : SyntheticCheckpoint.dtypes()) {
      try (Checkpoint checkpoint = SyntheticCheckpoint.open("tiny", type)) {
        int[] ids = randomIds(checkpoint.config(), 19, new Random(SEED));
        double[][] reference =
            new ReferenceLlama(checkpoint.config(), checkpoint.weights(), kvType()).forward(ids);
        float[] expected = new float[checkpoint.config().vocabSize()];
        try (LlamaModel model = load(checkpoint, ComputeMode.F32, 64)) {
          // 1 token, a few, and many take different kernels
          for (int length : new int[] {1, 3, 19}) {
            for (int i = 0; i < expected.length; i++) {
              expected[i] = (float) reference[length - 1][i];
            }
            int[] prompt = Arrays.copyOf(ids, length);
            float[] actual = logits(model, prompt, blocks(model, 0), 1)[0];
            assertClose(type + ", " + length + " tokens", actual, expected);
          }
        }
      }
    }
  }

  @Test
  void stepsLargerThanTheLimitsAreRefused() {
    try (Checkpoint checkpoint = SyntheticCheckpoint.open("tiny", "f32");
        LlamaModel model = load(checkpoint, ComputeMode.F32, 8)) {
      StepBatch step = step(model).add(new int[9], 0, blocks(model, 0), 1);
      assertThatIllegalArgumentException()
          .isThrownBy(() -> model.forward(step))
          .withMessageContaining("9 tokens");
    }
  }

  private static List<Integer> shuffledBlocks(LlamaModel model, Random random) {
    List<Integer> blocks =
        new ArrayList<>(IntStream.range(0, model.kvCache().numBlocks()).boxed().toList());
    Collections.shuffle(blocks, random);
    return blocks;
  }

  private static int[] randomIds(LlamaConfig config, int length, Random random) {
    return random.ints(length, 0, config.vocabSize()).toArray();
  }
}
