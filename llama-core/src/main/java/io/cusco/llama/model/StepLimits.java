package io.cusco.llama.model;

/// The largest step a loaded model accepts.
///
/// @param maxTokens tokens in one step
/// @param maxSequences sequences in one step
/// @param maxLogits rows of logits in one step
/// @param maxContextLength positions one sequence may have
public record StepLimits(int maxTokens, int maxSequences, int maxLogits, int maxContextLength) {
  public StepLimits {
    if (maxTokens <= 0 || maxSequences <= 0 || maxLogits <= 0 || maxContextLength <= 0) {
      throw new IllegalArgumentException(
          "step limits must be positive, got maxTokens %d, maxSequences %d, maxLogits %d, maxContextLength %d"
              .formatted(maxTokens, maxSequences, maxLogits, maxContextLength));
    }
  }

  /// Rows that a step may ask for if it wants hidden states alone, which take little memory: all of
  /// its tokens, and never fewer than with logits.
  public int maxRows() {
    return Math.max(maxTokens, maxLogits);
  }

  /// Refuses a step that is larger than these limits.
  ///
  /// @throws IllegalArgumentException naming the count and its limit
  public void check(StepInput step) {
    check("tokens", step.numTokens(), maxTokens);
    check("sequences", step.numSequences(), maxSequences);
    if (step.wantsLogits()) {
      check("rows of logits", step.numLogits(), maxLogits);
    } else {
      check("rows of hidden states", step.numLogits(), maxRows());
    }
  }

  private static void check(String what, int count, int limit) {
    if (count > limit) {
      throw new IllegalArgumentException(
          "the step has %d %s, the model was loaded for %d".formatted(count, what, limit));
    }
  }
}
