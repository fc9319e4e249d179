package io.cusco.llama.cli.openai;

import java.util.concurrent.CompletableFuture;

/// One API request that was understood. Immutable; safe for use by several threads.
public sealed interface ApiRequest permits Completion, EmbeddingRequest {
  /// Hands it to the engines.
  ///
  /// @return completes exceptionally with an `IllegalArgumentException` if the request turns out to
  ///   be one that cannot be served, with an `IllegalStateException` if an engine is closed, and
  ///   otherwise if a model fails
  /// @throws IllegalArgumentException if the request cannot be served
  /// @throws IllegalStateException if an engine is closed
  CompletableFuture<ApiAnswer> start(Engines engines);
}
