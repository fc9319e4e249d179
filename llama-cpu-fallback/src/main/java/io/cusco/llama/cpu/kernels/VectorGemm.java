package io.cusco.llama.cpu.kernels;

import static io.cusco.llama.cpu.kernels.Kernels.WIDE_STRIDE;
import static io.cusco.llama.cpu.kernels.Lanes.F;
import static io.cusco.llama.cpu.kernels.Lanes.L;
import static io.cusco.llama.cpu.kernels.Lanes.LE;
import static io.cusco.llama.memory.OpenMemory.MEMORY;

import io.cusco.llama.memory.OpenMemory;
import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.FloatVector;

/// Register tiles of a matrix product: twelve rows of widened weights times one or two vectors of
/// activations. Twenty-four sums, two vectors of activations and a few weights fill the 32
/// registers of AVX-512 and NEON; twelve sums fill the 16 of AVX2.
///
/// Rows lie [Kernels#WIDE_STRIDE] apart. Because that is a constant, one register addresses all
/// twelve; with a register for each row, address arithmetic takes a tenth of the multiply-adds'
/// slots.
///
/// Sums are read from the result and written back once per tile.
final class VectorGemm {
  private VectorGemm() {}

  private static FloatVector load(MemorySegment x, long offset) {
    return FloatVector.fromMemorySegment(F, x, offset, LE);
  }

