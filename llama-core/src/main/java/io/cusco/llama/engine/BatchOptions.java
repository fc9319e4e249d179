package io.cusco.llama.engine;

import java.util.OptionalInt;

/// How [Engine#run] goes through many requests. Start from [#DEFAULT] and change what matters.
///
/// @param window requests that are taken from the input and not yet given out as outcomes, at most;
///   empty for [#WINDOW_FACTOR] times as many as run at once
/// @param order when an outcome is given out
public record BatchOptions(OptionalInt window, Order order) {

  /// The order of the outcomes.
  public enum Order {
    /// As they end. No request waits for a slower one.
    COMPLETION,
    /// As they came in. A slow request holds back the outcomes of those behind it, and with a small
    /// window the requests after them.
    INPUT
  }

  /// Enough requests in the window that finished ones find a successor while their outcomes wait.
  public static final int WINDOW_FACTOR = 4;

  public static final BatchOptions DEFAULT =
      new BatchOptions(OptionalInt.empty(), Order.COMPLETION);

  public BatchOptions {
    if (window.isPresent() && window.getAsInt() < 1) {
      throw new IllegalArgumentException("window must be 1 or more, got " + window.getAsInt());
    }
  }

  public BatchOptions withWindow(int requests) {
    return new BatchOptions(OptionalInt.of(requests), order);
  }

  public BatchOptions withOrder(Order outcomes) {
    return new BatchOptions(window, outcomes);
  }
}
