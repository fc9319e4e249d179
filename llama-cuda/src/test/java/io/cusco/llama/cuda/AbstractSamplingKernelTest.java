package io.cusco.llama.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import io.cusco.llama.cuda.driver.DeviceBuffer;
import io.cusco.llama.model.StepInput;
import io.cusco.llama.sampling.Sampler;
import io.cusco.llama.sampling.SamplingParams;
import io.cusco.llama.sampling.SamplingStep;
import io.cusco.llama.sampling.TokenHistory;
import io.cusco.llama.sampling.TokenLogprobs;
import java.util.Arrays;
import java.util.Map;
import java.util.function.IntToDoubleFunction;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/// The sampling kernel against core's [Sampler], draw by draw.
abstract class AbstractSamplingKernelTest extends AbstractKernelTest {
  private static final float INFINITY = Float.POSITIVE_INFINITY;

  /// How far the weights' error of 2^-22 can move the boundary between two tokens, times ten.
  private static final double BOUNDARY = 2.4e-6;

  private static final SamplingParams PLAIN = SamplingParams.builder().build();

  @ParameterizedTest
  @CsvSource({"1, 20", "7, 200", "263, 120", "5000, 30", "32000, 6", "128256, 3"})
  void drawsAreThoseOfTheSampler(int vocabSize, int rows) {
    float[] logits = new float[rows * vocabSize];
    RandomDraws draws = new RandomDraws();
    for (int row = 0; row < rows; row++) {
      fillRow(logits, row, vocabSize);
      draws.addRandom(row, vocabSize, random);
    }
    check(logits, vocabSize, draws);
  }

  /// Few distinct values, so that every cut falls among ties; zeros of both signs.
  @ParameterizedTest
  @ValueSource(ints = {7, 263, 9000})
  void tiesAreKeptTogether(int vocabSize) {
    int rows = vocabSize > 1000 ? 10 : 60;
    float[] logits = new float[rows * vocabSize];
    RandomDraws draws = new RandomDraws();
    for (int row = 0; row < rows; row++) {
      int values = 1 + random.nextInt(5);
      for (int id = 0; id < vocabSize; id++) {
        float value = random.nextInt(values) * 0.5f - 1;
        logits[row * vocabSize + id] = random.nextBoolean() ? value : Math.copySign(0f, value);
      }
      draws.addRandom(row, vocabSize, random);
    }
    check(logits, vocabSize, draws);
  }

  /// Scores that crowd in a few floats, span all of them, or have one far above the rest.
  @ParameterizedTest
  @ValueSource(ints = {263, 9000})
  void cutsAreExactHoweverScoresAreSpread(int vocabSize) {
    IntToDoubleFunction[] spreads = {
      id -> 20 + random.nextInt(4000) * 0x1p-19,
      id -> random.nextGaussian() * 1e-30,
      id -> random.nextGaussian() * Math.pow(10, random.nextInt(60) - 30),
      id -> id == vocabSize / 2 ? 1e6 : random.nextGaussian(),
      id -> random.nextInt(5) == 0 ? -Float.MAX_VALUE : Float.MAX_VALUE * random.nextDouble(),
      id -> -1000 - random.nextInt(3000) * 0x1p-12,
      id -> random.nextInt(3) == 0 ? Double.NEGATIVE_INFINITY : Float.MIN_VALUE * random.nextInt(9),
    };
    int rows = spreads.length * (vocabSize > 1000 ? 4 : 8);
    float[] logits = new float[rows * vocabSize];
    RandomDraws draws = new RandomDraws();
    for (int row = 0; row < rows; row++) {
      for (int id = 0; id < vocabSize; id++) {
        logits[row * vocabSize + id] = (float) spreads[row % spreads.length].applyAsDouble(id);
      }
      SamplingParams params =
          SamplingParams.builder()
              .topK(random.nextBoolean() ? 1 + random.nextInt(vocabSize) : 0)
              .topP(random.nextBoolean() ? 1 - random.nextDouble() : 1)
              .logprobs(random.nextInt(30))
              .build();
      draws.add(row, params, random.nextDouble());
    }
    check(logits, vocabSize, draws);
  }

  @ParameterizedTest
  @ValueSource(ints = {13, 9000})
  void brokenRowsGiveNoToken(int vocabSize) {
    float[] logits = new float[7 * vocabSize];
    for (int i = 0; i < logits.length; i++) {
      logits[i] = i % 97;
    }
    logits[vocabSize / 2] = Float.NaN;
    logits[2 * vocabSize - 1] = INFINITY;
    Arrays.fill(logits, 2 * vocabSize, 3 * vocabSize, -INFINITY);
    Arrays.fill(logits, 3 * vocabSize, 4 * vocabSize, -INFINITY);
    logits[4 * vocabSize - 2] = -Float.MAX_VALUE;
    // A bias that bans the only token, and one that would make a finite score infinite.
    Arrays.fill(logits, 4 * vocabSize, 5 * vocabSize, -INFINITY);
    logits[4 * vocabSize + 3] = 1;
    logits[5 * vocabSize + 4] = Float.MAX_VALUE;
    SamplingParams logprobs = SamplingParams.builder().logprobs(3).build();
    RandomDraws draws = new RandomDraws();
    draws.add(0, logprobs, 0.5);
    draws.add(1, SamplingParams.GREEDY, 0);
    draws.add(2, SamplingParams.builder().topK(3).topP(0.5).minP(0.1).build(), 0.5);
    draws.add(3, logprobs, 0.999);
    draws.add(4, bias(Map.of(3, -INFINITY)), 0.5);
    draws.add(5, bias(Map.of(4, Float.MAX_VALUE)), 0.5);
    draws.add(6, logprobs, 0.25);
    int[] ids = check(logits, vocabSize, draws);
    assertThat(ids).startsWith(-1, -1, -1, vocabSize - 2, -1, 4).doesNotContain(-2);
    assertThat(draws.logprobs(0)).isNull();
  }

