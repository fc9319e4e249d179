package io.cusco.llama.model;

/// The size of a model's paged KV cache, fixed when the model is loaded.
///
/// @param blockSize token positions per block
/// @param numBlocks blocks in the pool, shared by all sequences
public record KvCacheSpec(int blockSize, int numBlocks) {
  public KvCacheSpec {
    if (blockSize <= 0 || numBlocks <= 0) {
      throw new IllegalArgumentException(
          "KV cache needs positive sizes, got blockSize %d, numBlocks %d"
              .formatted(blockSize, numBlocks));
    }
  }

  /// Blocks that hold `numTokens` positions.
  public int blocksFor(int numTokens) {
    return Math.ceilDiv(numTokens, blockSize);
  }

  /// Token positions the whole pool holds.
  public long capacityTokens() {
    return (long) blockSize * numBlocks;
  }
}