  /// Tokens in the lanes: a step multiplies two vectors of a panel, one column, by one broadcast
  /// weight per row. `c` is `[12][2 * lanes]`.
  static void tokens12x2(
      float[] w, int wIndex, MemorySegment x, long xOffset, int count, float[] c, int cIndex) {
    FloatVector a0 = FloatVector.fromArray(F, c, cIndex);
    FloatVector b0 = FloatVector.fromArray(F, c, cIndex + L);
    FloatVector a1 = FloatVector.fromArray(F, c, cIndex + 2 * L);
    FloatVector b1 = FloatVector.fromArray(F, c, cIndex + 3 * L);
    FloatVector a2 = FloatVector.fromArray(F, c, cIndex + 4 * L);
    FloatVector b2 = FloatVector.fromArray(F, c, cIndex + 5 * L);
    FloatVector a3 = FloatVector.fromArray(F, c, cIndex + 6 * L);
    FloatVector b3 = FloatVector.fromArray(F, c, cIndex + 7 * L);
    FloatVector a4 = FloatVector.fromArray(F, c, cIndex + 8 * L);
    FloatVector b4 = FloatVector.fromArray(F, c, cIndex + 9 * L);
    FloatVector a5 = FloatVector.fromArray(F, c, cIndex + 10 * L);
    FloatVector b5 = FloatVector.fromArray(F, c, cIndex + 11 * L);
    FloatVector a6 = FloatVector.fromArray(F, c, cIndex + 12 * L);
    FloatVector b6 = FloatVector.fromArray(F, c, cIndex + 13 * L);
    FloatVector a7 = FloatVector.fromArray(F, c, cIndex + 14 * L);
    FloatVector b7 = FloatVector.fromArray(F, c, cIndex + 15 * L);
    FloatVector a8 = FloatVector.fromArray(F, c, cIndex + 16 * L);
    FloatVector b8 = FloatVector.fromArray(F, c, cIndex + 17 * L);
    FloatVector a9 = FloatVector.fromArray(F, c, cIndex + 18 * L);
    FloatVector b9 = FloatVector.fromArray(F, c, cIndex + 19 * L);
    FloatVector a10 = FloatVector.fromArray(F, c, cIndex + 20 * L);
    FloatVector b10 = FloatVector.fromArray(F, c, cIndex + 21 * L);
    FloatVector a11 = FloatVector.fromArray(F, c, cIndex + 22 * L);
    FloatVector b11 = FloatVector.fromArray(F, c, cIndex + 23 * L);
    for (int k = 0; k < count; k++) {
      long at = xOffset + k * (8L * L);
      FloatVector x0 = load(x, at);
      FloatVector x1 = load(x, at + 4L * L);
      FloatVector weight = FloatVector.broadcast(F, w[wIndex + k]);
      a0 = weight.fma(x0, a0);
      b0 = weight.fma(x1, b0);
      weight = FloatVector.broadcast(F, w[wIndex + k + WIDE_STRIDE]);
      a1 = weight.fma(x0, a1);
      b1 = weight.fma(x1, b1);
      weight = FloatVector.broadcast(F, w[wIndex + k + 2 * WIDE_STRIDE]);
      a2 = weight.fma(x0, a2);
      b2 = weight.fma(x1, b2);
      weight = FloatVector.broadcast(F, w[wIndex + k + 3 * WIDE_STRIDE]);
      a3 = weight.fma(x0, a3);
      b3 = weight.fma(x1, b3);
      weight = FloatVector.broadcast(F, w[wIndex + k + 4 * WIDE_STRIDE]);
      a4 = weight.fma(x0, a4);
      b4 = weight.fma(x1, b4);
      weight = FloatVector.broadcast(F, w[wIndex + k + 5 * WIDE_STRIDE]);
      a5 = weight.fma(x0, a5);
      b5 = weight.fma(x1, b5);
      weight = FloatVector.broadcast(F, w[wIndex + k + 6 * WIDE_STRIDE]);
      a6 = weight.fma(x0, a6);
      b6 = weight.fma(x1, b6);
      weight = FloatVector.broadcast(F, w[wIndex + k + 7 * WIDE_STRIDE]);
      a7 = weight.fma(x0, a7);
      b7 = weight.fma(x1, b7);
      weight = FloatVector.broadcast(F, w[wIndex + k + 8 * WIDE_STRIDE]);
      a8 = weight.fma(x0, a8);
      b8 = weight.fma(x1, b8);
      weight = FloatVector.broadcast(F, w[wIndex + k + 9 * WIDE_STRIDE]);
      a9 = weight.fma(x0, a9);
      b9 = weight.fma(x1, b9);
      weight = FloatVector.broadcast(F, w[wIndex + k + 10 * WIDE_STRIDE]);
      a10 = weight.fma(x0, a10);
      b10 = weight.fma(x1, b10);
      weight = FloatVector.broadcast(F, w[wIndex + k + 11 * WIDE_STRIDE]);
      a11 = weight.fma(x0, a11);
      b11 = weight.fma(x1, b11);
    }
    a0.intoArray(c, cIndex);
    b0.intoArray(c, cIndex + L);
    a1.intoArray(c, cIndex + 2 * L);
    b1.intoArray(c, cIndex + 3 * L);
    a2.intoArray(c, cIndex + 4 * L);
    b2.intoArray(c, cIndex + 5 * L);
    a3.intoArray(c, cIndex + 6 * L);
    b3.intoArray(c, cIndex + 7 * L);
    a4.intoArray(c, cIndex + 8 * L);
    b4.intoArray(c, cIndex + 9 * L);
    a5.intoArray(c, cIndex + 10 * L);
    b5.intoArray(c, cIndex + 11 * L);
    a6.intoArray(c, cIndex + 12 * L);
    b6.intoArray(c, cIndex + 13 * L);
    a7.intoArray(c, cIndex + 14 * L);
    b7.intoArray(c, cIndex + 15 * L);
    a8.intoArray(c, cIndex + 16 * L);
    b8.intoArray(c, cIndex + 17 * L);
    a9.intoArray(c, cIndex + 18 * L);
    b9.intoArray(c, cIndex + 19 * L);
    a10.intoArray(c, cIndex + 20 * L);
    b10.intoArray(c, cIndex + 21 * L);
    a11.intoArray(c, cIndex + 22 * L);
    b11.intoArray(c, cIndex + 23 * L);
  }

