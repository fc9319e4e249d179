package io.cusco.llama.engine;

import io.cusco.llama.model.KvCacheSpec;

/// Hands out the blocks of the paged KV cache, and lets sequences that begin with the same tokens
/// share them.
///
/// ```
///             admit, reserve                          release
/// free list ----------------> held (references > 0) ----------> free list
///
/// free list, taken from the left:
/// [ without content, last freed first | in the prefix cache, least recently used first ]
/// ```
///
/// A sequence that holds a block of the prefix cache holds all blocks before it, and frees its last
/// block first. So a block is reused before those that it follows, which is what the prefix cache
/// needs, and the common beginning of many texts stays longest.
///
/// Owned by the engine thread. Sources: Kwon et al., "Efficient Memory Management for Large
/// Language Model Serving with PagedAttention", 2023, section 4; automatic prefix caching of vLLM.
final class BlockManager {
  private final KvCacheSpec cache;
  private final boolean shares;
  private final PrefixCache prefixes;
  private final FreeBlocks free;
  private final int[] references;
  private int numCached;

  /// Found by [#admit], in order.
  private final int[] found;

  /// Full only after the step that is being planned, in the order in which they were offered.
  private final int[] offered;

  private int numOffered;

  /// @param shares whether blocks outlive their sequences and may have several
  BlockManager(KvCacheSpec cache, boolean shares) {
    this(cache, shares, new PrefixCache(cache));
  }

  /// For tests of collisions.
  BlockManager(KvCacheSpec cache, boolean shares, PrefixCache prefixes) {
    this.cache = cache;
    this.shares = shares;
    this.prefixes = prefixes;
    this.free = new FreeBlocks(cache.numBlocks());
    this.references = new int[cache.numBlocks()];
    this.found = new int[cache.numBlocks()];
    this.offered = new int[cache.numBlocks()];
  }

  /// Blocks that somebody holds.
  int numUsed() {
    return cache.numBlocks() - free.size();
  }

  /// Blocks that nobody holds and that may be found again.
  int numCached() {
    return numCached;
  }

  int numBlocks() {
    return cache.numBlocks();
  }

  /// Gives a sequence that has no blocks all that its tokens need, or none: those that hold its
  /// beginning already, which count as computed, and others. Its last token is always left to
  /// compute, because its logits are wanted.
  ///
  /// @return whether there was room
  boolean admit(CachedTokens tokens) {
    int numFound = shares ? find(tokens) : 0;
    int numFreeFound = 0;
    for (int i = 0; i < numFound; i++) {
      numFreeFound += references[found[i]] == 0 ? 1 : 0;
    }
    int missing = cache.blocksFor(tokens.size()) - numFound;
    if (missing > free.size() - numFreeFound) {
      return false;
    }
    for (int i = 0; i < numFound; i++) {
      hold(found[i]);
      tokens.addBlock(found[i]);
    }
    tokens.noteShared(numFound);
    tokens.advance(numFound * cache.blockSize());
    return reserve(tokens, tokens.size());
  }

  /// Makes room for the first `numTokens` positions: all the blocks that are missing, or none.
  ///
  /// @return whether there was room
  boolean reserve(CachedTokens tokens, int numTokens) {
    int missing = cache.blocksFor(numTokens) - tokens.numBlocks();
    if (missing > free.size()) {
      return false;
    }
    for (int i = 0; i < missing; i++) {
      int block = free.removeFirst();
      if (prefixes.contains(block)) {
        prefixes.remove(block);
        numCached--;
      }
      references[block] = 1;
      tokens.addBlock(block);
    }
    return true;
  }

  /// Lets others share the blocks that are full once the step under way has computed the first
  /// `numTokens` tokens, as far as these are known. [#confirm] or [#revoke] has to follow.
  void offer(CachedTokens tokens, int numTokens) {
    int numFull = Math.min(numTokens, tokens.numKnown()) / cache.blockSize();
    for (int i = tokens.numShared(); shares && i < numFull; i++) {
      int parent = parent(tokens, i);
      if (prefixes.find(parent, tokens, i) != PrefixCache.NONE) {
        // Somebody else's block has the same content; confirm() will take that one.
        return;
      }
      prefixes.insert(tokens.block(i), parent, tokens, i);
      tokens.noteShared(i + 1);
      offered[numOffered++] = tokens.block(i);
    }
  }

  /// The step is computed, or queued before all later ones: lets others share what is full now, and
  /// takes over the blocks of others that hold the same.
  void confirm(CachedTokens tokens) {
    numOffered = 0;
    int numFull = Math.min(tokens.numComputed(), tokens.numKnown()) / cache.blockSize();
    for (int i = tokens.numShared(); shares && i < numFull; i++) {
      int parent = parent(tokens, i);
      int known = prefixes.find(parent, tokens, i);
      if (known == PrefixCache.NONE) {
        prefixes.insert(tokens.block(i), parent, tokens, i);
      } else {
        hold(known);
        letGo(tokens.block(i));
        tokens.replaceBlock(i, known);
      }
      tokens.noteShared(i + 1);
    }
  }

  /// The step failed: what was offered was never computed. All of its sequences have to be released
  /// next.
  void revoke() {
    while (numOffered > 0) {
      prefixes.remove(offered[--numOffered]);
    }
  }

  /// Takes back all blocks of a sequence, the last first.
  void release(CachedTokens tokens) {
    for (int i = tokens.numBlocks() - 1; i >= 0; i--) {
      letGo(tokens.block(i));
    }
    tokens.clearBlocks();
  }

  private int find(CachedTokens tokens) {
    int limit = (tokens.size() - 1) / cache.blockSize();
    int parent = PrefixCache.ROOT;
    for (int i = 0; i < limit; i++) {
      parent = prefixes.find(parent, tokens, i);
      if (parent == PrefixCache.NONE) {
        return i;
      }
      found[i] = parent;
    }
    return limit;
  }

  private static int parent(CachedTokens tokens, int index) {
    return index == 0 ? PrefixCache.ROOT : tokens.block(index - 1);
  }

  private void hold(int block) {
    if (references[block]++ == 0) {
      free.remove(block);
      numCached--;
    }
  }

  private void letGo(int block) {
    if (--references[block] > 0) {
      return;
    }
    if (prefixes.contains(block)) {
      free.addLast(block);
      numCached++;
    } else {
      free.addFirst(block);
    }
  }
}
