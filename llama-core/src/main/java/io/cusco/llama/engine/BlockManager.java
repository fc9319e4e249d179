package io.cusco.llama.engine;

import io.cusco.llama.model.KvCacheSpec;

/// Hands out the blocks of the paged KV cache. A block belongs to one sequence from
/// [#reserve(CachedTokens, int)] to [#release(CachedTokens)].
///
/// Owned by the engine thread. Source: Kwon et al., "Efficient Memory Management for Large Language
/// Model Serving with PagedAttention", 2023, section 4.
final class BlockManager {
  private final KvCacheSpec cache;

  /// A stack: blocks used last are handed out first, so a light load stays in few pages.
  private final int[] free;

  private int numFree;

  BlockManager(KvCacheSpec cache) {
    this.cache = cache;
    this.numFree = cache.numBlocks();
    this.free = new int[numFree];
    for (int i = 0; i < numFree; i++) {
      free[i] = numFree - 1 - i;
    }
  }

  int numUsed() {
    return cache.numBlocks() - numFree;
  }

  int numBlocks() {
    return cache.numBlocks();
  }

  /// Makes room for the first `numTokens` positions: all the blocks that are missing, or none.
  ///
  /// @return whether there was room
  boolean reserve(CachedTokens tokens, int numTokens) {
    int missing = cache.blocksFor(numTokens) - tokens.numBlocks();
    if (missing > numFree) {
      return false;
    }
    for (int i = 0; i < missing; i++) {
      tokens.addBlock(free[--numFree]);
    }
    return true;
  }

  /// Takes back all blocks of a sequence, the last first.
  void release(CachedTokens tokens) {
    for (int i = tokens.numBlocks() - 1; i >= 0; i--) {
      free[numFree++] = tokens.block(i);
    }
    tokens.clearBlocks();
  }
}