  /// Tokens in the lanes: a step multiplies one vector of a panel, one column, by one broadcast
  /// weight per row. `c` is `[12][1 * lanes]`.
  static void tokens12x1(
      float[] w, int wIndex, MemorySegment x, long xOffset, int count, float[] c, int cIndex) {
    FloatVector a0 = FloatVector.fromArray(F, c, cIndex);
    FloatVector a1 = FloatVector.fromArray(F, c, cIndex + L);
    FloatVector a2 = FloatVector.fromArray(F, c, cIndex + 2 * L);
    FloatVector a3 = FloatVector.fromArray(F, c, cIndex + 3 * L);
    FloatVector a4 = FloatVector.fromArray(F, c, cIndex + 4 * L);
    FloatVector a5 = FloatVector.fromArray(F, c, cIndex + 5 * L);
    FloatVector a6 = FloatVector.fromArray(F, c, cIndex + 6 * L);
    FloatVector a7 = FloatVector.fromArray(F, c, cIndex + 7 * L);
    FloatVector a8 = FloatVector.fromArray(F, c, cIndex + 8 * L);
    FloatVector a9 = FloatVector.fromArray(F, c, cIndex + 9 * L);
    FloatVector a10 = FloatVector.fromArray(F, c, cIndex + 10 * L);
    FloatVector a11 = FloatVector.fromArray(F, c, cIndex + 11 * L);
    for (int k = 0; k < count; k++) {
      FloatVector x0 = load(x, xOffset + k * (4L * L));
      a0 = FloatVector.broadcast(F, w[wIndex + k]).fma(x0, a0);
      a1 = FloatVector.broadcast(F, w[wIndex + k + WIDE_STRIDE]).fma(x0, a1);
      a2 = FloatVector.broadcast(F, w[wIndex + k + 2 * WIDE_STRIDE]).fma(x0, a2);
      a3 = FloatVector.broadcast(F, w[wIndex + k + 3 * WIDE_STRIDE]).fma(x0, a3);
      a4 = FloatVector.broadcast(F, w[wIndex + k + 4 * WIDE_STRIDE]).fma(x0, a4);
      a5 = FloatVector.broadcast(F, w[wIndex + k + 5 * WIDE_STRIDE]).fma(x0, a5);
      a6 = FloatVector.broadcast(F, w[wIndex + k + 6 * WIDE_STRIDE]).fma(x0, a6);
      a7 = FloatVector.broadcast(F, w[wIndex + k + 7 * WIDE_STRIDE]).fma(x0, a7);
      a8 = FloatVector.broadcast(F, w[wIndex + k + 8 * WIDE_STRIDE]).fma(x0, a8);
      a9 = FloatVector.broadcast(F, w[wIndex + k + 9 * WIDE_STRIDE]).fma(x0, a9);
      a10 = FloatVector.broadcast(F, w[wIndex + k + 10 * WIDE_STRIDE]).fma(x0, a10);
      a11 = FloatVector.broadcast(F, w[wIndex + k + 11 * WIDE_STRIDE]).fma(x0, a11);
    }
    a0.intoArray(c, cIndex);
    a1.intoArray(c, cIndex + L);
    a2.intoArray(c, cIndex + 2 * L);
    a3.intoArray(c, cIndex + 3 * L);
    a4.intoArray(c, cIndex + 4 * L);
    a5.intoArray(c, cIndex + 5 * L);
    a6.intoArray(c, cIndex + 6 * L);
    a7.intoArray(c, cIndex + 7 * L);
    a8.intoArray(c, cIndex + 8 * L);
    a9.intoArray(c, cIndex + 9 * L);
    a10.intoArray(c, cIndex + 10 * L);
    a11.intoArray(c, cIndex + 11 * L);
  }

