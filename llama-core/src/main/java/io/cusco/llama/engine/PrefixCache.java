package io.cusco.llama.engine;

import io.cusco.llama.model.KvCacheSpec;
import java.util.Arrays;

/// Which blocks hold the keys and values of which tokens: a tree of full blocks. A block's parent
/// holds the tokens before its own, because keys and values depend on everything before them.
///
/// ```
/// (root) -- 7 [a b c d] -- 3 [e f g h] -- 9 [i j k l]
///                    \---- 5 [e f x y]                  two prompts, equal for six tokens
/// ```
///
/// A block is found by the hash of its parent's hash and its tokens, and taken only if parent and
/// tokens are equal: since the parent was compared in the same way, a collision of hashes costs
/// time, never truth.
///
/// Owned by the engine thread.
final class PrefixCache {
  /// The parent of blocks that begin a text.
  static final int ROOT = -1;

  /// No block is found.
  static final int NONE = -2;

  private final int blockSize;
  private final long hashMask;

  /// `[numBlocks * blockSize]`, the tokens of each block.
  private final int[] ids;

  /// `[numBlocks]`; [#NONE] for a block that is not in the tree.
  private final int[] parents;

  private final long[] hashes;
  private final int[] numChildren;

  /// First block of each hash bucket, and for each block the next one in its bucket; [#NONE] ends.
  private final int[] buckets;

  private final int[] nextInBucket;

  PrefixCache(KvCacheSpec cache) {
    this(cache, -1);
  }

  /// For tests of collisions.
  ///
  /// @param hashMask bits of the hash that count
  PrefixCache(KvCacheSpec cache, long hashMask) {
    int numBlocks = cache.numBlocks();
    this.blockSize = cache.blockSize();
    this.hashMask = hashMask;
    this.ids = new int[Math.multiplyExact(numBlocks, blockSize)];
    this.parents = filled(numBlocks);
    this.hashes = new long[numBlocks];
    this.numChildren = new int[numBlocks];
    this.buckets = filled(numBlocks);
    this.nextInBucket = filled(numBlocks);
  }

  boolean contains(int block) {
    return parents[block] != NONE;
  }

  /// The block that holds the tokens of block `index` of `tokens` after `parent`, or [#NONE].
  int find(int parent, CachedTokens tokens, int index) {
    long hash = hash(parent, tokens, index);
    int block = buckets[bucket(hash)];
    while (block != NONE && !(hashes[block] == hash && holds(block, parent, tokens, index))) {
      block = nextInBucket[block];
    }
    return block;
  }

  /// Notes that `block` holds the tokens of block `index` of `tokens`, after `parent`; there must
  /// be no such block yet.
  void insert(int block, int parent, CachedTokens tokens, int index) {
    tokens.copyIds(index * blockSize, blockSize, ids, block * blockSize);
    parents[block] = parent;
    hashes[block] = hash(parent, tokens, index);
    if (parent != ROOT) {
      numChildren[parent]++;
    }
    int bucket = bucket(hashes[block]);
    nextInBucket[block] = buckets[bucket];
    buckets[bucket] = block;
  }

  /// Forgets what `block` holds. Blocks after it must be forgotten before it: they are known by it.
  void remove(int block) {
    if (numChildren[block] > 0) {
      throw new IllegalStateException(
          "block %d is dropped before %d that follow it".formatted(block, numChildren[block]));
    }
    if (parents[block] != ROOT) {
      numChildren[parents[block]]--;
    }
    parents[block] = NONE;
    int bucket = bucket(hashes[block]);
    if (buckets[bucket] == block) {
      buckets[bucket] = nextInBucket[block];
      return;
    }
    int before = buckets[bucket];
    while (nextInBucket[before] != block) {
      before = nextInBucket[before];
    }
    nextInBucket[before] = nextInBucket[block];
  }

  private boolean holds(int block, int parent, CachedTokens tokens, int index) {
    return parents[block] == parent
        && tokens.matches(index * blockSize, blockSize, ids, block * blockSize);
  }

  private int bucket(long hash) {
    return (int) Long.remainderUnsigned(hash, buckets.length);
  }

  private long hash(int parent, CachedTokens tokens, int index) {
    long hash = parent == ROOT ? 0 : hashes[parent];
    return tokens.hash(hash, index * blockSize, blockSize) & hashMask;
  }

  private static int[] filled(int length) {
    int[] array = new int[length];
    Arrays.fill(array, NONE);
    return array;
  }
}
