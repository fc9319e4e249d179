package io.cusco.llama.sampling;

import java.util.List;

/// When a generation ends.
///
/// @param maxTokens tokens to generate at most
/// @param stopTokenIds tokens that end it; they are not part of the text
/// @param stopStrings texts that end it; the text is cut before them. Found across token borders.
/// @param ignoreEos go on after the model's own end tokens
public record StopConditions(
    int maxTokens, List<Integer> stopTokenIds, List<String> stopStrings, boolean ignoreEos) {
  public StopConditions {
    if (maxTokens < 1) {
      throw new IllegalArgumentException("max_tokens must be 1 or more, got " + maxTokens);
    }
    stopTokenIds = List.copyOf(stopTokenIds);
    stopStrings = List.copyOf(stopStrings);
    if (stopStrings.contains("")) {
      throw new IllegalArgumentException("a stop string must not be empty");
    }
  }

  /// Ends at the model's own end tokens or after `maxTokens`.
  public static StopConditions maxTokens(int maxTokens) {
    return new StopConditions(maxTokens, List.of(), List.of(), false);
  }
}
