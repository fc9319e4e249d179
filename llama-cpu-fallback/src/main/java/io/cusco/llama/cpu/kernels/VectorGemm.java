package io.cusco.llama.cpu.kernels;

import static io.cusco.llama.cpu.kernels.Lanes.F;
import static io.cusco.llama.cpu.kernels.Lanes.L;
import static io.cusco.llama.cpu.kernels.Lanes.LE;

import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.FloatVector;

/// Register tiles of a matrix product with tokens in the lanes: each step loads one or two vectors of
/// activations and multiplies them by one broadcast weight per row.
///
/// Eight rows times two vectors keep sixteen sums in registers, enough to hide the latency of the
/// multiply-add; machines with sixteen registers take four rows.
final class VectorGemm {
  private VectorGemm() {}

  private static FloatVector load(MemorySegment x, long offset) {
    return FloatVector.fromMemorySegment(F, x, offset, LE);
  }

  private static FloatVector sum(float[] c, int index) {
    return FloatVector.fromArray(F, c, index);
  }

  static void tile8x2(
      float[] w, int w0, int wStride, MemorySegment x, long xOffset, int count, float[] c, int c0,
      int cStride) {
    int w1 = w0 + wStride;
    int w2 = w1 + wStride;
    int w3 = w2 + wStride;
    int w4 = w3 + wStride;
    int w5 = w4 + wStride;
    int w6 = w5 + wStride;
    int w7 = w6 + wStride;
    FloatVector a0 = FloatVector.zero(F);
    FloatVector a1 = FloatVector.zero(F);
    FloatVector a2 = FloatVector.zero(F);
    FloatVector a3 = FloatVector.zero(F);
    FloatVector a4 = FloatVector.zero(F);
    FloatVector a5 = FloatVector.zero(F);
    FloatVector a6 = FloatVector.zero(F);
    FloatVector a7 = FloatVector.zero(F);
    FloatVector b0 = FloatVector.zero(F);
    FloatVector b1 = FloatVector.zero(F);
    FloatVector b2 = FloatVector.zero(F);
    FloatVector b3 = FloatVector.zero(F);
    FloatVector b4 = FloatVector.zero(F);
    FloatVector b5 = FloatVector.zero(F);
    FloatVector b6 = FloatVector.zero(F);
    FloatVector b7 = FloatVector.zero(F);
    for (int k = 0; k < count; k++) {
      long at = xOffset + (long) k * (8 * L);
      FloatVector x0 = load(x, at);
      FloatVector x1 = load(x, at + 4L * L);
      FloatVector weight = FloatVector.broadcast(F, w[w0 + k]);
      a0 = weight.fma(x0, a0);
      b0 = weight.fma(x1, b0);
      weight = FloatVector.broadcast(F, w[w1 + k]);
      a1 = weight.fma(x0, a1);
      b1 = weight.fma(x1, b1);
      weight = FloatVector.broadcast(F, w[w2 + k]);
      a2 = weight.fma(x0, a2);
      b2 = weight.fma(x1, b2);
      weight = FloatVector.broadcast(F, w[w3 + k]);
      a3 = weight.fma(x0, a3);
      b3 = weight.fma(x1, b3);
      weight = FloatVector.broadcast(F, w[w4 + k]);
      a4 = weight.fma(x0, a4);
      b4 = weight.fma(x1, b4);
      weight = FloatVector.broadcast(F, w[w5 + k]);
      a5 = weight.fma(x0, a5);
      b5 = weight.fma(x1, b5);
      weight = FloatVector.broadcast(F, w[w6 + k]);
      a6 = weight.fma(x0, a6);
      b6 = weight.fma(x1, b6);
      weight = FloatVector.broadcast(F, w[w7 + k]);
      a7 = weight.fma(x0, a7);
      b7 = weight.fma(x1, b7);
    }
    add(a0, b0, c, c0);
    add(a1, b1, c, c0 + cStride);
    add(a2, b2, c, c0 + 2 * cStride);
    add(a3, b3, c, c0 + 3 * cStride);
    add(a4, b4, c, c0 + 4 * cStride);
    add(a5, b5, c, c0 + 5 * cStride);
    add(a6, b6, c, c0 + 6 * cStride);
    add(a7, b7, c, c0 + 7 * cStride);
  }

  private static void add(FloatVector a, FloatVector b, float[] c, int index) {
    sum(c, index).add(a).intoArray(c, index);
    sum(c, index + L).add(b).intoArray(c, index + L);
  }

