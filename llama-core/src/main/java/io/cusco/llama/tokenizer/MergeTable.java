package io.cusco.llama.tokenizer;

import java.util.Arrays;

/// The merges of a byte-pair encoding: which two neighbours become which token, and in what order
/// of precedence. Open addressing on the pair of ids.
final class MergeTable {
  static final long NONE = -1;

  private long[] keys;
  private long[] merges;
  private int size;

  MergeTable(int expectedMerges) {
    allocate(PieceTable.tableSize(expectedMerges));
  }

  private void allocate(int capacity) {
    keys = new long[capacity];
    merges = new long[capacity];
    Arrays.fill(keys, NONE);
  }

  int size() {
    return size;
  }

  /// Lets `left right` become `merged`; lower ranks go first. The first entry for a pair stays.
  void add(int left, int right, int rank, int merged) {
    if ((size + 1) * 3L > keys.length * 2L) {
      grow();
    }
    long key = key(left, right);
    int slot = slotOf(key);
    while (keys[slot] != NONE) {
      if (keys[slot] == key) {
        return;
      }
      slot = (slot + 1) & (keys.length - 1);
    }
    keys[slot] = key;
    merges[slot] = ((long) rank << 32) | merged;
    size++;
  }

  /// `rank << 32 | merged id`, or [#NONE]. Negative ids, which stand for unknown text, never merge.
  long find(int left, int right) {
    if ((left | right) < 0) {
      return NONE;
    }
    long key = key(left, right);
    int slot = slotOf(key);
    while (true) {
      long found = keys[slot];
      if (found == key) {
        return merges[slot];
      }
      if (found == NONE) {
        return NONE;
      }
      slot = (slot + 1) & (keys.length - 1);
    }
  }

  /// Adds every way to put `piece` together from two findable pieces, with `rank` as the precedence
  /// of all of them. Splits inside a UTF-8 character are left out if `wholeCharacters`.
  void addSplits(PieceTable pieces, byte[] piece, int id, int rank, boolean wholeCharacters) {
    int length = piece.length;
    long[] prefixHashes = new long[length + 1];
    for (int i = 0; i < length; i++) {
      prefixHashes[i + 1] = prefixHashes[i] * PieceTable.BASE + piece[i];
    }
    // From the right, so that the power of the base grows with the suffix.
    long power = 1;
    for (int split = length - 1; split > 0; split--) {
      power *= PieceTable.BASE;
      if (wholeCharacters && Utf8.isContinuation(piece[split])) {
        continue;
      }
      int left = pieces.find(piece, 0, split, prefixHashes[split]);
      if (left == PieceTable.NOT_FOUND) {
        continue;
      }
      long suffixHash = prefixHashes[length] - prefixHashes[split] * power;
      int right = pieces.find(piece, split, length, suffixHash);
      if (right != PieceTable.NOT_FOUND) {
        add(left, right, rank, id);
      }
    }
  }

  private static long key(int left, int right) {
    return ((long) left << 32) | right;
  }

  private int slotOf(long key) {
    long mixed = key * PieceTable.BASE;
    return (int) ((mixed >>> 32) ^ (mixed >>> 52)) & (keys.length - 1);
  }

  private void grow() {
    long[] oldKeys = keys;
    long[] oldMerges = merges;
    allocate(Math.multiplyExact(oldKeys.length, 2));
    size = 0;
    for (int i = 0; i < oldKeys.length; i++) {
      if (oldKeys[i] != NONE) {
        add(
            (int) (oldKeys[i] >>> 32),
            (int) oldKeys[i],
            (int) (oldMerges[i] >>> 32),
            (int) oldMerges[i]);
      }
    }
  }
}
