package io.cusco.llama.testkit;

import static org.assertj.core.api.Assertions.assertThat;

import io.cusco.llama.backend.Backend;
import io.cusco.llama.backend.ComputeMode;
import io.cusco.llama.backend.KvType;
import io.cusco.llama.backend.LoadProgress;
import io.cusco.llama.backend.ModelOptions;
import io.cusco.llama.checkpoint.Checkpoint;
import io.cusco.llama.config.LlamaConfig;
import io.cusco.llama.model.KvCacheSpec;
import io.cusco.llama.model.LlamaModel;
import io.cusco.llama.model.StageProbe;
import io.cusco.llama.model.StepBatch;
import io.cusco.llama.testkit.GoldenModels.Golden;
import io.cusco.llama.testkit.GoldenModels.Prompt;
import io.cusco.llama.testkit.Tolerance.Difference;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.TestInstance;

/// Golden logits and greedy tokens of the reference data, which a backend has to meet; and how such
/// tests open a backend, load a model and lay out a step.
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
public abstract class GoldenConformance {
  private static final int MAX_CONTEXT = 384;
  private Backend backend;

  protected abstract Backend openBackend();

  /// The row of the tolerance table that the backend's fast path promises.
  protected abstract Tolerance fastPathTolerance();

  /// The row that the backend promises of FP8 weights; empty where it has none.
  protected Optional<Tolerance> fp8Tolerance() {
    return Optional.empty();
  }

  /// What the models keep keys and values as.
  protected KvType kvType() {
    return KvType.AUTO;
  }

  /// The row that `--compute f32` promises with [#kvType()].
  protected Tolerance exactPathTolerance() {
    return Tolerance.F32;
  }

  /// How many of the golden greedy tokens of a prompt are followed; a slow device takes fewer.
  protected int greedySteps() {
    return Integer.MAX_VALUE;
  }

  /// How many of a golden model's prompts are compared; a slow device takes fewer.
  protected int goldenPrompts() {
    return Integer.MAX_VALUE;
  }

  /// How many tokens of a golden prompt come in one step: 1 where single tokens take a way of their
  /// own.
  protected int goldenTokensPerStep() {
    return Integer.MAX_VALUE;
  }

  /// Whether a golden model is compared; a slow device takes one of each kind.
  protected boolean includes(Golden golden, ComputeMode compute) {
    return true;
  }

  @BeforeAll
  void open() {
    backend = openBackend();
  }

  @AfterAll
  void close() {
    if (backend != null) { // where the device is missing, it was never opened
      backend.close();
    }
  }

  @Tag("slow")
  @TestFactory
  Stream<DynamicTest> f32MeetsTheGoldenLogitsOfEveryModel() {
    return goldens(ComputeMode.F32, exactPathTolerance());
  }

  @Tag("slow")
  @TestFactory
  Stream<DynamicTest> fastPathMeetsTheGoldenLogitsOfEveryModel() {
    return goldens(ComputeMode.AUTO, fastPathTolerance());
  }

  @Tag("slow")
  @TestFactory
  Stream<DynamicTest> fp8MeetsTheGoldenLogitsOfEveryModel() {
    return fp8Tolerance().stream().flatMap(tolerance -> goldens(ComputeMode.FP8, tolerance));
  }

  /// FP8 products have rows and columns in multiples of 16; a model without any is refused.
  private static boolean hasFp8Matrices(Golden golden) {
    try (Checkpoint checkpoint = Checkpoint.open(golden.checkpoint())) {
      LlamaConfig config = checkpoint.config();
      return config.hiddenSize() % 16 == 0
          && (config.queryWidth() % 16 == 0 || config.intermediateSize() % 16 == 0);
    }
  }

  private Stream<DynamicTest> goldens(ComputeMode compute, Tolerance tolerance) {
    List<Golden> goldens = GoldenModels.all();
    if (goldens.isEmpty()) {
      return Stream.of(DynamicTest.dynamicTest("reference data", () -> TestData.require("models")));
    }
    return goldens.stream()
        .filter(golden -> includes(golden, compute))
        .filter(golden -> compute != ComputeMode.FP8 || hasFp8Matrices(golden))
        .map(golden ->
            DynamicTest.dynamicTest(
                golden.toString(), () -> checkGolden(golden, compute, tolerance)));
  }