  static void tile8x1(
      float[] w, int w0, int wStride, MemorySegment x, long xOffset, int count, float[] c, int c0,
      int cStride) {
    int w1 = w0 + wStride;
    int w2 = w1 + wStride;
    int w3 = w2 + wStride;
    int w4 = w3 + wStride;
    int w5 = w4 + wStride;
    int w6 = w5 + wStride;
    int w7 = w6 + wStride;
    FloatVector a0 = sum(c, c0);
    FloatVector a1 = sum(c, c0 + cStride);
    FloatVector a2 = sum(c, c0 + 2 * cStride);
    FloatVector a3 = sum(c, c0 + 3 * cStride);
    FloatVector a4 = sum(c, c0 + 4 * cStride);
    FloatVector a5 = sum(c, c0 + 5 * cStride);
    FloatVector a6 = sum(c, c0 + 6 * cStride);
    FloatVector a7 = sum(c, c0 + 7 * cStride);
    for (int k = 0; k < count; k++) {
      FloatVector x0 = load(x, xOffset + (long) k * (4 * L));
      a0 = FloatVector.broadcast(F, w[w0 + k]).fma(x0, a0);
      a1 = FloatVector.broadcast(F, w[w1 + k]).fma(x0, a1);
      a2 = FloatVector.broadcast(F, w[w2 + k]).fma(x0, a2);
      a3 = FloatVector.broadcast(F, w[w3 + k]).fma(x0, a3);
      a4 = FloatVector.broadcast(F, w[w4 + k]).fma(x0, a4);
      a5 = FloatVector.broadcast(F, w[w5 + k]).fma(x0, a5);
      a6 = FloatVector.broadcast(F, w[w6 + k]).fma(x0, a6);
      a7 = FloatVector.broadcast(F, w[w7 + k]).fma(x0, a7);
    }
    a0.intoArray(c, c0);
    a1.intoArray(c, c0 + cStride);
    a2.intoArray(c, c0 + 2 * cStride);
    a3.intoArray(c, c0 + 3 * cStride);
    a4.intoArray(c, c0 + 4 * cStride);
    a5.intoArray(c, c0 + 5 * cStride);
    a6.intoArray(c, c0 + 6 * cStride);
    a7.intoArray(c, c0 + 7 * cStride);
  }

  static void tile4x2(
      float[] w, int w0, int wStride, MemorySegment x, long xOffset, int count, float[] c, int c0,
      int cStride) {
    int w1 = w0 + wStride;
    int w2 = w1 + wStride;
    int w3 = w2 + wStride;
    FloatVector a0 = FloatVector.zero(F);
    FloatVector a1 = FloatVector.zero(F);
    FloatVector a2 = FloatVector.zero(F);
    FloatVector a3 = FloatVector.zero(F);
    FloatVector b0 = FloatVector.zero(F);
    FloatVector b1 = FloatVector.zero(F);
    FloatVector b2 = FloatVector.zero(F);
    FloatVector b3 = FloatVector.zero(F);
    for (int k = 0; k < count; k++) {
      long at = xOffset + (long) k * (8 * L);
      FloatVector x0 = load(x, at);
      FloatVector x1 = load(x, at + 4L * L);
      FloatVector weight = FloatVector.broadcast(F, w[w0 + k]);
      a0 = weight.fma(x0, a0);
      b0 = weight.fma(x1, b0);
      weight = FloatVector.broadcast(F, w[w1 + k]);
      a1 = weight.fma(x0, a1);
      b1 = weight.fma(x1, b1);
      weight = FloatVector.broadcast(F, w[w2 + k]);
      a2 = weight.fma(x0, a2);
      b2 = weight.fma(x1, b2);
      weight = FloatVector.broadcast(F, w[w3 + k]);
      a3 = weight.fma(x0, a3);
      b3 = weight.fma(x1, b3);
    }
    add(a0, b0, c, c0);
    add(a1, b1, c, c0 + cStride);
    add(a2, b2, c, c0 + 2 * cStride);
    add(a3, b3, c, c0 + 3 * cStride);
  }

  /// One row times one or two vectors: the rows that do not fill a tile.
  static void tile1(
      float[] w, int w0, MemorySegment x, long xOffset, long xStep, int count, float[] c, int c0) {
    FloatVector a0 = sum(c, c0);
    for (int k = 0; k < count; k++) {
      a0 = FloatVector.broadcast(F, w[w0 + k]).fma(load(x, xOffset + k * xStep), a0);
    }
    a0.intoArray(c, c0);
  }
}
