package io.cusco.llama.cuda;

import io.cusco.llama.sampling.SamplingParams;
import io.cusco.llama.sampling.SamplingStep;
import io.cusco.llama.sampling.TokenHistory;
import io.cusco.llama.sampling.TokenLogprobs;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;

/// Draws with parameters of every kind, for tests.
final class RandomDraws implements SamplingStep {
  private record Draw(int row, SamplingParams params, double uniform, TokenHistory history) {}

  private final List<Draw> draws = new ArrayList<>();
  private final Map<Integer, TokenLogprobs> logprobs = new HashMap<>();

  void add(int row, SamplingParams params, double uniform, TokenHistory history) {
    draws.add(new Draw(row, params, uniform, history));
  }

  void add(int row, SamplingParams params, double uniform) {
    add(row, params, uniform, new TokenHistory());
  }

  /// Null where none were reported.
  TokenLogprobs logprobs(int index) {
    return logprobs.get(index);
  }

  @Override
  public int size() {
    return draws.size();
  }

  @Override
  public int logitsRow(int index) {
    return draws.get(index).row();
  }

  @Override
  public SamplingParams params(int index) {
    return draws.get(index).params();
  }

  @Override
  public double uniform(int index) {
    return draws.get(index).uniform();
  }

  @Override
  public TokenHistory history(int index) {
    return draws.get(index).history();
  }

  @Override
  public void acceptLogprobs(int index, TokenLogprobs value) {
    logprobs.put(index, value);
  }

  /// One draw of `row` with parameters of which about a third does nothing each.
  void addRandom(int row, int vocabSize, SplittableRandom random) {
    SamplingParams.Builder params =
        SamplingParams.builder()
            .temperature(pick(random, 0, 1e-6, 0.1, 0.7, 1, 1, 2.5, 100))
            .topK((int) pick(random, 0, 0, 1, 5, 50, vocabSize, 1 + random.nextInt(vocabSize)))
            .topP(pick(random, 1, 1, 0.95, 0.5, 1e-9, 1e-300, 1 - random.nextDouble()))
            .minP(pick(random, 0, 0, 0.05, 1, 1e-4, random.nextDouble()))
            .logprobs((int) pick(random, -1, -1, 0, 5, 20, SamplingParams.MAX_LOGPROBS));
    TokenHistory history = new TokenHistory();
    if (random.nextInt(3) == 0) {
      params
          .repetitionPenalty(pick(random, 1, 1.1, 1.3, 0.8))
          .presencePenalty(pick(random, 0, 0.5, -0.5))
          .frequencyPenalty(pick(random, 0, 0.2, 2));
      int length = random.nextInt(2 * Math.min(vocabSize, 2000));
      for (int i = 0; i < length; i++) {
        int id = random.nextInt(vocabSize);
        if (random.nextBoolean()) {
          history.addPrompt(id);
        } else {
          history.addOutput(id);
        }
      }
    }
    if (random.nextInt(3) == 0) {
      Map<Integer, Float> bias = new HashMap<>();
      int count = random.nextInt(Math.min(vocabSize, 20));
      for (int i = 0; i < count; i++) {
        float value = (float) (5 * random.nextGaussian());
        bias.put(
            random.nextInt(vocabSize), random.nextInt(4) == 0 ? Float.NEGATIVE_INFINITY : value);
      }
      params.logitBias(bias);
    }
    double uniform = pick(random, 0, 0.5, 1 - 0x1p-53, random.nextDouble(), random.nextDouble());
    add(row, params.build(), uniform, history);
  }

  private static double pick(SplittableRandom random, double... values) {
    return values[random.nextInt(values.length)];
  }
}
