package io.cusco.llama.tokenizer;

import java.util.Arrays;

/// Byte strings by id, and ids by byte string: all bytes in one array, an open-addressing table of
/// ids beside it. Grows while a vocabulary is read and does not change afterwards.
///
/// The hash is a polynomial, `h(s b) = h(s) * BASE + b`, so that whoever walks over the splits of a
/// piece gets the hashes of all prefixes and suffixes in constant time each.
final class PieceTable {
  static final int NOT_FOUND = -1;

  /// An odd 64-bit constant without structure (the golden ratio's bits).
  static final long BASE = 0x9E3779B97F4A7C15L;

  private byte[] bytes;
  private int[] starts;
  private int size;
  private int[] slots;
  private int numFindable;

  PieceTable(int expectedPieces) {
    bytes = new byte[Math.max(1024, Math.multiplyExact(expectedPieces, 8))];
    starts = new int[expectedPieces + 1];
    slots = new int[tableSize(expectedPieces)];
    Arrays.fill(slots, NOT_FOUND);
  }

  /// A power of two that leaves at least a third of the slots free.
  static int tableSize(int entries) {
    return Integer.highestOneBit(Math.max(16, entries + entries / 2)) << 1;
  }

  int size() {
    return size;
  }

  int length(int id) {
    return starts[id + 1] - starts[id];
  }

  byte[] bytesOf(int id) {
    return Arrays.copyOfRange(bytes, starts[id], starts[id + 1]);
  }

  /// Adds the next id without letting [#find] return it.
  void addHidden(byte[] source, int from, int to) {
    int length = to - from;
    if (size + 2 > starts.length) {
      starts = Arrays.copyOf(starts, starts.length + (starts.length >> 1) + 2);
    }
    int start = starts[size];
    int end = Math.addExact(start, length);
    if (end > bytes.length) {
      bytes = Arrays.copyOf(bytes, Math.max(end, Math.addExact(bytes.length, bytes.length >> 1)));
    }
    System.arraycopy(source, from, bytes, start, length);
    size++;
    starts[size] = end;
  }

  /// Adds the next id. Where two pieces have the same bytes, [#find] returns the first.
  void add(byte[] source, int from, int to) {
    int id = size;
    addHidden(source, from, to);
    if ((numFindable + 1) * 3L > slots.length * 2L) {
      grow();
    }
    insert(id);
  }

  int find(byte[] text, int from, int to) {
    return find(text, from, to, hash(text, from, to));
  }

  int find(byte[] text, int from, int to, long hash) {
    int mask = slots.length - 1;
    int slot = slotOf(hash, mask);
    while (true) {
      int id = slots[slot];
      if (id == NOT_FOUND) {
        return NOT_FOUND;
      }
      if (Arrays.equals(bytes, starts[id], starts[id + 1], text, from, to)) {
        return id;
      }
      slot = (slot + 1) & mask;
    }
  }

  static long hash(byte[] text, int from, int to) {
    long hash = 0;
    for (int i = from; i < to; i++) {
      hash = hash * BASE + text[i];
    }
    return hash;
  }

  private static int slotOf(long hash, int mask) {
    long mixed = (hash ^ (hash >>> 32)) * BASE;
    return (int) (mixed >>> 32) & mask;
  }

  private void insert(int id) {
    int from = starts[id];
    int to = starts[id + 1];
    long hash = hash(bytes, from, to);
    if (find(bytes, from, to, hash) != NOT_FOUND) {
      return;
    }
    int mask = slots.length - 1;
    int slot = slotOf(hash, mask);
    while (slots[slot] != NOT_FOUND) {
      slot = (slot + 1) & mask;
    }
    slots[slot] = id;
    numFindable++;
  }

  private void grow() {
    int[] old = slots;
    slots = new int[Math.multiplyExact(old.length, 2)];
    Arrays.fill(slots, NOT_FOUND);
    numFindable = 0;
    for (int id : old) {
      if (id != NOT_FOUND) {
        insert(id);
      }
    }
  }
}
