package io.cusco.llama.cli.batch;

import java.util.Locale;

/// What a run has done so far.
///
/// @param answered result lines written by this run
/// @param failed those of them that are failures
/// @param skipped lines that an earlier run has answered
/// @param failedBefore those of them that it answered with a failure
/// @param promptTokens of this run's answers
/// @param completionTokens of this run's answers
/// @param cachedPromptTokens prompt tokens that the prefix cache had
/// @param elapsedNanos since the start of the run, without loading the model
public record BatchSummary(
    long answered,
    long failed,
    long skipped,
    long failedBefore,
    long promptTokens,
    long completionTokens,
    long cachedPromptTokens,
    long elapsedNanos) {

  public boolean hasFailures() {
    return failed + failedBefore > 0;
  }

  public double tokensPerSecond() {
    return completionTokens / (elapsedNanos / 1e9);
  }

  /// One line for a person.
  @Override
  public String toString() {
    String before =
        skipped == 0
            ? ""
            : "; %d skipped as answered before, %d of them failed".formatted(skipped, failedBefore);
    return String.format(
        Locale.ROOT,
        "%d requests, %d failed%s; %d prompt tokens (%d from the prefix cache), %d generated,"
            + " %.1f tokens/s; %.1f s",
        answered,
        failed,
        before,
        promptTokens,
        cachedPromptTokens,
        completionTokens,
        tokensPerSecond(),
        elapsedNanos / 1e9);
  }
}
