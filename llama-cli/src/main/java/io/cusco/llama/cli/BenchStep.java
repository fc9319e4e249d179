package io.cusco.llama.cli;

import io.cusco.llama.model.StepInput;
import io.cusco.llama.sampling.SamplingParams;
import io.cusco.llama.sampling.SamplingStep;
import io.cusco.llama.sampling.TokenHistory;
import io.cusco.llama.sampling.TokenLogprobs;

/// Steps in which `batch` sequences advance together, each over blocks of its own: sequence `s` has
/// the blocks `s * stride .. (s + 1) * stride - 1`. Draws are greedy.
final class BenchStep implements StepInput, SamplingStep {
  private final int blockSize;
  private final int vocabSize;
  private final int stride;
  private final int[] blockTables;
  private final int[] tokenIds;
  private final int[] positions;
  private final int[] slotMapping;
  private final int[] queryStarts;
  private final int[] contextLengths;
  private final int[] logitTokens;
  private final TokenHistory history = new TokenHistory();
  private int numSequences;
  private int numTokens;
  private int numLogits;

  BenchStep(int maxTokens, int batch, int blockSize, int blocksPerSequence, int vocabSize) {
    this.blockSize = blockSize;
    this.vocabSize = vocabSize;
    stride = blocksPerSequence;
    blockTables = new int[Math.multiplyExact(batch, stride)];
    tokenIds = new int[maxTokens];
    positions = new int[maxTokens];
    slotMapping = new int[maxTokens];
    queryStarts = new int[batch + 1];
    contextLengths = new int[batch];
    logitTokens = new int[batch];
  }

  /// Lays out `count` tokens from `position` on for each of the sequences from `first` on.
  ///
  /// @param wantsLogits whether the last token of each sequence is followed by a draw
  void fill(int first, int sequences, int position, int count, boolean wantsLogits) {
    numSequences = sequences;
    numTokens = 0;
    numLogits = wantsLogits ? sequences : 0;
    for (int s = 0; s < sequences; s++) {
      int firstBlock = (first + s) * stride;
      for (int b = 0; b < stride; b++) {
        blockTables[s * stride + b] = firstBlock + b;
      }
      for (int i = 0; i < count; i++) {
        int p = position + i;
        // Any token does: an arithmetic walk through the vocabulary that sequences do not share.
        tokenIds[numTokens] = (int) ((7919L * (p + 1) + 104729L * (first + s)) % vocabSize);
        positions[numTokens] = p;
        slotMapping[numTokens] = (firstBlock + p / blockSize) * blockSize + p % blockSize;
        numTokens++;
      }
      queryStarts[s + 1] = numTokens;
      contextLengths[s] = position + count;
      logitTokens[s] = numTokens - 1;
    }
  }

  /// Replaces the one token of each sequence by the one that is being drawn for it.
  void takeDrawn() {
    for (int s = 0; s < numSequences; s++) {
      tokenIds[s] = StepInput.drawn(s);
    }
  }

  @Override
  public int numTokens() {
    return numTokens;
  }

  @Override
  public int numSequences() {
    return numSequences;
  }

  @Override
  public int numLogits() {
    return numLogits;
  }

  @Override
  public boolean isDecodeOnly() {
    return numTokens == numSequences;
  }

  @Override
  public int[] tokenIds() {
    return tokenIds;
  }

  @Override
  public int[] positions() {
    return positions;
  }

  @Override
  public int[] slotMapping() {
    return slotMapping;
  }

  @Override
  public int[] queryStarts() {
    return queryStarts;
  }

  @Override
  public int[] contextLengths() {
    return contextLengths;
  }

  @Override
  public int[] blockTables() {
    return blockTables;
  }

  @Override
  public int blockTableStride() {
    return stride;
  }

  @Override
  public int[] logitTokens() {
    return logitTokens;
  }

  @Override
  public int size() {
    return numLogits;
  }

  @Override
  public int logitsRow(int index) {
    return index;
  }

  @Override
  public SamplingParams params(int index) {
    return SamplingParams.GREEDY;
  }

  @Override
  public double uniform(int index) {
    return 0;
  }

  @Override
  public TokenHistory history(int index) {
    return history;
  }

  @Override
  public void acceptLogprobs(int index, TokenLogprobs logprobs) {
    throw new IllegalStateException("greedy draws without logprobs were asked for");
  }
}
