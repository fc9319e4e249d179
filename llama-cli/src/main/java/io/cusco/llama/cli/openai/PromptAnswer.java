package io.cusco.llama.cli.openai;

import io.cusco.llama.engine.Generation;
import io.cusco.llama.sampling.TokenLogprobs;
import java.util.List;

/// What became of one prompt of a completion.
///
/// @param candidates all samples that were drawn, in order
/// @param choices those that are given out
/// @param promptLogprobs of the prompt's tokens but the first, where asked for; otherwise empty
record PromptAnswer(
    List<Generation.Result> candidates, List<Choice> choices, List<TokenLogprobs> promptLogprobs) {

  PromptAnswer {
    candidates = List.copyOf(candidates);
    choices = List.copyOf(choices);
    promptLogprobs = List.copyOf(promptLogprobs);
  }

  /// All samples, unranked.
  static PromptAnswer of(List<Generation.Result> results) {
    return new PromptAnswer(results, results.stream().map(Choice::of).toList(), List.of());
  }
}
