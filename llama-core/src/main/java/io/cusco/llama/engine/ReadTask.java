package io.cusco.llama.engine;

import java.util.concurrent.CompletableFuture;

/// A text that the network reads and does not continue: for the logits of its tokens, for scores,
/// for an embedding.
///
/// @param tokens the text
/// @param rows which of its tokens `reader` gets
/// @param wantsLogits whether the rows go through the head
/// @param reader takes the rows, on the engine thread
/// @param leaveQueue told once that the text waits no more
/// @param done completes with the reader's result when all rows are read, exceptionally if model or
///   reader fail; completed by the caller when it gives up
record ReadTask<T>(
    CachedTokens tokens,
    Rows rows,
    boolean wantsLogits,
    RowReader<T> reader,
    Runnable leaveQueue,
    CompletableFuture<T> done) {

  /// Which tokens of a text give rows.
  enum Rows {
    /// Every token. All are computed, whatever the prefix cache has.
    ALL,
    /// The last token.
    LAST
  }

  /// Rows that the next `count` tokens give.
  int rowsOf(int count) {
    return switch (rows) {
      case ALL -> count;
      case LAST -> count == tokens.numRemaining() ? 1 : 0;
    };
  }

  /// How many of its tokens a step takes that has room for so many tokens and rows.
  int fit(int tokensLeft, int rowsLeft) {
    int count = Math.min(tokens.numRemaining(), tokensLeft);
    return switch (rows) {
      case ALL -> Math.min(count, rowsLeft);
      // Without a row left, its last token has to wait.
      case LAST -> count == tokens.numRemaining() && rowsLeft <= 0 ? count - 1 : count;
    };
  }
}
