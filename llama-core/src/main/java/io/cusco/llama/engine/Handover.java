package io.cusco.llama.engine;

import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;

/// How what the engine thread completes gets to callers.
final class Handover {
  private Handover() {}

  /// A future for callers: stages that depend on it never run on the engine thread, and cancelling
  /// it runs `cancel`.
  static <T> CompletableFuture<T> of(CompletableFuture<T> outcome, Runnable cancel) {
    CompletableFuture<T> future =
        outcome.handleAsync((result, failure) -> {
          if (failure != null) {
            throw new CompletionException(failure);
          }
          return result;
        });
    CompletableFuture<T> _ =
        future.whenComplete((result, failure) -> {
          if (future.isCancelled()) {
            cancel.run();
          }
        });
    return future;
  }
}
