package io.cusco.llama.tokenizer;

import java.util.Arrays;

/// Byte-pair merging of one run of symbols: the pair of lowest rank first, the leftmost of equals.
///
/// Symbols form a doubly linked list in arrays; candidate pairs wait in a binary heap keyed by
/// `rank << 32 | position`. A pair that changed since it was queued is recognised because its
/// present rank differs, and dropped. So a run of n symbols takes O(n log n), where looking for the
/// best pair again after each merge would take O(n^2).
///
/// Scratch space for one call; not for use by several threads.
final class BpeMerger {
  private static final int GONE = Integer.MIN_VALUE;
  private static final int NO_SYMBOL = -1;

  private int[] ids = new int[64];
  private int[] starts = new int[64];
  private int[] next = new int[64];
  private int[] previous = new int[64];
  private long[] heap = new long[64];
  private int size;
  private int heapSize;

  void clear() {
    size = 0;
  }

  /// Appends a symbol that begins at byte `start` of the caller's text. A negative id never merges.
  void add(int id, int start) {
    if (size == ids.length) {
      int capacity = Math.addExact(size, Math.max(64, size >> 1));
      ids = Arrays.copyOf(ids, capacity);
      starts = Arrays.copyOf(starts, capacity);
      next = Arrays.copyOf(next, capacity);
      previous = Arrays.copyOf(previous, capacity);
    }
    ids[size] = id;
    starts[size] = start;
    next[size] = NO_SYMBOL;
    previous[size] = size - 1;
    if (size > 0) {
      next[size - 1] = size;
    }
    size++;
  }

  /// The first symbol, or a negative number where there is none.
  int first() {
    return size == 0 ? NO_SYMBOL : 0;
  }

  /// The symbol after `symbol`, or a negative number.
  int next(int symbol) {
    return next[symbol];
  }

  int id(int symbol) {
    return ids[symbol];
  }

  int start(int symbol) {
    return starts[symbol];
  }

  void merge(MergeTable merges) {
    heapSize = 0;
    for (int i = 0; i + 1 < size; i++) {
      enqueue(merges, i);
    }
    while (heapSize > 0) {
      long candidate = poll();
      int left = (int) candidate;
      int right = ids[left] == GONE ? NO_SYMBOL : next[left];
      if (right == NO_SYMBOL) {
        continue;
      }
      long merge = merges.find(ids[left], ids[right]);
      if (merge == MergeTable.NONE || merge >>> 32 != candidate >>> 32) {
        continue;
      }
      ids[left] = (int) merge;
      ids[right] = GONE;
      next[left] = next[right];
      if (next[left] != NO_SYMBOL) {
        previous[next[left]] = left;
        enqueue(merges, left);
      }
      if (previous[left] != NO_SYMBOL) {
        enqueue(merges, previous[left]);
      }
    }
  }

  private void enqueue(MergeTable merges, int left) {
    long merge = merges.find(ids[left], ids[next[left]]);
    if (merge != MergeTable.NONE) {
      push((merge & 0xFFFF_FFFF_0000_0000L) | left);
    }
  }

  private void push(long candidate) {
    if (heapSize == heap.length) {
      heap = Arrays.copyOf(heap, Math.addExact(heapSize, heapSize));
    }
    int child = heapSize++;
    while (child > 0) {
      int parent = (child - 1) >> 1;
      if (heap[parent] <= candidate) {
        break;
      }
      heap[child] = heap[parent];
      child = parent;
    }
    heap[child] = candidate;
  }

  private long poll() {
    long top = heap[0];
    long last = heap[--heapSize];
    int parent = 0;
    while (true) {
      int child = 2 * parent + 1;
      if (child >= heapSize) {
        break;
      }
      if (child + 1 < heapSize && heap[child + 1] < heap[child]) {
        child++;
      }
      if (last <= heap[child]) {
        break;
      }
      heap[parent] = heap[child];
      parent = child;
    }
    heap[parent] = last;
    return top;
  }
}
