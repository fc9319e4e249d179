package io.cusco.llama.testkit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

import io.cusco.llama.backend.Backend;
import io.cusco.llama.backend.ComputeMode;
import io.cusco.llama.backend.LoadProgress;
import io.cusco.llama.backend.ModelOptions;
import io.cusco.llama.checkpoint.LlamaWeights.RotaryLayout;
import io.cusco.llama.config.OutputHead;
import io.cusco.llama.model.LlamaModel;
import io.cusco.llama.model.StepBatch;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;

/// What every backend makes of networks that end in something else than a vocabulary, and of final
/// hidden states; a backend's tests extend this class.
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
public abstract class HeadConformance {
  private static final long SEED = 20261122;
  private static final int BLOCK_SIZE = 16;
  private static final int CONTEXT = 64;
  private static final int MAX_LOGITS = 37;
  private static final int STRIDE = CONTEXT / BLOCK_SIZE;

  /// One row, a few, and as many as take the matrix products of prompts.
  private static final int[] LENGTHS = {1, 2, 5, 13, MAX_LOGITS};

  private Backend backend;

  protected abstract Backend openBackend();

  @BeforeAll
  void open() {
    System.out.println(getClass().getSimpleName() + " seed " + SEED);
    backend = openBackend();
  }

  @AfterAll
  void close() {
    if (backend != null) { // where the device is missing, it was never opened
      backend.close();
    }
  }

  private interface Work {
    void run(RandomModel random, LlamaModel model);
  }

  private void withModel(OutputHead head, Work work) {
    ModelOptions options =
        new ModelOptions(
            ComputeMode.F32,
            CONTEXT,
            CONTEXT,
            16,
            MAX_LOGITS,
            BLOCK_SIZE,
            OptionalInt.of(16 * STRIDE),
            Optional.empty(),
            LoadProgress.NONE);
    try (RandomModel random =
            new RandomModel(
                RandomModel.oddConfig().withHead(head), RotaryLayout.ROTATE_HALF, SEED);
        LlamaModel model = backend.load(random.config(), random.weights(), options)) {
      assertThat(model.config().head()).isEqualTo(head);
      work.run(random, model);
    }
  }

  private static OutputHead scores(int labels) {
    return new OutputHead.Scores(
        IntStream.range(0, labels).mapToObj(label -> "label " + label).toList());
  }

  @Test
  void scoresOfEveryRowMatchTheReferenceNetwork() {
    for (int labels : new int[] {1, 3, 19}) {
      withModel(
          scores(labels),
          (random, model) -> {
            ReferenceLlama reference = new ReferenceLlama(random.config(), random.weights());
            for (int length : LENGTHS) {
              int[] ids = randomIds(random, length);
              double[][] expected = reference.forward(ids);
              model.forward(TestSteps.of(BLOCK_SIZE, STRIDE).add(ids, 0, blocks(0), length));
              float[] actual = new float[labels];
              for (int row = 0; row < length; row++) {
                model.copyLogits(row, actual);
                assertClose(
                    "%d labels, row %d of %d".formatted(labels, row, length),
                    actual,
                    expected[row]);
              }
            }
          });
    }
  }

  /// As rewards are computed: many texts side by side, one row of each; then one token more of
  /// each.
  @Test
  void scoresOfTheLastTokensOfABatchMatchTheReferenceNetwork() {
    withModel(
        scores(1),
        (random, model) -> {
          ReferenceLlama reference = new ReferenceLlama(random.config(), random.weights());
          int[][] texts = new int[9][];
          StepBatch prompts = TestSteps.of(BLOCK_SIZE, STRIDE);
          StepBatch ends = TestSteps.of(BLOCK_SIZE, STRIDE);
          for (int i = 0; i < texts.length; i++) {
            texts[i] = randomIds(random, i + 2);
            int last = texts[i].length - 1;
            prompts.add(Arrays.copyOf(texts[i], last), 0, blocks(i), 1);
            ends.add(Arrays.copyOfRange(texts[i], last, last + 1), last, blocks(i), 1);
          }
          for (StepBatch step : List.of(prompts, ends)) {
            model.forward(step);
            float[] actual = new float[1];
            for (int i = 0; i < texts.length; i++) {
              int length = texts[i].length - (step.equals(prompts) ? 1 : 0);
              double[] expected = reference.forward(Arrays.copyOf(texts[i], length))[length - 1];
              model.copyLogits(i, actual);
              assertClose("text %d, %d tokens".formatted(i, length), actual, expected);
            }
          }
        });
  }

