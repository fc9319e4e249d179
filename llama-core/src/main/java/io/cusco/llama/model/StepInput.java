package io.cusco.llama.model;

/// One step's work: a ragged batch that covers prefill, chunked prefill and decode alike. Chat is a
/// batch of one.
///
/// Tokens of one sequence are adjacent and in order of position. Arrays may be longer than the
/// counts say and are reused from step to step; a model reads them during
/// [LlamaModel#forward(StepInput)] only.
///
/// ```
/// sequence        0            1    2
/// tokenIds      [ a b c d    | e  | f g ]        numTokens = 7
/// queryStarts   [ 0            4    5     7 ]    numSequences + 1
/// contextLengths[ 4            90   12 ]         keys visible after this step
/// logitTokens   [ 3            4 ]               sequence 2 is in mid-prompt: no logits needed
/// ```
public interface StepInput {
  int numTokens();

  int numSequences();

  /// Number of token rows whose logits are wanted.
  int numLogits();

  /// Whether every sequence brings exactly one token.
  boolean isDecodeOnly();

  /// `[numTokens]`. A model that overlaps steps ([LlamaModel#overlapsSteps()]) also takes
  /// [#drawn(int)] here while tokens are being drawn.
  int[] tokenIds();

  /// Stands for the id that draw `index` of the last [LlamaModel#startSampling] gives, which the
  /// host does not know yet; negative. A row from which nothing could be drawn gives a step that
  /// ends as any other, and logits that mean nothing.
  static int drawn(int index) {
    return -1 - index;
  }

  /// `[numTokens]`, each token's position in its sequence, from 0.
  int[] positions();

  /// `[numTokens]`, where each token's key and value go: `block * blockSize + offset`.
  int[] slotMapping();

  /// `[numSequences + 1]`, first token of each sequence, then `numTokens`.
  int[] queryStarts();

  /// `[numSequences]`, keys visible to the sequence's last token, this step's included.
  int[] contextLengths();

  /// `[numSequences * blockTableStride]`, the blocks of each sequence in order, padded with -1.
  /// Several sequences may have one block; a slot is written by one of them at most.
  int[] blockTables();

  int blockTableStride();

  /// `[numLogits]`, ascending indices into the step's tokens: the rows that go through the final
  /// norm and the head.
  int[] logitTokens();

  /// Whether the rows go through the head; without it there are final hidden states alone, which is
  /// all that an embedding needs.
  default boolean wantsLogits() {
    return true;
  }
}
