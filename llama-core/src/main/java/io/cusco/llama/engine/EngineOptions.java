package io.cusco.llama.engine;

import java.util.OptionalInt;

/// How an [Engine] serves its requests. Start from [#DEFAULT] and change what matters.
///
/// @param prefixCache whether blocks of keys and values are kept after use and shared by sequences
///   that begin with the same tokens. Without it every sequence computes its whole prompt, and so
///   does every sample of a request.
/// @param maxRunning sequences that run at the same time, at most; empty for as many as the model's
///   steps hold
/// @param maxQueued requests that may wait for their first step; [#UNLIMITED] for any number
/// @param whenFull what becomes of a request that comes when as many wait
/// @param overlap whether a step is queued before the tokens of the one before it are read, on
///   models that can ([io.cusco.llama.model.LlamaModel#overlapsSteps()]). The tokens are the same.
public record EngineOptions(
    boolean prefixCache,
    OptionalInt maxRunning,
    int maxQueued,
    QueueFull whenFull,
    boolean overlap) {

  /// What [Engine#submit] does when the queue is full.
  public enum QueueFull {
    /// Throws a [QueueFullException]; for callers who can say "try again later".
    REFUSE,
    /// Blocks until there is room; for callers who have all the time.
    WAIT
  }

  /// For `maxQueued`: memory is the only limit.
  public static final int UNLIMITED = Integer.MAX_VALUE;

  /// A prefix cache, overlapping steps, and no limits but the model's.
  public static final EngineOptions DEFAULT =
      new EngineOptions(true, OptionalInt.empty(), UNLIMITED, QueueFull.REFUSE, true);

  public EngineOptions {
    if (maxRunning.isPresent() && maxRunning.getAsInt() < 1) {
      throw new IllegalArgumentException(
          "maxRunning must be 1 or more, got " + maxRunning.getAsInt());
    }
    if (maxQueued < 1) {
      throw new IllegalArgumentException("maxQueued must be 1 or more, got " + maxQueued);
    }
  }

  public EngineOptions withPrefixCache(boolean enabled) {
    return new EngineOptions(enabled, maxRunning, maxQueued, whenFull, overlap);
  }

  public EngineOptions withMaxRunning(int sequences) {
    return new EngineOptions(prefixCache, OptionalInt.of(sequences), maxQueued, whenFull, overlap);
  }

  public EngineOptions withQueue(int maxRequests, QueueFull policy) {
    return new EngineOptions(prefixCache, maxRunning, maxRequests, policy, overlap);
  }

  public EngineOptions withOverlap(boolean enabled) {
    return new EngineOptions(prefixCache, maxRunning, maxQueued, whenFull, enabled);
  }
}
