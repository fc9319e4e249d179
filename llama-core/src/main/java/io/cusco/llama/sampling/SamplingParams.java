package io.cusco.llama.sampling;

import java.util.Map;
import java.util.TreeMap;

/// How the next token is drawn from the logits. Steps apply in this order, each only where its
/// parameter asks for it: logit bias, repetition penalty, presence and frequency penalty,
/// temperature, top-k, top-p, min-p, then one draw.
///
/// @param temperature 0, or less than 1e-5, takes the most likely token; otherwise logits are
///   divided by it
/// @param topK keep the `topK` most likely tokens, and all that tie with the last of them; 0 keeps
///   all
/// @param topP keep the smallest set of most likely tokens whose probability reaches `topP`, and
///   all that tie with the last of them; 1 keeps all
/// @param minP drop tokens less likely than `minP` times the most likely one; 0 keeps all
/// @param repetitionPenalty above 1 makes tokens of the prompt and the output less likely (CTRL's
///   rule: positive logits are divided, negative ones multiplied); 1 does nothing
/// @param presencePenalty subtracted once from the logit of each token of the output
/// @param frequencyPenalty subtracted once per occurrence in the output
/// @param logitBias added to the logits of single tokens; minus infinity bans one
/// @param seed with the token's position it decides every draw, on every backend, in every batch
/// @param logprobs how many alternatives to report with each token's log-probability; -1 reports
///   nothing
public record SamplingParams(
    double temperature,
    int topK,
    double topP,
    double minP,
    double repetitionPenalty,
    double presencePenalty,
    double frequencyPenalty,
    Map<Integer, Float> logitBias,
    long seed,
    int logprobs) {

  /// The most alternatives one may ask for.
  public static final int MAX_LOGPROBS = 100;

  /// Below it only exact ties would be drawn from, and logits divided by it may overflow. vLLM's
  /// `_SAMPLING_EPS`.
  private static final double LEAST_TEMPERATURE = 1e-5;

  /// Always the most likely token.
  public static final SamplingParams GREEDY = builder().temperature(0).build();

  public SamplingParams {
    require(temperature >= 0 && temperature <= 100, "temperature must be 0 .. 100", temperature);
    require(topK >= 0, "top_k must be 0 (off) or more", topK);
    require(topP > 0 && topP <= 1, "top_p must be above 0 and at most 1", topP);
    require(minP >= 0 && minP <= 1, "min_p must be 0 .. 1", minP);
    require(
        repetitionPenalty > 0 && repetitionPenalty <= 100,
        "repetition_penalty must be above 0 and at most 100",
        repetitionPenalty);
    require(
        presencePenalty >= -100 && presencePenalty <= 100,
        "presence_penalty must be -100 .. 100",
        presencePenalty);
    require(
        frequencyPenalty >= -100 && frequencyPenalty <= 100,
        "frequency_penalty must be -100 .. 100",
        frequencyPenalty);
    require(
        logprobs >= -1 && logprobs <= MAX_LOGPROBS,
        "logprobs must be -1 (off) .. " + MAX_LOGPROBS,
        logprobs);
    logitBias.forEach((id, bias) -> {
      require(id >= 0, "logit_bias: the token id must be 0 or more", id);
      require(
          bias < Float.POSITIVE_INFINITY,
          "logit_bias of token %d must be a finite number, or -inf to ban it".formatted(id),
          bias);
    });
    logitBias = java.util.Collections.unmodifiableMap(new TreeMap<>(logitBias));
  }

  /// Whether the most likely token is taken.
  public boolean isGreedy() {
    return temperature < LEAST_TEMPERATURE;
  }

  public boolean wantsLogprobs() {
    return logprobs >= 0;
  }

  /// Whether any step looks at the tokens that came before.
  public boolean usesHistory() {
    return repetitionPenalty != 1 || presencePenalty != 0 || frequencyPenalty != 0;
  }

  /// The same with another seed.
  public SamplingParams withSeed(long value) {
    return new SamplingParams(
        temperature,
        topK,
        topP,
        minP,
        repetitionPenalty,
        presencePenalty,
        frequencyPenalty,
        logitBias,
        value,
        logprobs);
  }

  public static Builder builder() {
    return new Builder();
  }

  /// Defaults: temperature 1, nothing else; seed 0.
  public static final class Builder {
    private double temperature = 1;
    private int topK;
    private double topP = 1;
    private double minP;
    private double repetitionPenalty = 1;
    private double presencePenalty;
    private double frequencyPenalty;
    private Map<Integer, Float> logitBias = Map.of();
    private long seed;
    private int logprobs = -1;

    private Builder() {}

    public Builder temperature(double value) {
      temperature = value;
      return this;
    }

    public Builder topK(int value) {
      topK = value;
      return this;
    }

    public Builder topP(double value) {
      topP = value;
      return this;
    }

    public Builder minP(double value) {
      minP = value;
      return this;
    }

    public Builder repetitionPenalty(double value) {
      repetitionPenalty = value;
      return this;
    }

    public Builder presencePenalty(double value) {
      presencePenalty = value;
      return this;
    }

    public Builder frequencyPenalty(double value) {
      frequencyPenalty = value;
      return this;
    }

    public Builder logitBias(Map<Integer, Float> value) {
      logitBias = value;
      return this;
    }

    public Builder seed(long value) {
      seed = value;
      return this;
    }

    public Builder logprobs(int value) {
      logprobs = value;
      return this;
    }

    public SamplingParams build() {
      return new SamplingParams(
          temperature,
          topK,
          topP,
          minP,
          repetitionPenalty,
          presencePenalty,
          frequencyPenalty,
          logitBias,
          seed,
          logprobs);
    }
  }

  private static void require(boolean holds, String rule, Number value) {
    if (!holds) {
      throw new IllegalArgumentException(rule + ", got " + value);
    }
  }
}