  /// As [#tokens12x1]; each step also reads a byte, `aheadStep` further than the one before, so
  /// that what lies there is in a cache when it is needed. Returns their sum, which means nothing:
  /// what nobody used would not be read.
  static int tokens12x1Ahead(
      float[] w,
      int wIndex,
      MemorySegment x,
      long xOffset,
      int count,
      float[] c,
      int cIndex,
      long ahead,
      long aheadStep) {
    int touched = 0;
    FloatVector a0 = FloatVector.fromArray(F, c, cIndex);
    FloatVector a1 = FloatVector.fromArray(F, c, cIndex + L);
    FloatVector a2 = FloatVector.fromArray(F, c, cIndex + 2 * L);
    FloatVector a3 = FloatVector.fromArray(F, c, cIndex + 3 * L);
    FloatVector a4 = FloatVector.fromArray(F, c, cIndex + 4 * L);
    FloatVector a5 = FloatVector.fromArray(F, c, cIndex + 5 * L);
    FloatVector a6 = FloatVector.fromArray(F, c, cIndex + 6 * L);
    FloatVector a7 = FloatVector.fromArray(F, c, cIndex + 7 * L);
    FloatVector a8 = FloatVector.fromArray(F, c, cIndex + 8 * L);
    FloatVector a9 = FloatVector.fromArray(F, c, cIndex + 9 * L);
    FloatVector a10 = FloatVector.fromArray(F, c, cIndex + 10 * L);
    FloatVector a11 = FloatVector.fromArray(F, c, cIndex + 11 * L);
    for (int k = 0; k < count; k++) {
      touched += MEMORY.get(Layouts.BYTE, OpenMemory.within(ahead + k * aheadStep));
      FloatVector x0 = load(x, xOffset + k * (4L * L));
      a0 = FloatVector.broadcast(F, w[wIndex + k]).fma(x0, a0);
      a1 = FloatVector.broadcast(F, w[wIndex + k + WIDE_STRIDE]).fma(x0, a1);
      a2 = FloatVector.broadcast(F, w[wIndex + k + 2 * WIDE_STRIDE]).fma(x0, a2);
      a3 = FloatVector.broadcast(F, w[wIndex + k + 3 * WIDE_STRIDE]).fma(x0, a3);
      a4 = FloatVector.broadcast(F, w[wIndex + k + 4 * WIDE_STRIDE]).fma(x0, a4);
      a5 = FloatVector.broadcast(F, w[wIndex + k + 5 * WIDE_STRIDE]).fma(x0, a5);
      a6 = FloatVector.broadcast(F, w[wIndex + k + 6 * WIDE_STRIDE]).fma(x0, a6);
      a7 = FloatVector.broadcast(F, w[wIndex + k + 7 * WIDE_STRIDE]).fma(x0, a7);
      a8 = FloatVector.broadcast(F, w[wIndex + k + 8 * WIDE_STRIDE]).fma(x0, a8);
      a9 = FloatVector.broadcast(F, w[wIndex + k + 9 * WIDE_STRIDE]).fma(x0, a9);
      a10 = FloatVector.broadcast(F, w[wIndex + k + 10 * WIDE_STRIDE]).fma(x0, a10);
      a11 = FloatVector.broadcast(F, w[wIndex + k + 11 * WIDE_STRIDE]).fma(x0, a11);
    }
    a0.intoArray(c, cIndex);
    a1.intoArray(c, cIndex + L);
    a2.intoArray(c, cIndex + 2 * L);
    a3.intoArray(c, cIndex + 3 * L);
    a4.intoArray(c, cIndex + 4 * L);
    a5.intoArray(c, cIndex + 5 * L);
    a6.intoArray(c, cIndex + 6 * L);
    a7.intoArray(c, cIndex + 7 * L);
    a8.intoArray(c, cIndex + 8 * L);
    a9.intoArray(c, cIndex + 9 * L);
    a10.intoArray(c, cIndex + 10 * L);
    a11.intoArray(c, cIndex + 11 * L);
    return touched;
  }

