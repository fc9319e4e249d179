package io.cusco.llama.cli.openai;

import io.cusco.llama.cli.json.JsonValue;
import io.cusco.llama.engine.Request;
import io.cusco.llama.sampling.SamplingParams;
import io.cusco.llama.sampling.StopConditions;
import java.util.OptionalInt;

/// How many candidates each prompt of a request gets, how they are drawn, and how many of them are
/// its choices: the fields `n`, `best_of` and those of [SamplingFields].
///
/// @param count samples of each prompt
/// @param numChoices those that are given out
/// @param ranked whether the best are
record Candidates(int count, int numChoices, boolean ranked, SamplingParams sampling) {
  /// @param logprobs see [SamplingParams#logprobs()]
  /// @param hasReward whether a reward model ranks candidates, or else their likelihood
  Candidates(JsonValue body, long seed, int logprobs, boolean hasReward) {
    this(body, seed, logprobs, hasReward, SamplingFields.bestOf(body, hasReward));
  }

  private Candidates(
      JsonValue body, long seed, int logprobs, boolean hasReward, OptionalInt bestOf) {
    this(
        bestOf.orElse(SamplingFields.n(body)),
        SamplingFields.n(body),
        bestOf.isPresent(),
        SamplingFields.params(
            body, seed, bestOf.isPresent() && !hasReward ? Math.max(logprobs, 0) : logprobs));
  }

  PromptJob job(int[] promptIds, StopConditions stop, Transcript transcript) {
    return new PromptJob(
        new Request(promptIds, sampling, stop).withSamples(count),
        numChoices,
        ranked,
        true,
        OptionalInt.empty(),
        transcript);
  }
}
