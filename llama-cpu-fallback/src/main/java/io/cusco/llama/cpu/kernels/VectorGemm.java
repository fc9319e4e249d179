package io.cusco.llama.cpu.kernels;

import static io.cusco.llama.cpu.kernels.Lanes.F;
import static io.cusco.llama.cpu.kernels.Lanes.L;
import static io.cusco.llama.cpu.kernels.Lanes.LE;

import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.FloatVector;

/// Register tiles of a matrix product with tokens in the lanes: each step loads one or two vectors
/// of activations and multiplies them by one broadcast weight per row.
///
/// Eight rows times two vectors keep sixteen sums in registers, enough to hide the latency of the
/// multiply-add; machines with sixteen registers take four rows.
///
/// A tile only stores its sums; adding them to the result is a method of its own. The compiler
/// stops turning Vector API calls into instructions once a method's graph is too large, and a tile
/// that also loads and adds its result passes that limit.
final class VectorGemm {
  private VectorGemm() {}

  private static FloatVector load(MemorySegment x, long offset) {
    return FloatVector.fromMemorySegment(F, x, offset, LE);
  }

  /// Adds a tile's sums, `[rows][width]`, to the result.
  static void addTile(float[] part, int rows, int width, float[] c, int cIndex, int cStride) {
    for (int row = 0; row < rows; row++) {
      for (int i = 0; i < width; i += L) {
        int at = cIndex + row * cStride + i;
        FloatVector sums = FloatVector.fromArray(F, part, row * width + i);
        FloatVector.fromArray(F, c, at).add(sums).intoArray(c, at);
      }
    }
  }

  static void tile8x2(
      float[] w, int w0, int wStride, MemorySegment x, long xOffset, int count, float[] part) {
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
      long at = xOffset + k * (8L * L);
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
    a0.intoArray(part, 0);
    b0.intoArray(part, L);
    a1.intoArray(part, 2 * L);
    b1.intoArray(part, 3 * L);
    a2.intoArray(part, 4 * L);
    b2.intoArray(part, 5 * L);
    a3.intoArray(part, 6 * L);
    b3.intoArray(part, 7 * L);
    a4.intoArray(part, 8 * L);
    b4.intoArray(part, 9 * L);
    a5.intoArray(part, 10 * L);
    b5.intoArray(part, 11 * L);
    a6.intoArray(part, 12 * L);
    b6.intoArray(part, 13 * L);
    a7.intoArray(part, 14 * L);
    b7.intoArray(part, 15 * L);
  }

  static void tile8x1(
      float[] w, int w0, int wStride, MemorySegment x, long xOffset, int count, float[] part) {
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
    for (int k = 0; k < count; k++) {
      FloatVector x0 = load(x, xOffset + k * (4L * L));
      a0 = FloatVector.broadcast(F, w[w0 + k]).fma(x0, a0);
      a1 = FloatVector.broadcast(F, w[w1 + k]).fma(x0, a1);
      a2 = FloatVector.broadcast(F, w[w2 + k]).fma(x0, a2);
      a3 = FloatVector.broadcast(F, w[w3 + k]).fma(x0, a3);
      a4 = FloatVector.broadcast(F, w[w4 + k]).fma(x0, a4);
      a5 = FloatVector.broadcast(F, w[w5 + k]).fma(x0, a5);
      a6 = FloatVector.broadcast(F, w[w6 + k]).fma(x0, a6);
      a7 = FloatVector.broadcast(F, w[w7 + k]).fma(x0, a7);
    }
    a0.intoArray(part, 0);
    a1.intoArray(part, L);
    a2.intoArray(part, 2 * L);
    a3.intoArray(part, 3 * L);
    a4.intoArray(part, 4 * L);
    a5.intoArray(part, 5 * L);
    a6.intoArray(part, 6 * L);
    a7.intoArray(part, 7 * L);
  }

  static void tile4x2(
      float[] w, int w0, int wStride, MemorySegment x, long xOffset, int count, float[] part) {
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
      long at = xOffset + k * (8L * L);
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
    a0.intoArray(part, 0);
    b0.intoArray(part, L);
    a1.intoArray(part, 2 * L);
    b1.intoArray(part, 3 * L);
    a2.intoArray(part, 4 * L);
    b2.intoArray(part, 5 * L);
    a3.intoArray(part, 6 * L);
    b3.intoArray(part, 7 * L);
  }

  /// One row times one or two vectors: the rows that do not fill a tile.
  static void tile1(
      float[] w, int w0, MemorySegment x, long xOffset, long xStep, int count, float[] c, int c0) {
    FloatVector a0 = FloatVector.fromArray(F, c, c0);
    for (int k = 0; k < count; k++) {
      a0 = FloatVector.broadcast(F, w[w0 + k]).fma(load(x, xOffset + k * xStep), a0);
    }
    a0.intoArray(c, c0);
  }
}
