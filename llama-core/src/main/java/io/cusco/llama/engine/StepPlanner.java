package io.cusco.llama.engine;

import io.cusco.llama.model.KvCacheSpec;
import io.cusco.llama.model.StepInput;
import io.cusco.llama.model.StepLimits;
import java.util.Arrays;

/// Lays out one step: which tokens, at which positions, in which slots of the cache, and which rows
/// of logits. Its arrays are made once, as large as the model's limits, and filled anew each step.
///
/// Owned by the engine thread.
final class StepPlanner implements StepInput {
  private final int blockSize;
  private final StepLimits limits;
  private final int blockTableStride;

  private final CachedTokens[] sequences;
  private final int[] tokenIds;
  private final int[] positions;
  private final int[] slotMapping;
  private final int[] queryStarts;
  private final int[] contextLengths;
  private final int[] blockTables;
  private final int[] logitTokens;
  private int numTokens;
  private int numSequences;
  private int numLogits;
  private boolean wantsLogits = true;

  StepPlanner(StepLimits limits, KvCacheSpec cache) {
    this.blockSize = cache.blockSize();
    this.limits = limits;
    this.blockTableStride = Math.min(cache.blocksFor(limits.maxContextLength()), cache.numBlocks());
    this.sequences = new CachedTokens[limits.maxSequences()];
    this.tokenIds = new int[limits.maxTokens()];
    this.positions = new int[limits.maxTokens()];
    this.slotMapping = new int[limits.maxTokens()];
    this.queryStarts = new int[limits.maxSequences() + 1];
    this.contextLengths = new int[limits.maxSequences()];
    this.blockTables = new int[Math.multiplyExact(limits.maxSequences(), blockTableStride)];
    this.logitTokens = new int[limits.maxRows()];
  }

  /// Starts an empty step.
  void begin() {
    Arrays.fill(sequences, 0, numSequences, null);
    numTokens = 0;
    numSequences = 0;
    numLogits = 0;
    wantsLogits = true;
  }

  /// Whether the rows asked for go through the head; they do unless it is said otherwise.
  void wantLogits(boolean wanted) {
    wantsLogits = wanted;
  }

  /// Tokens that still fit in.
  int tokensLeft() {
    return limits.maxTokens() - numTokens;
  }

  /// Adds the next `count` tokens of a sequence, for which blocks are reserved, and asks for the
  /// logits of the last `logits` of them.
  void add(CachedTokens sequence, int count, int logits) {
    int start = numTokens;
    int firstPosition = sequence.numComputed();
    sequence.copyIds(firstPosition, count, tokenIds, start);
    for (int i = 0; i < count; i++) {
      int position = firstPosition + i;
      positions[start + i] = position;
      slotMapping[start + i] =
          sequence.block(position / blockSize) * blockSize + position % blockSize;
    }
    for (int i = count - logits; i < count; i++) {
      logitTokens[numLogits++] = start + i;
    }
    int tableStart = numSequences * blockTableStride;
    sequence.copyBlocks(blockTables, tableStart);
    Arrays.fill(blockTables, tableStart + sequence.numBlocks(), tableStart + blockTableStride, -1);
    sequences[numSequences] = sequence;
    queryStarts[numSequences] = start;
    contextLengths[numSequences] = firstPosition + count;
    numSequences++;
    numTokens += count;
    queryStarts[numSequences] = numTokens;
  }

  /// Notes in every sequence of the step that its tokens are computed.
  void advance() {
    for (int i = 0; i < numSequences; i++) {
      sequences[i].advance(queryStarts[i + 1] - queryStarts[i]);
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
    return blockTableStride;
  }

  @Override
  public int[] logitTokens() {
    return logitTokens;
  }

  @Override
  public boolean wantsLogits() {
    return wantsLogits;
  }
}
