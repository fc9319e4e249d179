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
    int half = column % 2 * 16;
    int low = word(w, group, lane, w.wordOf(column)) >>> (half + column % 8 / 2 * 4) & 15;
    if (w.bits() == PackedMatrix.LOW_BITS) {
      return low;
    }
    int above = word(w, group, lane, w.highWordOf(column));
    int high = Integer.rotateRight(above, w.rotationOf(column) + half + PackedMatrix.LOW_BITS);
    return low | (high & (w.bits() == 6 ? 3 : 1)) << PackedMatrix.LOW_BITS;
  }

  private static int word(PackedMatrix w, long group, int lane, int index) {
    return w.segment().get(Layouts.INT_LE, group + ((long) index * GROUP + lane) * Integer.BYTES);
  }

  /// Of 16 columns.
  private static float scale(PackedMatrix w, long group, int lane, int block) {
    return switch (w.type()) {
      case Q4_0, Q5_0 -> half(w, group, block / 2 * GROUP + lane);
      case Q4_1, Q5_1 -> half(w, group, block / 2 * 2 * GROUP + lane);
      case Q4_K, Q5_K ->
          scaleByte(w, group, block / 2 * 2 * GROUP + lane)
              * superscale(w, group, block / 16 * 2 * GROUP + lane);
      case Q6_K ->
          scaleByte(w, group, block * GROUP + lane)
              * superscale(w, group, block / 16 * GROUP + lane);
      default -> throw new IllegalStateException(w.type() + " is not reordered");
    };
  }

  /// What is taken off every weight of 16 columns.
  private static float minimum(PackedMatrix w, long group, int lane, int block) {
    return switch (w.type()) {
      case Q4_0 -> 8 * scale(w, group, lane, block);
      case Q5_0 -> 16 * scale(w, group, lane, block);
      case Q4_1, Q5_1 -> -half(w, group, (block / 2 * 2 + 1) * GROUP + lane);
      case Q4_K, Q5_K ->
          scaleByte(w, group, (block / 2 * 2 + 1) * GROUP + lane)
              * superscale(w, group, (block / 16 * 2 + 1) * GROUP + lane);
      case Q6_K -> 32 * scale(w, group, lane, block);
      default -> throw new IllegalStateException(w.type() + " is not reordered");
    };
  }

  private static float half(PackedMatrix w, long group, long index) {
    return Float.float16ToFloat(
        w.segment().get(Layouts.SHORT_LE, group + w.scalesAt + index * Short.BYTES));
  }

  private static byte scaleByte(PackedMatrix w, long group, long index) {
    return w.segment().get(Layouts.BYTE, group + w.scalesAt + index);
  }

  private static float superscale(PackedMatrix w, long group, long index) {
    return w.segment().get(Layouts.FLOAT, group + w.superscalesAt + index * Float.BYTES);
  }
}