  /// Columns in the lanes, for few tokens: a step multiplies a vector of each row by the same
  /// columns of two tokens. `c` is `[12][2][lanes]`, partial sums of each lane; `count` is a
  /// multiple of the lanes.
  static void columns12x2(
      float[] w,
      int wIndex,
      MemorySegment x,
      long xOffset,
      long xStride,
      int count,
      float[] c,
      int cIndex) {
    FloatVector a0 = FloatVector.fromArray(F, c, cIndex);
    FloatVector b0 = FloatVector.fromArray(F, c, cIndex + L);
    FloatVector a1 = FloatVector.fromArray(F, c, cIndex + 2 * L);
    FloatVector b1 = FloatVector.fromArray(F, c, cIndex + 3 * L);
    FloatVector a2 = FloatVector.fromArray(F, c, cIndex + 4 * L);
    FloatVector b2 = FloatVector.fromArray(F, c, cIndex + 5 * L);
    FloatVector a3 = FloatVector.fromArray(F, c, cIndex + 6 * L);
    FloatVector b3 = FloatVector.fromArray(F, c, cIndex + 7 * L);
    FloatVector a4 = FloatVector.fromArray(F, c, cIndex + 8 * L);
    FloatVector b4 = FloatVector.fromArray(F, c, cIndex + 9 * L);
    FloatVector a5 = FloatVector.fromArray(F, c, cIndex + 10 * L);
    FloatVector b5 = FloatVector.fromArray(F, c, cIndex + 11 * L);
    FloatVector a6 = FloatVector.fromArray(F, c, cIndex + 12 * L);
    FloatVector b6 = FloatVector.fromArray(F, c, cIndex + 13 * L);
    FloatVector a7 = FloatVector.fromArray(F, c, cIndex + 14 * L);
    FloatVector b7 = FloatVector.fromArray(F, c, cIndex + 15 * L);
    FloatVector a8 = FloatVector.fromArray(F, c, cIndex + 16 * L);
    FloatVector b8 = FloatVector.fromArray(F, c, cIndex + 17 * L);
    FloatVector a9 = FloatVector.fromArray(F, c, cIndex + 18 * L);
    FloatVector b9 = FloatVector.fromArray(F, c, cIndex + 19 * L);
    FloatVector a10 = FloatVector.fromArray(F, c, cIndex + 20 * L);
    FloatVector b10 = FloatVector.fromArray(F, c, cIndex + 21 * L);
    FloatVector a11 = FloatVector.fromArray(F, c, cIndex + 22 * L);
    FloatVector b11 = FloatVector.fromArray(F, c, cIndex + 23 * L);
    for (int k = 0; k < count; k += L) {
      FloatVector x0 = load(x, xOffset + k * 4L);
      FloatVector x1 = load(x, xOffset + xStride + k * 4L);
      FloatVector weight = FloatVector.fromArray(F, w, wIndex + k);
      a0 = weight.fma(x0, a0);
      b0 = weight.fma(x1, b0);
      weight = FloatVector.fromArray(F, w, wIndex + k + WIDE_STRIDE);
      a1 = weight.fma(x0, a1);
      b1 = weight.fma(x1, b1);
      weight = FloatVector.fromArray(F, w, wIndex + k + 2 * WIDE_STRIDE);
      a2 = weight.fma(x0, a2);
      b2 = weight.fma(x1, b2);
      weight = FloatVector.fromArray(F, w, wIndex + k + 3 * WIDE_STRIDE);
      a3 = weight.fma(x0, a3);
      b3 = weight.fma(x1, b3);
      weight = FloatVector.fromArray(F, w, wIndex + k + 4 * WIDE_STRIDE);
      a4 = weight.fma(x0, a4);
      b4 = weight.fma(x1, b4);
      weight = FloatVector.fromArray(F, w, wIndex + k + 5 * WIDE_STRIDE);
      a5 = weight.fma(x0, a5);
      b5 = weight.fma(x1, b5);
      weight = FloatVector.fromArray(F, w, wIndex + k + 6 * WIDE_STRIDE);
      a6 = weight.fma(x0, a6);
      b6 = weight.fma(x1, b6);
      weight = FloatVector.fromArray(F, w, wIndex + k + 7 * WIDE_STRIDE);
      a7 = weight.fma(x0, a7);
      b7 = weight.fma(x1, b7);
      weight = FloatVector.fromArray(F, w, wIndex + k + 8 * WIDE_STRIDE);
      a8 = weight.fma(x0, a8);
      b8 = weight.fma(x1, b8);
      weight = FloatVector.fromArray(F, w, wIndex + k + 9 * WIDE_STRIDE);
      a9 = weight.fma(x0, a9);
      b9 = weight.fma(x1, b9);
      weight = FloatVector.fromArray(F, w, wIndex + k + 10 * WIDE_STRIDE);
      a10 = weight.fma(x0, a10);
      b10 = weight.fma(x1, b10);
      weight = FloatVector.fromArray(F, w, wIndex + k + 11 * WIDE_STRIDE);
      a11 = weight.fma(x0, a11);
      b11 = weight.fma(x1, b11);
    }
    a0.intoArray(c, cIndex);
    b0.intoArray(c, cIndex + L);
    a1.intoArray(c, cIndex + 2 * L);
    b1.intoArray(c, cIndex + 3 * L);
    a2.intoArray(c, cIndex + 4 * L);
    b2.intoArray(c, cIndex + 5 * L);
    a3.intoArray(c, cIndex + 6 * L);
    b3.intoArray(c, cIndex + 7 * L);
    a4.intoArray(c, cIndex + 8 * L);
    b4.intoArray(c, cIndex + 9 * L);
    a5.intoArray(c, cIndex + 10 * L);
    b5.intoArray(c, cIndex + 11 * L);
    a6.intoArray(c, cIndex + 12 * L);
    b6.intoArray(c, cIndex + 13 * L);
    a7.intoArray(c, cIndex + 14 * L);
    b7.intoArray(c, cIndex + 15 * L);
    a8.intoArray(c, cIndex + 16 * L);
    b8.intoArray(c, cIndex + 17 * L);
    a9.intoArray(c, cIndex + 18 * L);
    b9.intoArray(c, cIndex + 19 * L);
    a10.intoArray(c, cIndex + 20 * L);
    b10.intoArray(c, cIndex + 21 * L);
    a11.intoArray(c, cIndex + 22 * L);
    b11.intoArray(c, cIndex + 23 * L);
  }

