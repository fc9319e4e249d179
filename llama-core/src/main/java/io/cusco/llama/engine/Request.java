package io.cusco.llama.engine;

import io.cusco.llama.sampling.SamplingParams;
import io.cusco.llama.sampling.StopConditions;
import java.time.Duration;
import java.util.Arrays;
import java.util.Objects;
import java.util.Optional;

/// One prompt to continue, once or several times. Immutable.
///
/// @param promptIds the prompt as token ids, begin-of-text included where the model wants it
/// @param sampling how to draw
/// @param stop when to end
/// @param samples continuations to draw. Sample 0 is what a request for one gives, sample `i` has
///   the seed [io.cusco.llama.sampling.Uniforms#seedOfSample(long, int)].
/// @param timeout ends it with [FinishReason#TIMEOUT] that long after its submission, queueing
///   included, with what it has by then
public record Request(
    int[] promptIds,
    SamplingParams sampling,
    StopConditions stop,
    int samples,
    Optional<Duration> timeout) {

  /// The most samples one may ask for.
  public static final int MAX_SAMPLES = 1024;

  public Request {
    promptIds = promptIds.clone();
    Objects.requireNonNull(sampling, "sampling");
    Objects.requireNonNull(stop, "stop");
    if (samples < 1 || samples > MAX_SAMPLES) {
      throw new IllegalArgumentException(
          "samples (n) must be 1 .. %d, got %d".formatted(MAX_SAMPLES, samples));
    }
    timeout.ifPresent(limit -> {
      if (!limit.isPositive()) {
        throw new IllegalArgumentException("timeout must be positive, got " + limit);
      }
    });
  }

  /// One sample, no time limit.
  public Request(int[] promptIds, SamplingParams sampling, StopConditions stop) {
    this(promptIds, sampling, stop, 1, Optional.empty());
  }

  public Request withSamples(int count) {
    return new Request(promptIds, sampling, stop, count, timeout);
  }

  public Request withTimeout(Duration limit) {
    return new Request(promptIds, sampling, stop, samples, Optional.of(limit));
  }

  @Override
  public int[] promptIds() {
    return promptIds.clone();
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof Request that
        && Arrays.equals(promptIds, that.promptIds)
        && sampling.equals(that.sampling)
        && stop.equals(that.stop)
        && samples == that.samples
        && timeout.equals(that.timeout);
  }

  @Override
  public int hashCode() {
    return Arrays.hashCode(promptIds);
  }
}