  private static SamplingParams bias(Map<Integer, Float> bias) {
    return SamplingParams.builder().logitBias(bias).logprobs(2).build();
  }

  @Test
  void drawsOfOneRowDoNotDisturbEachOther() {
    int vocabSize = 500;
    float[] logits = randomValues(ActivationType.F32, 3 * vocabSize);
    RandomDraws draws = new RandomDraws();
    for (int row : new int[] {0, 1, 1, 2, 0, 0, 2, 1}) {
      draws.addRandom(row, vocabSize, random);
    }
    check(logits, vocabSize, draws, 8);
  }

  @Test
  void aTokenBothBiasedAndSeenIsRestored() {
    TokenHistory history = new TokenHistory();
    history.addOutput(2);
    history.addPrompt(0);
    SamplingParams params =
        SamplingParams.builder()
            .logitBias(Map.of(2, 3f, 1, -1f))
            .repetitionPenalty(1.5)
            .frequencyPenalty(0.5)
            .logprobs(4)
            .build();
    RandomDraws draws = new RandomDraws();
    draws.add(0, params, 0.6, history);
    check(new float[] {0.5f, 1, -2, 0.25f}, 4, draws);
  }

  @Test
  void longListsMakeRoom() {
    int vocabSize = 6000;
    TokenHistory history = new TokenHistory();
    for (int id = 0; id < vocabSize; id++) {
      history.addOutput(id);
    }
    float[] logits = randomValues(ActivationType.F32, 2 * vocabSize);
    SamplingParams params = SamplingParams.builder().frequencyPenalty(1).topK(9).build();
    try (SamplingKernels kernels = kernels(vocabSize, 2)) {
      for (int numDraws : new int[] {1, 2, 0, 2}) {
        RandomDraws draws = new RandomDraws();
        for (int i = 0; i < numDraws; i++) {
          draws.add(i, params, random.nextDouble(), history);
        }
        check(kernels, logits, vocabSize, draws);
      }
    }
  }

  @Test
  void idsStayOnTheDevice() {
    try (SamplingKernels kernels = kernels(3, 2)) {
      RandomDraws draws = new RandomDraws();
      draws.add(1, SamplingParams.GREEDY, 0);
      draws.add(0, SamplingParams.GREEDY, 0);
      long logits = device.upload(ActivationType.F32, new float[] {0, 9, 0, 0, 0, 9}).address();
      kernels.launch(device.stream(), logits, draws);
      DeviceBuffer copy = device.output(2 * Integer.BYTES);
      kernels(ActivationType.F32, KernelDevice.config(1, 1, 1, 1, 2, 3))
          .embedGather(
              device.stream(),
              device.upload(ActivationType.F32, new float[] {10, 11, 12}).address(),
              device.upload(new int[] {StepInput.drawn(0), StepInput.drawn(1)}).address(),
              kernels.ids(),
              copy.address(),
              2);
      int[] ids = new int[2];
      kernels.collect(draws, ids);
      assertThat(ids).containsExactly(2, 1);
      assertThat(device.download(ActivationType.F32, copy)).containsExactly(12, 11);
    }
  }

  @Test
  void stepsThatDoNotFitAreRefused() {
    assertThatThrownBy(() -> kernels(SamplingKernels.MAX_VOCAB_SIZE + 1, 1))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("524289");
    try (SamplingKernels kernels = kernels(4, 2)) {
      long logits = device.upload(ActivationType.F32, new float[8]).address();
      RandomDraws wrongRow = new RandomDraws();
      wrongRow.add(2, PLAIN, 0);
      RandomDraws tooMany = new RandomDraws();
      RandomDraws fine = new RandomDraws();
      fine.add(0, PLAIN, 0);
      RandomDraws wrongBias = new RandomDraws();
      wrongBias.add(0, bias(Map.of(4, 1f)), 0);
      RandomDraws wrongHistory = new RandomDraws();
      TokenHistory history = new TokenHistory();
      history.addPrompt(-1);
      wrongHistory.add(0, SamplingParams.builder().presencePenalty(1).build(), 0, history);
      for (int i = 0; i < 3; i++) {
        tooMany.add(0, PLAIN, 0);
      }
      refused(kernels, logits, wrongRow, "row 2 is outside of the 2 rows");
      refused(kernels, logits, tooMany, "up to 2 draws, got 3");
      refused(kernels, logits, wrongBias, "logit_bias: token id 4 is outside");
      refused(kernels, logits, wrongHistory, "history: token id -1 is outside");
      assertThatThrownBy(() -> kernels.collect(fine, new int[1]))
          .isInstanceOf(IllegalStateException.class);
      kernels.launch(device.stream(), logits, fine);
      assertThatThrownBy(() -> kernels.launch(device.stream(), logits, fine))
          .isInstanceOf(IllegalStateException.class)
          .hasMessageContaining("not collected");
      kernels.collect(fine, new int[1]);
    }
  }

