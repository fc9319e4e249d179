package io.cusco.llama.sampling;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.util.Arrays;
import java.util.Comparator;
import java.util.Map;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class SamplerTest {
  private static final float INF = Float.POSITIVE_INFINITY;
  private static final TokenHistory NO_HISTORY = new TokenHistory();

  @Test
  void greedyTakesTheLowestIdOfTies() {
    assertThat(sample(SamplingParams.GREEDY, 1, 3, 3, 2)).isEqualTo(1);
    assertThat(sample(SamplingParams.GREEDY, -INF, -5, -INF)).isEqualTo(1);
  }

  /// Divided by the least of these, any logit is infinite.
  @ParameterizedTest
  @ValueSource(doubles = {Double.MIN_VALUE, 1e-300, 9e-6, 1.1e-5})
  void aTemperatureNextToNothingTakesTheMostLikelyToken(double temperature) {
    SamplingParams params = SamplingParams.builder().temperature(temperature).build();
    assertThat(sample(params, 1, 3, 30, 2)).isEqualTo(2);
    assertThat(sample(params, -30, -3, -31)).isEqualTo(1);
  }

  @ParameterizedTest
  @ValueSource(doubles = {0, 1})
  void brokenLogitsGiveNoToken(double temperature) {
    SamplingParams params = SamplingParams.builder().temperature(temperature).build();
    SamplingParams penalised =
        SamplingParams.builder().temperature(temperature).presencePenalty(1).build();
    for (SamplingParams each : new SamplingParams[] {params, penalised}) {
      assertThat(sample(each, 1, Float.NaN, 2)).isEqualTo(SamplingStep.NO_TOKEN);
      assertThat(sample(each, 1, 2, INF)).isEqualTo(SamplingStep.NO_TOKEN);
      assertThat(sample(each, -INF, -INF, -INF)).isEqualTo(SamplingStep.NO_TOKEN);
    }
  }

  @ParameterizedTest
  @ValueSource(doubles = {0, 1})
  void aBiasOfMinusInfinityBansATokenAndBanningAllGivesNoToken(double temperature) {
    SamplingParams banned =
        SamplingParams.builder().temperature(temperature).logitBias(Map.of(1, -INF)).build();
    assertThat(sample(banned, -20, 20, -INF)).isZero();
    SamplingParams all =
        SamplingParams.builder()
            .temperature(temperature)
            .logitBias(Map.of(0, -INF, 1, -INF, 2, -INF))
            .build();
    assertThat(sample(all, 1, 2, 3)).isEqualTo(SamplingStep.NO_TOKEN);
  }

  @Test
  void biasComesBeforePenaltiesAndPenaltiesBeforeTemperature() {
    TokenHistory history = new TokenHistory();
    history.addPrompt(0);
    history.addOutput(1);
    history.addOutput(1);
    SamplingParams params =
        SamplingParams.builder()
            .logitBias(Map.of(0, 2f))
            .repetitionPenalty(2)
            .presencePenalty(0.25)
            .frequencyPenalty(0.5)
            .temperature(0.5)
            .build();
    // By hand: (1 + 2) / 2 / 0.5 = 3; (-1 * 2 - 0.25 - 2 * 0.5) / 0.5 = -6.5; 0 / 0.5 = 0.
    double total = Math.exp(3) + Math.exp(-6.5) + Math.exp(0);

    Sampler.Distribution actual =
        new Sampler(3).distribution(new float[] {1, -1, 0}, params, history);

    assertThat(actual.ids()).containsExactly(0, 1, 2);
    assertThat(actual.probs())
        .containsExactly(
            new double[] {Math.exp(3) / total, Math.exp(-6.5) / total, 1 / total}, within(1e-15));
  }

  @Test
  void theDrawWalksTheKeptTokensInOrderOfId() {
    // Probabilities 1/2, 1/4, 1/4 of ids 1, 3, 4.
    float log2 = (float) Math.log(2);
    float[] logits = {-INF, log2, -INF, 0, 0};
    SamplingParams params = SamplingParams.builder().build();
    Sampler sampler = new Sampler(5);
    assertThat(sampler.sample(logits, params, NO_HISTORY, 0)).isEqualTo(1);
    assertThat(sampler.sample(logits, params, NO_HISTORY, 0.49)).isEqualTo(1);
    assertThat(sampler.sample(logits, params, NO_HISTORY, 0.51)).isEqualTo(3);
    assertThat(sampler.sample(logits, params, NO_HISTORY, 0.74)).isEqualTo(3);
    assertThat(sampler.sample(logits, params, NO_HISTORY, 0.76)).isEqualTo(4);
    assertThat(sampler.sample(logits, params, NO_HISTORY, Math.nextDown(1.0))).isEqualTo(4);
  }

  @Test
  void frequenciesFollowTheDistribution() {
    long seed = 20_240_701;
    Random random = new Random(seed);
    float[] logits = randomLogits(random, 13, 2);
    SamplingParams params = SamplingParams.builder().temperature(0.8).topP(0.95).build();
    Sampler sampler = new Sampler(13);
    Sampler.Distribution expected = sampler.distribution(logits, params, NO_HISTORY);
    int draws = 200_000;
    int[] counts = new int[13];
    for (int i = 0; i < draws; i++) {
      counts[sampler.sample(logits, params, NO_HISTORY, Uniforms.at(seed, i))]++;
    }
    int seen = 0;
    for (int i = 0; i < expected.ids().length; i++) {
      double p = expected.probs()[i];
      // Five standard deviations of a binomial.
      double tolerance = 5 * Math.sqrt(p * (1 - p) / draws);
      assertThat((double) counts[expected.ids()[i]] / draws)
          .as("seed %d", seed)
          .isCloseTo(p, within(tolerance));
      seen += counts[expected.ids()[i]];
    }
    assertThat(seen).isEqualTo(draws);
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 13, 207, 5003, 128_256})
  void agreesWithSortingTheVocabulary(int vocabSize) {
    long seed = 31L * vocabSize + 7;
    Random random = new Random(seed);
    Sampler sampler = new Sampler(vocabSize);
    for (int round = 0; round < (vocabSize > 10_000 ? 6 : 150); round++) {
      float[] logits = randomLogits(random, vocabSize, 1 + random.nextInt(12));
      if (random.nextInt(3) == 0) {
        // Many ties, some across every cut.
        for (int i = 0; i < vocabSize; i++) {
          logits[i] = Math.round(logits[i]);
        }
      }
      if (random.nextInt(3) == 0) {
        for (int i = 0; i + 1 < vocabSize; i += 1 + random.nextInt(5)) {
          logits[i] = -INF;
        }
      }
      SamplingParams params = randomParams(random, vocabSize);
      TokenHistory history = randomHistory(random, vocabSize);

      Sampler.Distribution actual = sampler.distribution(logits, params, history);
      double[] expected = NaiveSampler.probabilities(logits, params, history);

      int[] kept = IntStream.range(0, vocabSize).filter(i -> expected[i] >= 0).toArray();
      assertThat(actual.ids()).as("seed %d, round %d, %s", seed, round, params).isEqualTo(kept);
      for (int i = 0; i < kept.length; i++) {
        assertThat(Math.abs(actual.probs()[i] - expected[kept[i]])).isLessThan(1e-12);
      }
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 13, 207, 5003})
  void logprobsAgreeWithSorting(int vocabSize) {
    long seed = vocabSize;
    Random random = new Random(seed);
    Sampler sampler = new Sampler(vocabSize);
    for (int round = 0; round < 50; round++) {
      float[] logits = randomLogits(random, vocabSize, 3);
      for (int i = 0; i < vocabSize; i += 3) {
        logits[i] = Math.round(logits[i]);
      }
      int count = random.nextInt(SamplingParams.MAX_LOGPROBS + 1);
      int tokenId = random.nextInt(vocabSize);
      double sum = 0;
      for (float logit : logits) {
        sum += Math.exp(logit);
      }
      int[] sorted =
          IntStream.range(0, vocabSize)
              .boxed()
              .sorted(Comparator.comparingDouble((Integer id) -> -logits[id]))
              .mapToInt(Integer::intValue)
              .limit(count)
              .toArray();

      TokenLogprobs actual = sampler.logprobs(logits, tokenId, count);

      assertThat(actual.tokenId()).isEqualTo(tokenId);
      assertThat((double) actual.logprob())
          .isCloseTo(logits[tokenId] - Math.log(sum), within(1e-5));
      assertThat(actual.topIds()).as("seed %d, round %d", seed, round).isEqualTo(sorted);
      for (int i = 0; i < sorted.length; i++) {
        assertThat((double) actual.topLogprobs()[i])
            .isCloseTo(logits[sorted[i]] - Math.log(sum), within(1e-5));
      }
    }
  }

  @Test
  void logprobsLeaveOutImpossibleTokensAndSurviveHugeLogits() {
    TokenLogprobs actual = new Sampler(4).logprobs(new float[] {-INF, 3e38f, -INF, -3e38f}, 1, 4);
    assertThat(actual.logprob()).isZero();
    assertThat(actual.topIds()).containsExactly(1, 3);
  }

  @Test
  void idsOutsideTheVocabularyAreNamed() {
    SamplingParams params = SamplingParams.builder().logitBias(Map.of(5, 1f)).build();
    assertThatThrownBy(() -> sample(params, 1, 2, 3))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("5")
        .hasMessageContaining("vocabulary of 3");
  }

  private static int sample(SamplingParams params, float... logits) {
    return new Sampler(logits.length).sample(logits, params, NO_HISTORY, 0.5);
  }

  private static float[] randomLogits(Random random, int size, double spread) {
    float[] logits = new float[size];
    for (int i = 0; i < size; i++) {
      logits[i] = (float) (random.nextGaussian() * spread);
    }
    return logits;
  }

  private static SamplingParams randomParams(Random random, int vocabSize) {
    double[] temperatures = {0.01, 0.3, 0.7, 1, 1.5, 10};
    SamplingParams.Builder builder =
        SamplingParams.builder().temperature(temperatures[random.nextInt(temperatures.length)]);
    if (random.nextBoolean()) {
      builder.topK(1 + random.nextInt(random.nextBoolean() ? 50 : vocabSize + 5));
    }
    if (random.nextBoolean()) {
      builder.topP(1 - random.nextDouble() * (random.nextBoolean() ? 0.999 : 0.1));
    }
    if (random.nextInt(3) == 0) {
      builder.minP(random.nextDouble() * 0.3);
    }
    if (random.nextInt(3) == 0) {
      builder.repetitionPenalty(0.5 + random.nextDouble());
      builder.presencePenalty(random.nextGaussian());
      builder.frequencyPenalty(random.nextGaussian());
    }
    if (random.nextInt(3) == 0) {
      builder.logitBias(Map.of(random.nextInt(vocabSize), (float) random.nextGaussian()));
    }
    return builder.build();
  }

  private static TokenHistory randomHistory(Random random, int vocabSize) {
    TokenHistory history = new TokenHistory();
    for (int i = random.nextInt(60); i > 0; i--) {
      int id = random.nextInt(vocabSize);
      if (random.nextBoolean()) {
        history.addPrompt(id);
      } else {
        history.addOutput(id);
      }
    }
    return history;
  }

  /// The slow obvious twin: sorts everything.
  private static final class NaiveSampler {
    /// Per id the probability, or -1 where the token is dropped.
    static double[] probabilities(float[] logits, SamplingParams params, TokenHistory history) {
      double[] scores = new double[logits.length];
      for (int i = 0; i < scores.length; i++) {
        scores[i] = logits[i] + (double) params.logitBias().getOrDefault(i, 0f);
      }
      for (int i = 0; i < history.size() && params.usesHistory(); i++) {
        int id = history.id(i);
        scores[id] *= scores[id] < 0 ? params.repetitionPenalty() : 1 / params.repetitionPenalty();
        if (history.outputCount(i) > 0) {
          scores[id] -=
              params.presencePenalty() + params.frequencyPenalty() * history.outputCount(i);
        }
      }
      for (int i = 0; i < scores.length; i++) {
        scores[i] /= params.temperature();
      }
      if (params.topK() > 0 && params.topK() < scores.length) {
        dropBelow(scores, descending(scores)[params.topK() - 1]);
      }
      if (params.topP() < 1) {
        double[] sorted = descending(scores);
        double[] probs = softmax(sorted);
        double sum = 0;
        int last = 0;
        while ((sum += probs[last]) < params.topP() && last + 1 < probs.length) {
          last++;
        }
        dropBelow(scores, sorted[last]);
      }
      if (params.minP() > 0) {
        double best = descending(scores)[0];
        for (int i = 0; i < scores.length; i++) {
          if (Math.exp(scores[i] - best) < params.minP()) {
            scores[i] = Double.NEGATIVE_INFINITY;
          }
        }
      }
      double[] probs = softmax(scores);
      for (int i = 0; i < scores.length; i++) {
        if (scores[i] == Double.NEGATIVE_INFINITY) {
          probs[i] = -1;
        }
      }
      return probs;
    }

    private static double[] descending(double[] scores) {
      return Arrays.stream(scores).map(s -> -s).sorted().map(s -> -s).toArray();
    }

    private static void dropBelow(double[] scores, double threshold) {
      for (int i = 0; i < scores.length; i++) {
        if (scores[i] < threshold) {
          scores[i] = Double.NEGATIVE_INFINITY;
        }
      }
    }

    private static double[] softmax(double[] scores) {
      double best = Arrays.stream(scores).max().orElseThrow();
      double[] weights = Arrays.stream(scores).map(s -> Math.exp(s - best)).toArray();
      double total = Arrays.stream(weights).sum();
      return Arrays.stream(weights).map(w -> w / total).toArray();
    }
  }
}
