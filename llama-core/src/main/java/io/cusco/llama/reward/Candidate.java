package io.cusco.llama.reward;

import io.cusco.llama.engine.Generation;
import io.cusco.llama.sampling.TokenLogprobs;
import java.util.Comparator;
import java.util.List;
import java.util.stream.IntStream;

/// One of several answers to a prompt, and how good it is.
///
/// @param sample which of the request's samples it is, from 0
/// @param result the answer
/// @param score the better the higher; not comparable between prompts in general
public record Candidate(int sample, Generation.Result result, double score) {

  /// The candidates best first; equal ones in the order of samples.
  ///
  /// @param results the samples of one request, in order
  /// @param scores theirs
  public static List<Candidate> ranked(List<Generation.Result> results, List<Double> scores) {
    if (results.size() != scores.size()) {
      throw new IllegalArgumentException(
          "%d results, %d scores".formatted(results.size(), scores.size()));
    }
    return IntStream.range(0, results.size())
        .mapToObj(i -> new Candidate(i, results.get(i), scores.get(i)))
        .sorted(Comparator.comparingDouble(Candidate::score).reversed())
        .toList();
  }

  /// How likely a result is per token: the mean log-probability of its tokens, the end token
  /// included. What OpenAI's `best_of` goes by.
  ///
  /// @throws IllegalArgumentException if the request did not ask for log-probabilities
  public static double meanLogprob(Generation.Result result) {
    if (result.logprobs().size() != result.ids().size()) {
      throw new IllegalArgumentException(
          "%d tokens with %d log-probabilities; ask for logprobs in SamplingParams"
              .formatted(result.ids().size(), result.logprobs().size()));
    }
    return result.logprobs().stream()
        .mapToDouble(TokenLogprobs::logprob)
        .average()
        .orElse(Double.NEGATIVE_INFINITY);
  }
}
