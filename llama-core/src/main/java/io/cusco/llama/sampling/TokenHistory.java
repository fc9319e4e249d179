package io.cusco.llama.sampling;

import java.util.Arrays;

/// The distinct tokens of one sequence with how often they occur, for the penalties: in the prompt
/// and in the output, counted apart, because presence and frequency penalties look at the output
/// only. Kept sparse, so that it can be shipped to a device.
///
/// Owned by the engine thread.
public final class TokenHistory {
  private int[] ids = new int[16];
  private int[] outputCounts = new int[16];
  private int size;
  private int[] slots = emptyTable(32);

  /// An empty history.
  public TokenHistory() {}

  /// Counts a token of the prompt.
  public void addPrompt(int id) {
    slotOf(id);
  }

  /// Counts a token of the output.
  public void addOutput(int id) {
    // First the slot: finding it may replace the array.
    int slot = slotOf(id);
    outputCounts[slot]++;
  }

  /// Number of distinct tokens.
  public int size() {
    return size;
  }

  /// The `index`-th distinct token, in order of first appearance.
  public int id(int index) {
    return ids[java.util.Objects.checkIndex(index, size)];
  }

  /// How often the `index`-th distinct token occurs in the output.
  public int outputCount(int index) {
    return outputCounts[java.util.Objects.checkIndex(index, size)];
  }

  private int slotOf(int id) {
    int mask = slots.length - 1;
    int hash = (id * 0x9E3779B9) >>> 7 & mask;
    while (slots[hash] >= 0) {
      if (ids[slots[hash]] == id) {
        return slots[hash];
      }
      hash = (hash + 1) & mask;
    }
    if (size == ids.length) {
      ids = Arrays.copyOf(ids, size * 2);
      outputCounts = Arrays.copyOf(outputCounts, size * 2);
    }
    ids[size] = id;
    slots[hash] = size++;
    if (size * 2 > slots.length) {
      rehash();
    }
    return size - 1;
  }

  private void rehash() {
    slots = emptyTable(slots.length * 2);
    int mask = slots.length - 1;
    for (int i = 0; i < size; i++) {
      int hash = (ids[i] * 0x9E3779B9) >>> 7 & mask;
      while (slots[hash] >= 0) {
        hash = (hash + 1) & mask;
      }
      slots[hash] = i;
    }
  }

  private static int[] emptyTable(int length) {
    int[] table = new int[length];
    Arrays.fill(table, -1);
    return table;
  }
}
