package io.cusco.llama.cpu;

import io.cusco.llama.checkpoint.LlamaWeights.RotaryLayout;
import io.cusco.llama.model.RotaryTable;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/// Rotary position embedding of one head in place: turns each pair by its frequency times the
/// position. Source: RoFormer (arXiv:2104.09864); the two pairings are those of Meta's and Hugging
/// Face's files.
final class Rotation {
  private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT;

  private Rotation() {}

  static void rotate(
      RotaryTable table, RotaryLayout layout, int position, MemorySegment head, long offset) {
    int halfDim = table.halfDim();
    int first = layout == RotaryLayout.INTERLEAVED ? 2 : 1;
    int second = layout == RotaryLayout.INTERLEAVED ? 1 : halfDim;
    long row = (long) position * halfDim;
    for (int i = 0; i < halfDim; i++) {
      float cos = table.cos().getAtIndex(FLOAT, row + i);
      float sin = table.sin().getAtIndex(FLOAT, row + i);
      long at = offset + (long) i * first * Float.BYTES;
      long pairAt = at + (long) second * Float.BYTES;
      float a = head.get(FLOAT, at);
      float b = head.get(FLOAT, pairAt);
      head.set(FLOAT, at, a * cos - b * sin);
      head.set(FLOAT, pairAt, b * cos + a * sin);
    }
  }
}
