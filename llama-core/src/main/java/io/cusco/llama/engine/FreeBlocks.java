package io.cusco.llama.engine;

import java.util.Arrays;

/// The blocks that nobody holds, in the order in which they are reused: a doubly linked list over
/// block numbers, so that one in the middle can be taken.
///
/// Owned by the engine thread.
final class FreeBlocks {
  private final int end;
  private final int[] next;
  private final int[] previous;
  private int size;

  /// All `numBlocks` blocks, block 0 first.
  FreeBlocks(int numBlocks) {
    this.end = numBlocks;
    this.next = new int[numBlocks + 1];
    this.previous = new int[numBlocks + 1];
    Arrays.setAll(next, i -> i == end ? 0 : i + 1);
    Arrays.setAll(previous, i -> i == 0 ? end : i - 1);
    this.size = numBlocks;
  }

  int size() {
    return size;
  }

  void addFirst(int block) {
    insert(end, block);
  }

  void addLast(int block) {
    insert(previous[end], block);
  }

  int removeFirst() {
    if (size == 0) {
      throw new IllegalStateException("no block is free");
    }
    int block = next[end];
    remove(block);
    return block;
  }

  void remove(int block) {
    next[previous[block]] = next[block];
    previous[next[block]] = previous[block];
    size--;
  }

  private void insert(int before, int block) {
    int after = next[before];
    next[before] = block;
    previous[block] = before;
    next[block] = after;
    previous[after] = block;
    size++;
  }
}