  @Test
  void hiddenStatesMatchTheReferenceNetworkWhateverTheHead() {
    for (OutputHead head : List.of(OutputHead.VOCABULARY, OutputHead.NONE, scores(2))) {
      withModel(
          head,
          (random, model) -> {
            ReferenceLlama reference = new ReferenceLlama(random.config(), random.weights());
            for (int length : LENGTHS) {
              int[] ids = randomIds(random, length);
              double[][] expected = reference.hiddenStates(ids);
              checkHiddenStates(model, ids, length / 2 + 1, true, expected);
              checkHiddenStates(model, ids, length, false, expected);
            }
            int[] ids = randomIds(random, CONTEXT); // more than a step has rows of logits
            checkHiddenStates(model, ids, CONTEXT, false, reference.hiddenStates(ids));
          });
    }
  }

  private static void checkHiddenStates(
      LlamaModel model, int[] ids, int rows, boolean withLogits, double[][] expected) {
    StepBatch step = TestSteps.of(BLOCK_SIZE, STRIDE).add(ids, 0, blocks(3), rows);
    model.forward(withLogits ? step : step.wantLogits(false));
    int width = model.config().hiddenSize();
    float[] all = new float[rows * width];
    model.copyHiddenStates(0, rows, all);
    float[] last = new float[width];
    model.copyHiddenStates(rows - 1, 1, last);
    assertThat(last).isEqualTo(Arrays.copyOfRange(all, all.length - width, all.length));
    for (int row = 0; row < rows; row++) {
      assertClose(
          "%s, %d tokens, row %d of %d".formatted(model.config().head(), ids.length, row, rows),
          Arrays.copyOfRange(all, row * width, (row + 1) * width),
          expected[ids.length - rows + row]);
    }
  }

  /// A step without logits must leave no trace in those that follow.
  @Test
  void logitsComeBackAfterAStepWithoutThem() {
    withModel(
        OutputHead.VOCABULARY,
        (random, model) -> {
          int[] ids = randomIds(random, 7);
          double[] expected = new ReferenceLlama(random.config(), random.weights()).forward(ids)[6];
          float[] actual = new float[random.config().vocabSize()];
          for (boolean wanted : new boolean[] {true, false, true, false, true}) {
            StepBatch prompt =
                TestSteps.of(BLOCK_SIZE, STRIDE).add(Arrays.copyOf(ids, 6), 0, blocks(1), 0);
            model.forward(prompt);
            StepBatch end =
                TestSteps.of(BLOCK_SIZE, STRIDE).add(new int[] {ids[6]}, 6, blocks(1), 1);
            model.forward(wanted ? end : end.wantLogits(false));
            if (wanted) {
              model.copyLogits(0, actual);
              assertClose("logits", actual, expected);
            }
          }
        });
  }

  @Test
  void whatAModelHasNotIsRefused() {
    withModel(
        OutputHead.NONE,
        (random, model) -> {
          model.forward(TestSteps.of(BLOCK_SIZE, STRIDE).add(new int[] {1}, 0, blocks(0), 1));
          assertThatIllegalStateException()
              .isThrownBy(() -> model.copyLogits(0, new float[1]))
              .withMessageContaining("no output head");
          assertThatIllegalStateException()
              .isThrownBy(() -> model.sample(null, new int[1]))
              .withMessageContaining("no output head");
        });
    withModel(
        scores(1),
        (random, model) ->
            assertThatIllegalStateException()
                .isThrownBy(() -> model.sample(null, new int[1]))
                .withMessageContaining("a score head with 1 label (label 0)"));
  }

  private static int[] blocks(int sequence) {
    return IntStream.range(0, STRIDE).map(i -> sequence * STRIDE + STRIDE - 1 - i).toArray();
  }

  private static int[] randomIds(RandomModel model, int length) {
    return new Random(SEED + length).ints(length, 0, model.config().vocabSize()).toArray();
  }

  /// Relative to the row's own size, at least 1: float32 sums of some hundred terms lose about
  /// 1e-6.
  private static void assertClose(String what, float[] actual, double[] expected) {
    double scale = Math.max(1, Arrays.stream(expected).map(Math::abs).max().orElseThrow());
    for (int i = 0; i < expected.length; i++) {
      assertThat(Math.abs(actual[i] - expected[i]) / scale)
          .as("%s, element %d: %s instead of %s", what, i, actual[i], expected[i])
          .isLessThan(2e-5);
    }
  }
}
