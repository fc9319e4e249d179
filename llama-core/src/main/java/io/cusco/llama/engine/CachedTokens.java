package io.cusco.llama.engine;

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
/// Owned by the engine thread; blocks change only through [BlockManager].
final class CachedTokens {
  private int[] ids;
  private int size;
  private int numComputed;
  private int[] blocks = new int[4];
  private int numBlocks;

  /// Takes over `promptIds`.
  CachedTokens(int[] promptIds) {
    this.ids = promptIds;
    this.size = promptIds.length;
  }

  int size() {
    return size;
  }

  void append(int id) {
    if (size == ids.length) {
      ids = Arrays.copyOf(ids, Math.max(16, size + size / 2));
    }
    ids[size++] = id;
  }

  void copyIds(int from, int count, int[] target, int targetStart) {
    System.arraycopy(ids, from, target, targetStart, count);
  }

  int[] ids(int from, int to) {
    return Arrays.copyOfRange(ids, from, to);
  }

  int numComputed() {
    return numComputed;
  }

  /// Tokens that no step has held yet.
  int numRemaining() {
    return size - numComputed;
  }

  /// Notes that a step has computed `count` more tokens.
  void advance(int count) {
    numComputed += count;
  }

  int numBlocks() {
    return numBlocks;
  }

  int block(int index) {
    return blocks[index];
  }

  void copyBlocks(int[] target, int targetStart) {
    System.arraycopy(blocks, 0, target, targetStart, numBlocks);
  }

  void addBlock(int block) {
    if (numBlocks == blocks.length) {
      blocks = Arrays.copyOf(blocks, numBlocks * 2);
    }
    blocks[numBlocks++] = block;
  }

  /// Forgets the blocks; everything has to be computed again.
  void clearBlocks() {
    numBlocks = 0;
    numComputed = 0;
  }
}