  private void refused(SamplingKernels kernels, long logits, SamplingStep step, String message) {
    assertThatThrownBy(() -> kernels.launch(device.stream(), logits, step))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining(message);
  }

  /// Logits as networks have them: most of them far below a few good ones, some banned.
  private void fillRow(float[] logits, int row, int vocabSize) {
    double spread = 1 + 4 * random.nextDouble();
    for (int id = 0; id < vocabSize; id++) {
      double logit = spread * random.nextGaussian() + (random.nextInt(50) == 0 ? 8 : 0);
      logits[row * vocabSize + id] = random.nextInt(200) == 0 ? -INFINITY : (float) logit;
    }
  }

  private SamplingKernels kernels(int vocabSize, int maxRows) {
    return new SamplingKernels(device.modules(), device.context(), vocabSize, maxRows);
  }

  private int[] check(float[] logits, int vocabSize, RandomDraws draws) {
    return check(logits, vocabSize, draws, logits.length / vocabSize);
  }

  private int[] check(float[] logits, int vocabSize, RandomDraws draws, int maxRows) {
    try (SamplingKernels kernels = kernels(vocabSize, maxRows)) {
      return check(kernels, logits, vocabSize, draws);
    }
  }

  private int[] check(SamplingKernels kernels, float[] logits, int vocabSize, RandomDraws draws) {
    DeviceBuffer rows = device.upload(ActivationType.F32, logits);
    int[] ids = new int[draws.size()];
    kernels.launch(device.stream(), rows.address(), draws);
    kernels.collect(draws, ids);
    assertThat(device.download(ActivationType.F32, rows)).as("logits after").isEqualTo(logits);
    Sampler sampler = new Sampler(vocabSize);
    int numElsewhere = 0;
    for (int i = 0; i < draws.size(); i++) {
      int row = draws.logitsRow(i);
      float[] one = Arrays.copyOfRange(logits, row * vocabSize, (row + 1) * vocabSize);
      SamplingParams params = draws.params(i);
      int expected = sampler.sample(one, params, draws.history(i), draws.uniform(i));
      if (ids[i] != expected) {
        // Of both ends the tests draw more than chance does; tokens below 2^-44 are nothing there.
        numElsewhere += draws.uniform(i) > 1e-9 && draws.uniform(i) < 1 - 1e-9 ? 1 : 0;
        assertThat(distance(sampler, one, draws, i, ids[i]))
            .as("draw %d: %d instead of %d of %d, %s", i, ids[i], expected, vocabSize, params)
            .isLessThan(BOUNDARY);
      }
      if (params.wantsLogprobs() && ids[i] != SamplingStep.NO_TOKEN) {
        checkLogprobs(sampler.logprobs(one, ids[i], params.logprobs()), draws.logprobs(i));
      }
    }
    assertThat(numElsewhere)
        .as("draws within %s of a boundary, of %d", BOUNDARY, draws.size())
        .isLessThanOrEqualTo(1);
    return ids;
  }

  /// How far the random number is from drawing `id`; infinite if it cannot be drawn.
  private static double distance(
      Sampler sampler, float[] logits, RandomDraws draws, int index, int id) {
    if (draws.params(index).isGreedy()) {
      return INFINITY;
    }
    Sampler.Distribution distribution =
        sampler.distribution(logits, draws.params(index), draws.history(index));
    double uniform = draws.uniform(index);
    double before = 0;
    for (int i = 0; i < distribution.ids().length; i++) {
      double after = before + distribution.probs()[i];
      if (distribution.ids()[i] == id) {
        return Math.max(0, Math.max(before - uniform, uniform - after));
      }
      before = after;
    }
    return INFINITY;
  }

  private static void checkLogprobs(TokenLogprobs expected, TokenLogprobs actual) {
    assertThat(actual.tokenId()).isEqualTo(expected.tokenId());
    assertThat(actual.topIds()).isEqualTo(expected.topIds());
    assertThat(actual.logprob()).isCloseTo(expected.logprob(), within(error(expected.logprob())));
    for (int i = 0; i < expected.topLogprobs().length; i++) {
      float value = expected.topLogprobs()[i];
      assertThat(actual.topLogprobs()[i]).isCloseTo(value, within(error(value)));
    }
  }

  /// The sum is right to 2^-22, the difference is rounded once.
  private static float error(float logprob) {
    return (float) (0x1p-21 + Math.ulp(logprob));
  }
}
