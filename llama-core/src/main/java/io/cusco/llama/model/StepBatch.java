package io.cusco.llama.model;

import java.util.Arrays;

/// A [StepInput] that is put together sequence by sequence: for whoever drives a [LlamaModel]
/// without an engine. Its arrays are made once, as large as a step of these limits may be, and
/// filled anew after each [#clear()]; nothing is allocated then.
///
/// ```java
/// StepBatch step = new StepBatch(model.limits(), model.kvCache());
/// model.forward(step.add(promptIds, 0, blocks, 1));
/// model.copyLogits(0, logits);
/// model.forward(step.clear().add(new int[] {next}, promptIds.length, blocks, 1));
/// ```
///
/// For one thread.
public final class StepBatch implements StepInput {
  private final StepLimits limits;
  private final KvCacheSpec cache;
  private final int blockTableStride;
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

  /// What a step reads of a sequence.
  public interface Sequence {
    /// The token at `position`, from 0; or [StepInput#drawn(int)].
    int tokenId(int position);

    /// The cache block of the positions from `index * blockSize` on.
    int block(int index);
  }

  /// An empty step of a model with these limits and this cache.
  public StepBatch(StepLimits limits, KvCacheSpec cache) {
    this.limits = limits;
    this.cache = cache;
    this.blockTableStride = Math.min(cache.blocksFor(limits.maxContextLength()), cache.numBlocks());
    this.tokenIds = new int[limits.maxTokens()];
    this.positions = new int[limits.maxTokens()];
    this.slotMapping = new int[limits.maxTokens()];
    this.queryStarts = new int[limits.maxSequences() + 1];
    this.contextLengths = new int[limits.maxSequences()];
    this.blockTables = new int[Math.multiplyExact(limits.maxSequences(), blockTableStride)];
    this.logitTokens = new int[limits.maxRows()];
  }

  /// Makes the step empty, with logits wanted.
  public StepBatch clear() {
    numTokens = 0;
    numSequences = 0;
    numLogits = 0;
    wantsLogits = true;
    return this;
  }

  /// Whether the rows asked for go through the head; they do unless it is said otherwise.
  public StepBatch wantLogits(boolean wanted) {
    wantsLogits = wanted;
    return this;
  }

  /// Tokens that still fit in.
  public int tokensLeft() {
    return limits.maxTokens() - numTokens;
  }

  /// How many tokens the sequence that was added as number `index`, from 0, brings.
  public int numTokens(int index) {
    return queryStarts[index + 1] - queryStarts[index];
  }

  /// Adds `ids` of a sequence that has `start` tokens in the cache and owns `blocks`.
  ///
  /// @param logits of how many of its last tokens a row is wanted
  /// @throws IllegalArgumentException as the other method does
  public StepBatch add(int[] ids, int start, int[] blocks, int logits) {
    return add(
        new Sequence() {
          @Override
          public int tokenId(int position) {
            return ids[position - start];
          }

          @Override
          public int block(int index) {
            if (index >= blocks.length) {
              throw new IllegalArgumentException(
                  "%d tokens take %d blocks of %d, the sequence has %d"
                      .formatted(
                          start + ids.length,
                          cache.blocksFor(start + ids.length),
                          cache.blockSize(),
                          blocks.length));
            }
            return blocks[index];
          }
        },
        start,
        ids.length,
        logits);
  }

  /// Adds the tokens at the positions `start .. start + count - 1` of a sequence.
  ///
  /// @param logits of how many of them, the last ones, a row is wanted
  /// @throws IllegalArgumentException if they do not fit in a step of the limits; the step is as
  ///   before then
  public StepBatch add(Sequence sequence, int start, int count, int logits) {
    check(start, count, logits);
    int tableStart = numSequences * blockTableStride;
    int numBlocks = cache.blocksFor(start + count);
    for (int i = 0; i < numBlocks; i++) {
      blockTables[tableStart + i] = sequence.block(i);
    }
    Arrays.fill(blockTables, tableStart + numBlocks, tableStart + blockTableStride, -1);
    for (int i = 0; i < count; i++) {
      int position = start + i;
      int block = blockTables[tableStart + position / cache.blockSize()];
      tokenIds[numTokens + i] = sequence.tokenId(position);
      positions[numTokens + i] = position;
      slotMapping[numTokens + i] = block * cache.blockSize() + position % cache.blockSize();
    }
    for (int i = count - logits; i < count; i++) {
      logitTokens[numLogits++] = numTokens + i;
    }
    contextLengths[numSequences] = start + count;
    numTokens += count;
    numSequences++;
    queryStarts[numSequences] = numTokens;
    return this;
  }

  private void check(int start, int count, int logits) {
    if (start < 0 || count <= 0 || logits < 0 || logits > count) {
      throw new IllegalArgumentException(
          "%d tokens from position %d with %d rows: there must be a token, and no more rows than tokens"
              .formatted(count, start, logits));
    }
    fits("sequences", numSequences, 1, limits.maxSequences());
    fits("tokens", numTokens, count, limits.maxTokens());
    fits("rows", numLogits, logits, logitTokens.length);
    fits("positions of one sequence", start, count, limits.maxContextLength());
    fits("blocks of one sequence", 0, cache.blocksFor(start + count), blockTableStride);
  }

  private static void fits(String what, int present, int added, int limit) {
    if (added > limit - present) {
      throw new IllegalArgumentException(
          "%d more %s do not fit: the step has %d and takes %d"
              .formatted(added, what, present, limit));
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
