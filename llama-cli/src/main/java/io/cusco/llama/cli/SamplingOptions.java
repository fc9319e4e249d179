package io.cusco.llama.cli;

import io.cusco.llama.sampling.SamplingParams;
import io.cusco.llama.sampling.StopConditions;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import picocli.CommandLine.Option;

/// How tokens are drawn and when to stop.
final class SamplingOptions {
  @Option(
      names = {"-n", "--max-tokens"},
      paramLabel = "N",
      defaultValue = "256",
      description = "Tokens to generate at most (default: ${DEFAULT-VALUE}).")
  private int maxTokens;

  @Option(
      names = "--temperature",
      paramLabel = "T",
      defaultValue = "0.8",
      description = "0 takes the most likely token (default: ${DEFAULT-VALUE}).")
  private float temperature;

  @Option(
      names = "--top-k",
      paramLabel = "K",
      defaultValue = "0",
      description = "Keep the K most likely tokens; 0 keeps all (default).")
  private int topK;

  @Option(
      names = "--top-p",
      paramLabel = "P",
      defaultValue = "0.95",
      description = "Keep the likeliest tokens that together reach P (default: ${DEFAULT-VALUE}).")
  private float topP;

  @Option(
      names = "--min-p",
      paramLabel = "P",
      defaultValue = "0",
      description =
          "Drop tokens less likely than P times the likeliest (default: ${DEFAULT-VALUE}).")
  private float minP;

  @Option(
      names = "--repetition-penalty",
      paramLabel = "X",
      defaultValue = "1",
      description = "Above 1: tokens of prompt and output become less likely (default: 1).")
  private float repetitionPenalty;

  @Option(
      names = "--presence-penalty",
      paramLabel = "X",
      defaultValue = "0",
      description = "Subtracted from the logit of each token of the output (default: 0).")
  private float presencePenalty;

  @Option(
      names = "--frequency-penalty",
      paramLabel = "X",
      defaultValue = "0",
      description = "Subtracted per occurrence in the output (default: 0).")
  private float frequencyPenalty;

  @Option(
      names = "--seed",
      paramLabel = "N",
      description = "Same seed, same text (default: a random one; --verbose and --json tell it).")
  private Long seed;

  @Option(
      names = "--stop",
      paramLabel = "TEXT",
      description = "Stop before TEXT; may be given several times.")
  private List<String> stop = new ArrayList<>();

  @Option(
      names = "--logit-bias",
      paramLabel = "ID:V",
      description = "Add V to the logit of token ID; may be given several times.")
  private List<String> logitBias = new ArrayList<>();

  @Option(names = "--ignore-eos", description = "Go on after the model's own end tokens.")
  private boolean ignoreEos;

  @Option(
      names = "--logprobs",
      paramLabel = "N",
      description = "Report each token's log-probability and N alternatives; needs --json.")
  private Integer logprobs;

  boolean wantsLogprobs() {
    return logprobs != null;
  }

  /// Draws the seed if none was given, so call it once.
  SamplingParams params() {
    Usage.require(
        logprobs == null || logprobs >= 0, "--logprobs must be 0 or more, got " + logprobs);
    return Usage.check(() ->
        SamplingParams.builder()
            .temperature(temperature)
            .topK(topK)
            .topP(topP)
            .minP(minP)
            .repetitionPenalty(repetitionPenalty)
            .presencePenalty(presencePenalty)
            .frequencyPenalty(frequencyPenalty)
            .logitBias(logitBias())
            .seed(seed == null ? new SplittableRandom().nextInt(Integer.MAX_VALUE) : seed)
            .logprobs(logprobs == null ? -1 : logprobs)
            .build());
  }

  StopConditions stopConditions() {
    return Usage.check(() -> new StopConditions(maxTokens, List.of(), stop, ignoreEos));
  }

  private Map<Integer, Float> logitBias() {
    Map<Integer, Float> biases = new LinkedHashMap<>();
    for (String entry : logitBias) {
      int colon = entry.indexOf(':');
      try {
        biases.put(
            Integer.valueOf(entry.substring(0, Math.max(colon, 0)).strip()),
            Float.valueOf(entry.substring(colon + 1).strip()));
      } catch (NumberFormatException e) {
        throw new IllegalArgumentException(
            "--logit-bias must be ID:VALUE such as 13:-5, got '%s'".formatted(entry), e);
      }
    }
    return biases;
  }
}