  private void checkGolden(Golden golden, ComputeMode compute, Tolerance tolerance) {
    try (Checkpoint checkpoint = Checkpoint.open(golden.checkpoint())) {
      assertThat(checkpoint.config().vocabSize()).isEqualTo(golden.vocabSize());
      Difference difference = new Difference();
      try (LlamaModel model = load(checkpoint, compute, 512)) {
        for (Prompt prompt : golden.prompts().stream().limit(goldenPrompts()).toList()) {
          float[][] logits = goldenLogits(model, prompt.ids());
          for (int i = 0; i < prompt.positions().length; i++) {
            difference.add(logits[prompt.positions()[i]], prompt.logits()[i], golden.logitsStd());
          }
          checkGreedy(model, golden, prompt, tolerance);
        }
      }
      assertThat(difference.within(tolerance))
          .as("%s: %s, allowed %s", golden, difference, tolerance)
          .isTrue();
    }
  }

  private float[][] goldenLogits(LlamaModel model, int[] ids) {
    int[] blocks = blocks(model, 0);
    float[][] logits = new float[ids.length][];
    int tokens = Math.min(goldenTokensPerStep(), ids.length);
    for (int start = 0; start < ids.length; start += tokens) {
      int count = Math.min(tokens, ids.length - start);
      int[] part = Arrays.copyOfRange(ids, start, start + count);
      model.forward(step(model).add(part, start, blocks, count));
      for (int row = 0; row < count; row++) {
        logits[start + row] = new float[model.config().vocabSize()];
        model.copyLogits(row, logits[start + row]);
      }
    }
    return logits;
  }

  /// Follows the golden tokens to the first difference, which only a margin below twice the largest
  /// allowed error excuses.
  private void checkGreedy(LlamaModel model, Golden golden, Prompt prompt, Tolerance tolerance) {
    int[] blocks = blocks(model, 0);
    int[] ids = prompt.ids();
    float[] logits = logits(model, ids, blocks, 1)[0];
    int steps = Math.min(greedySteps(), prompt.greedyIds().length);
    for (int step = 0; step < steps; step++) {
      int best = argmax(logits);
      if (best != prompt.greedyIds()[step]) {
        assertThat(prompt.greedyMargin()[step])
            .as("%s, prompt %s: token %d of the greedy text", golden, prompt.name(), step)
            .isLessThan(2 * tolerance.largest() * golden.logitsStd());
        return;
      }
      int position = ids.length + step;
      model.forward(step(model).add(new int[] {best}, position, blocks, 1));
      model.copyLogits(0, logits);
    }
  }

  /// The backend that the tests share.
  protected Backend backend() {
    return backend;
  }

  protected LlamaModel load(Checkpoint checkpoint, ComputeMode compute, int maxTokens) {
    return backend.load(
        checkpoint.config(),
        checkpoint.weights(),
        options(checkpoint.config(), compute, maxTokens, Optional.empty()));
  }

  protected ModelOptions options(
      LlamaConfig config, ComputeMode compute, int maxTokens, Optional<StageProbe> probe) {
    int context = Math.min(MAX_CONTEXT, config.maxPositionEmbeddings());
    return new ModelOptions(
            compute,
            context,
            maxTokens,
            16,
            maxTokens,
            16,
            OptionalInt.of(200),
            probe,
            LoadProgress.NONE)
        .withKvType(kvType());
  }

  protected static StepBatch step(LlamaModel model) {
    return TestSteps.of(
        model.kvCache().blockSize(), model.kvCache().blocksFor(model.limits().maxContextLength()));
  }

  /// Logits of the last `numLogits` tokens of one prompt in one step.
  protected static float[][] logits(LlamaModel model, int[] ids, int[] blocks, int numLogits) {
    model.forward(step(model).add(ids, 0, blocks, numLogits));
    float[][] logits = new float[numLogits][model.config().vocabSize()];
    for (int row = 0; row < numLogits; row++) {
      model.copyLogits(row, logits[row]);
    }
    return logits;
  }

  /// Enough blocks for a whole context, in falling order.
  protected static int[] blocks(LlamaModel model, int first) {
    KvCacheSpec cache = model.kvCache();
    int needed = cache.blocksFor(model.limits().maxContextLength());
    return IntStream.range(0, needed).map(i -> first + needed - 1 - i).toArray();
  }

  private static int argmax(float[] logits) {
    int best = 0;
    for (int i = 1; i < logits.length; i++) {
      if (logits[i] > logits[best]) {
        best = i;
      }
    }
    return best;
  }
}
