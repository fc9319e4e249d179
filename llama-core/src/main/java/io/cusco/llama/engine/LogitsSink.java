package io.cusco.llama.engine;

/// Receives the logits of a scored text, position by position; see [Engine#score].
@FunctionalInterface
public interface LogitsSink {
  /// Called on the engine thread, in order of position; everything else waits meanwhile.
  ///
  /// @param position position of the token after which these logits come; they predict the next one
  /// @param logits `[vocabSize]`; reused for the next call
  void accept(int position, float[] logits);
}