  /// Columns in the lanes, for few tokens: a step multiplies a vector of each row by the same
  /// columns of one token. `c` is `[12][1][lanes]`, partial sums of each lane; `count` is a
  /// multiple of the lanes.
  static void columns12x1(
      float[] w, int wIndex, MemorySegment x, long xOffset, int count, float[] c, int cIndex) {
    FloatVector a0 = FloatVector.fromArray(F, c, cIndex);
    FloatVector a1 = FloatVector.fromArray(F, c, cIndex + L);
    FloatVector a2 = FloatVector.fromArray(F, c, cIndex + 2 * L);
    FloatVector a3 = FloatVector.fromArray(F, c, cIndex + 3 * L);
    FloatVector a4 = FloatVector.fromArray(F, c, cIndex + 4 * L);
    FloatVector a5 = FloatVector.fromArray(F, c, cIndex + 5 * L);
    FloatVector a6 = FloatVector.fromArray(F, c, cIndex + 6 * L);
    FloatVector a7 = FloatVector.fromArray(F, c, cIndex + 7 * L);
    FloatVector a8 = FloatVector.fromArray(F, c, cIndex + 8 * L);
    FloatVector a9 = FloatVector.fromArray(F, c, cIndex + 9 * L);
    FloatVector a10 = FloatVector.fromArray(F, c, cIndex + 10 * L);
    FloatVector a11 = FloatVector.fromArray(F, c, cIndex + 11 * L);
    for (int k = 0; k < count; k += L) {
      FloatVector x0 = load(x, xOffset + k * 4L);
      a0 = FloatVector.fromArray(F, w, wIndex + k).fma(x0, a0);
      a1 = FloatVector.fromArray(F, w, wIndex + k + WIDE_STRIDE).fma(x0, a1);
      a2 = FloatVector.fromArray(F, w, wIndex + k + 2 * WIDE_STRIDE).fma(x0, a2);
      a3 = FloatVector.fromArray(F, w, wIndex + k + 3 * WIDE_STRIDE).fma(x0, a3);
      a4 = FloatVector.fromArray(F, w, wIndex + k + 4 * WIDE_STRIDE).fma(x0, a4);
      a5 = FloatVector.fromArray(F, w, wIndex + k + 5 * WIDE_STRIDE).fma(x0, a5);
      a6 = FloatVector.fromArray(F, w, wIndex + k + 6 * WIDE_STRIDE).fma(x0, a6);
      a7 = FloatVector.fromArray(F, w, wIndex + k + 7 * WIDE_STRIDE).fma(x0, a7);
      a8 = FloatVector.fromArray(F, w, wIndex + k + 8 * WIDE_STRIDE).fma(x0, a8);
      a9 = FloatVector.fromArray(F, w, wIndex + k + 9 * WIDE_STRIDE).fma(x0, a9);
      a10 = FloatVector.fromArray(F, w, wIndex + k + 10 * WIDE_STRIDE).fma(x0, a10);
      a11 = FloatVector.fromArray(F, w, wIndex + k + 11 * WIDE_STRIDE).fma(x0, a11);
    }
    a0.intoArray(c, cIndex);
    a1.intoArray(c, cIndex + L);
    a2.intoArray(c, cIndex + 2 * L);
    a3.intoArray(c, cIndex + 3 * L);
    a4.intoArray(c, cIndex + 4 * L);
    a5.intoArray(c, cIndex + 5 * L);
    a6.intoArray(c, cIndex + 6 * L);
    a7.intoArray(c, cIndex + 7 * L);
    a8.intoArray(c, cIndex + 8 * L);
    a9.intoArray(c, cIndex + 9 * L);
    a10.intoArray(c, cIndex + 10 * L);
    a11.intoArray(c, cIndex + 11 * L);
  }
}
