package io.cusco.llama.tokenizer;

import java.util.Arrays;

/// A growing array of token ids.
final class IdBuffer {
  private int[] ids;
  private int size;

  IdBuffer(int expected) {
    ids = new int[Math.max(16, expected)];
  }

  void add(int id) {
    if (size == ids.length) {
      ids = Arrays.copyOf(ids, Math.addExact(size, size));
    }
    ids[size++] = id;
  }

  int size() {
    return size;
  }

  int last() {
    return ids[size - 1];
  }

  int[] toArray() {
    return Arrays.copyOf(ids, size);
  }
}
