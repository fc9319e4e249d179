package io.cusco.llama.cpu.kernels;

import java.lang.foreign.MemorySegment;

/// The twin of [VectorInterleaved]: one weight after the other.
final class ScalarInterleaved {
  private static final int GROUP = InterleavedMatrix.GROUP;

  private ScalarInterleaved() {}

  private static float weight(InterleavedMatrix w, int row, int column) {
    int group = row / GROUP;
    int lane = row % GROUP;
    short scale =
        w.segment().get(Layouts.SHORT_LE, w.scalesAt(group, column) + lane * (long) Short.BYTES);
    return Float.float16ToFloat(scale)
        * w.segment().get(Layouts.BYTE, w.numbersAt(group, column) + lane);
  }

  /// See [Kernels#gemvInterleaved].
  static void multiplyOne(
      InterleavedMatrix w,
      int rowStart,
      int rowEnd,
      MemorySegment x,
      MemorySegment out,
      boolean add) {
    for (int row = rowStart; row < rowEnd; row++) {
      float sum = 0;
      for (int column = 0; column < w.columns(); column++) {
        sum += weight(w, row, column) * x.get(Layouts.FLOAT, column * 4L);
      }
      out.set(Layouts.FLOAT, row * 4L, add ? out.get(Layouts.FLOAT, row * 4L) + sum : sum);
    }
  }

  /// See [Kernels#multiplyInterleaved].
  static void multiply(
      InterleavedMatrix w,
      int row,
      int column,
      int count,
      float[] x,
      int xIndex,
      int tokens,
      float[] c,
      int cIndex,
      int cStride) {
    for (int token = 0; token < tokens; token++) {
      for (int r = 0; r < InterleavedMatrix.PAIR; r++) {
        for (int k = 0; k < count; k++) {
          c[cIndex + token * cStride + r] +=
              weight(w, row + r, column + k) * x[xIndex + token * Kernels.WIDE_STRIDE + k];
        }
      }
    }
  }

  /// See [Kernels#widenInterleaved].
  static void widen(
      InterleavedMatrix w,
      int row,
      int column,
      int count,
      int width,
      MemorySegment panels,
      long offset) {
    for (int r = 0; r < InterleavedMatrix.PAIR; r++) {
      for (int k = 0; k < count; k++) {
        long index = (r / width * (long) count + k) * width + r % width;
        panels.set(Layouts.FLOAT, offset + index * 4, weight(w, row + r, column + k));
      }
    }
  }
}
