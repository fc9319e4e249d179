package io.cusco.llama.engine;

import io.cusco.llama.model.StepBatch;
import java.util.Arrays;

/// The tokens of one sequence, how many of them have keys and values in the cache, and in which
/// blocks.
///
/// ```
/// ids     [ a b c d | e f g h | i j       ]   size = 10
/// blocks  [ 7       | 3       | 12        ]   position p lies in slot blocks[p / 4] * 4 + p % 4
///           computed .......  ^ numComputed = 7, still to compute: h i j
/// ```
///
/// The last token may be one that is being drawn; its id is negative until it is known.
///
/// Owned by the engine thread; blocks change only through [BlockManager].
final class CachedTokens implements StepBatch.Sequence {
  /// 2^64 divided by the golden ratio, odd: Knuth's multiplicative hashing.
  private static final long HASH_FACTOR = 0x9E3779B97F4A7C15L;

  private int[] ids;
  private int size;
  private int numComputed;
  private int[] blocks = new int[4];
  private int numBlocks;
  private int numShared;

  /// Takes over `promptIds`.
  CachedTokens(int[] promptIds) {
    this.ids = promptIds;
    this.size = promptIds.length;
  }

  /// The token that is being drawn included.
  int size() {
    return size;
  }

  /// Tokens whose ids are known: all, or all but the last one, which is being drawn.
  int numKnown() {
    return ids[size - 1] < 0 ? size - 1 : size;
  }

  /// Replaces what stood for the last token, [io.cusco.llama.model.StepInput#drawn(int)].
  void setLast(int id) {
    ids[size - 1] = id;
  }

  void append(int id) {
    if (size == ids.length) {
      ids = Arrays.copyOf(ids, Math.max(16, size + size / 2));
    }
    ids[size++] = id;
  }

  @Override
  public int tokenId(int position) {
    return ids[position];
  }

  void copyIds(int from, int count, int[] target, int targetStart) {
    System.arraycopy(ids, from, target, targetStart, count);
  }

  int[] ids(int from, int to) {
    return Arrays.copyOfRange(ids, from, to);
  }

  /// Whether the `count` tokens from `from` on are those in `other` from `otherStart` on.
  boolean matches(int from, int count, int[] other, int otherStart) {
    return Arrays.equals(ids, from, from + count, other, otherStart, otherStart + count);
  }

  /// A hash of `seed` and the `count` tokens from `from` on.
  long hash(long seed, int from, int count) {
    long hash = seed;
    for (int i = from; i < from + count; i++) {
      hash = (hash + ids[i] + 1) * HASH_FACTOR;
      hash ^= hash >>> 32;
    }
    return hash;
  }

  int numComputed() {
    return numComputed;
  }

  /// Tokens that are still to compute.
  int numRemaining() {
    return size - numComputed;
  }

  /// Notes that `count` more tokens are computed.
  void advance(int count) {
    numComputed += count;
  }

  int numBlocks() {
    return numBlocks;
  }

  @Override
  public int block(int index) {
    return blocks[index];
  }

  void addBlock(int block) {
    if (numBlocks == blocks.length) {
      blocks = Arrays.copyOf(blocks, numBlocks * 2);
    }
    blocks[numBlocks++] = block;
  }

  /// Puts another block with the same content in the place of one.
  void replaceBlock(int index, int block) {
    blocks[index] = block;
  }

  /// How many of the blocks, from the first on, are in the prefix cache.
  int numShared() {
    return numShared;
  }

  void noteShared(int count) {
    numShared = count;
  }

  /// Forgets the blocks: what is not found in the prefix cache has to be computed again.
  void clearBlocks() {
    numBlocks = 0;
    numShared = 0;
    numComputed = 0;
  }
}
