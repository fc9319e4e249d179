package io.cusco.llama.cpu.kernels;

import java.lang.foreign.MemorySegment;

/// The twin of [VectorPacked]: one row of a packed matrix, one column after the other.
final class ScalarPacked {
  private static final int GROUP = PackedMatrix.GROUP;

  private ScalarPacked() {}

  static void quantize(MemorySegment x, long xOffset, int columns, QuantizedActivations out) {
    for (int block = 0; block < columns / QuantizedActivations.BLOCK; block++) {
      float largest = 0;
      for (int i = 0; i < QuantizedActivations.BLOCK; i++) {
        largest =
            Math.max(largest, Math.abs(x.get(Layouts.FLOAT, xOffset + block * 128L + i * 4L)));
      }
      float inverse = largest > 0 ? QuantizedActivations.LARGEST / largest : 0;
      for (int i = 0; i < QuantizedActivations.BLOCK; i++) {
        float value = x.get(Layouts.FLOAT, xOffset + block * 128L + i * 4L) * inverse;
        out.block[i] = (short) Math.rint(value);
      }
      out.store(block, largest / QuantizedActivations.LARGEST);
    }
  }

  static float dot(PackedMatrix w, int row, QuantizedActivations x) {
    long group = w.groupOffset(row / GROUP);
    int lane = row % GROUP;
    float sum = 0;
    for (int block = 0; block < w.columns() / 16; block++) {
      int product = 0;
      int total = 0;
      for (int column = block * 16; column < (block + 1) * 16; column++) {
        int value = x.value(column);
        product += number(w, group, lane, column) * value;
        total += value;
      }
      float xScale = x.scales[block / 2];
      sum += xScale * (scale(w, group, lane, block) * product);
      sum -= xScale * (minimum(w, group, lane, block) * total);
    }
    return sum;
  }

  private static int number(PackedMatrix w, long group, int lane, int column) {
    boolean bytes = w.numberBits() == 8;
    int perWord = bytes ? 4 : 8;
    long at = group + ((long) (column / perWord) * GROUP + lane) * Integer.BYTES;
    int inWord = column % perWord;
    int shift = inWord % 2 * 16 + inWord / 2 * w.numberBits();
    return (w.segment().get(Layouts.INT_LE, at) >>> shift) & (bytes ? 255 : 15);
  }

  /// Of 16 columns.
  private static float scale(PackedMatrix w, long group, int lane, int block) {
    MemorySegment segment = w.segment();
    long scales = group + w.scalesAt;
    long supers = group + w.superscalesAt;
    return switch (w.type()) {
      case Q4_0 ->
          Float.float16ToFloat(
              segment.get(Layouts.SHORT_LE, scales + (block / 2 * GROUP + lane) * 2L));
      case Q4_K ->
          segment.get(Layouts.BYTE, scales + block / 2 * 2L * GROUP + lane)
              * segment.get(Layouts.FLOAT, supers + (block / 16 * 2L * GROUP + lane) * 4);
      case Q6_K ->
          segment.get(Layouts.BYTE, scales + (long) block * GROUP + lane)
              * segment.get(Layouts.FLOAT, supers + (block / 16 * (long) GROUP + lane) * 4);
      default -> throw new IllegalStateException(w.type() + " is not reordered");
    };
  }

  /// What is taken off every weight of 16 columns.
  private static float minimum(PackedMatrix w, long group, int lane, int block) {
    return switch (w.type()) {
      case Q4_0 -> 8 * scale(w, group, lane, block);
      case Q4_K -> {
        long minima = group + w.scalesAt + block / 2 * 2L * GROUP + GROUP + lane;
        long supers =
            group + w.superscalesAt + (block / 16 * 2L * GROUP + GROUP + lane) * Float.BYTES;
        yield w.segment().get(Layouts.BYTE, minima) * w.segment().get(Layouts.FLOAT, supers);
      }
      case Q6_K -> PackedMatrix.Q6_OFFSET * scale(w, group, lane, block);
      default -> throw new IllegalStateException(w.type() + " is not reordered");
    };
  }
}
