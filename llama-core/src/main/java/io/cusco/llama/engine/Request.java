package io.cusco.llama.engine;

import io.cusco.llama.sampling.SamplingParams;
import io.cusco.llama.sampling.StopConditions;
import java.util.Arrays;
import java.util.Objects;

/// One prompt to continue. Immutable.
///
/// @param promptIds the prompt as token ids, begin-of-text included where the model wants it
/// @param sampling how to draw
/// @param stop when to end
public record Request(int[] promptIds, SamplingParams sampling, StopConditions stop) {
  public Request {
    promptIds = promptIds.clone();
    Objects.requireNonNull(sampling, "sampling");
    Objects.requireNonNull(stop, "stop");
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
        && stop.equals(that.stop);
  }

  @Override
  public int hashCode() {
    return Arrays.hashCode(promptIds);
  }
}
