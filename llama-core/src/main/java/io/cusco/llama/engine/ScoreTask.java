package io.cusco.llama.engine;

import java.util.concurrent.CompletableFuture;

/// A text whose logits are wanted at every position; see [Engine#score].
///
/// @param tokens the text
/// @param sink receives the rows, on the engine thread
/// @param done completes when all rows are delivered, exceptionally if the model or the sink fails;
///   completed by the caller when it gives up
record ScoreTask(CachedTokens tokens, LogitsSink sink, CompletableFuture<Void> done) {
  ScoreTask(int[] ids, LogitsSink sink) {
    this(new CachedTokens(ids), sink, new CompletableFuture<>());
  }

  /// Whether it has its blocks: all are reserved before its first step.
  boolean hasStarted() {
    return tokens.numBlocks() > 0;
  }
}
