package io.cusco.llama.cpu.kernels;

import static io.cusco.llama.cpu.kernels.InterleavedMatrix.BLOCK;
import static io.cusco.llama.cpu.kernels.InterleavedMatrix.GROUP;
import static io.cusco.llama.cpu.kernels.InterleavedMatrix.PAIR;
import static io.cusco.llama.cpu.kernels.Kernels.WIDE_STRIDE;
import static io.cusco.llama.cpu.kernels.Lanes.B;
import static io.cusco.llama.cpu.kernels.Lanes.F;
import static io.cusco.llama.cpu.kernels.Lanes.L;
import static io.cusco.llama.cpu.kernels.Lanes.LE;
import static io.cusco.llama.memory.OpenMemory.MEMORY;

import io.cusco.llama.memory.OpenMemory;
import jdk.incubator.vector.ByteVector;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;

/// Register tiles of an [InterleavedMatrix] at 512 bits: two groups of rows, widened in registers,
/// times a few tokens.
///
/// ```
///   p q        16 numbers of a column of each group, times their scales
///   x0 x1 ..   one column of each token, broadcast
///   a0 b0 ..   sums: [token][2 groups]
/// ```
///
/// Weights come from memory while sums are computed: one after the other in two streams, few enough
/// a turn for the processor to see the next lines in time. Widened beforehand they would be
/// multiplied faster, but the reading would stop meanwhile.
///
/// Scales stay in registers for a block: picked out by the column, they would cost a bounds check a
/// turn. The kernels call the Vector API itself and not through methods of ours, which the compiler
/// stops inlining earlier (`NodeCountInliningCutoff`).
final class InterleavedTiles {
  /// Tokens of the largest tile.
  static final int MAX_TOKENS = 12;

  private InterleavedTiles() {}

  /// Tokens of the next tile when `done` tokens of a batch are done and `left` are not; it may
  /// reach beyond the batch. Measured: eight tokens that come first take longer than twice four, as
  /// their weights come from memory; for later ones a cache holds them.
  static int tokens(int done, int left) {
    if (left <= 4 || (done == 0 && left <= 8)) {
      return 4;
    }
    return done > 0 && left <= 8 ? 8 : MAX_TOKENS;
  }

  /// Adds the product of a pair of groups with one tile of tokens.
  ///
  /// @param scales `[blocks][PAIR]`, widened
  static void multiply(
      int tokens,
      float[] x,
      int xIndex,
      long numbers0,
      long numbers1,
      float[] scales,
      int blocks,
      float[] c,
      int cIndex,
      int cStride) {
    switch (tokens) {
      case 4 -> tokens4(x, xIndex, numbers0, numbers1, scales, blocks, c, cIndex, cStride);
      case 8 -> tokens8(x, xIndex, numbers0, numbers1, scales, blocks, c, cIndex, cStride);
      default -> tokens12(x, xIndex, numbers0, numbers1, scales, blocks, c, cIndex, cStride);
    }
  }

  /// 4 tokens: `c[token * cStride + row] += ...`.
  private static void tokens4(
      float[] x,
      int xIndex,
      long numbers0,
      long numbers1,
      float[] scales,
      int blocks,
      float[] c,
      int cIndex,
      int cStride) {
    long w0 = OpenMemory.within(numbers0);
    long w1 = OpenMemory.within(numbers1);
    FloatVector a0 = FloatVector.fromArray(F, c, cIndex);
    FloatVector b0 = FloatVector.fromArray(F, c, cIndex + L);
    FloatVector a1 = FloatVector.fromArray(F, c, cIndex + cStride);
    FloatVector b1 = FloatVector.fromArray(F, c, cIndex + cStride + L);
    FloatVector a2 = FloatVector.fromArray(F, c, cIndex + 2 * cStride);
    FloatVector b2 = FloatVector.fromArray(F, c, cIndex + 2 * cStride + L);
    FloatVector a3 = FloatVector.fromArray(F, c, cIndex + 3 * cStride);
    FloatVector b3 = FloatVector.fromArray(F, c, cIndex + 3 * cStride + L);
    for (int k = 0; k < blocks; k++) {
      FloatVector scale0 = FloatVector.fromArray(F, scales, k * PAIR);
      FloatVector scale1 = FloatVector.fromArray(F, scales, k * PAIR + GROUP);
      for (int j = 0; j < BLOCK; j++) {
        long at = k * 512L + j * 16L;
        int column = xIndex + k * BLOCK + j;
        FloatVector p =
            ((FloatVector)
                    ByteVector.fromMemorySegment(B, MEMORY, w0 + at, LE)
                        .convertShape(VectorOperators.B2F, F, 0))
                .mul(scale0);
        FloatVector q =
            ((FloatVector)
                    ByteVector.fromMemorySegment(B, MEMORY, w1 + at, LE)
                        .convertShape(VectorOperators.B2F, F, 0))
                .mul(scale1);
        FloatVector value = FloatVector.broadcast(F, x[column]);
        a0 = p.fma(value, a0);
        b0 = q.fma(value, b0);
        value = FloatVector.broadcast(F, x[column + WIDE_STRIDE]);
        a1 = p.fma(value, a1);
        b1 = q.fma(value, b1);
        value = FloatVector.broadcast(F, x[column + 2 * WIDE_STRIDE]);
        a2 = p.fma(value, a2);
        b2 = q.fma(value, b2);
        value = FloatVector.broadcast(F, x[column + 3 * WIDE_STRIDE]);
        a3 = p.fma(value, a3);
        b3 = q.fma(value, b3);
      }
    }
    a0.intoArray(c, cIndex);
    b0.intoArray(c, cIndex + L);
    a1.intoArray(c, cIndex + cStride);
    b1.intoArray(c, cIndex + cStride + L);
    a2.intoArray(c, cIndex + 2 * cStride);
    b2.intoArray(c, cIndex + 2 * cStride + L);
    a3.intoArray(c, cIndex + 3 * cStride);
    b3.intoArray(c, cIndex + 3 * cStride + L);
  }

  /// 8 tokens: `c[token * cStride + row] += ...`.
  private static void tokens8(
      float[] x,
      int xIndex,
      long numbers0,
      long numbers1,
      float[] scales,
      int blocks,
      float[] c,
      int cIndex,
      int cStride) {
    long w0 = OpenMemory.within(numbers0);
    long w1 = OpenMemory.within(numbers1);
    FloatVector a0 = FloatVector.fromArray(F, c, cIndex);
    FloatVector b0 = FloatVector.fromArray(F, c, cIndex + L);
    FloatVector a1 = FloatVector.fromArray(F, c, cIndex + cStride);
    FloatVector b1 = FloatVector.fromArray(F, c, cIndex + cStride + L);
    FloatVector a2 = FloatVector.fromArray(F, c, cIndex + 2 * cStride);
    FloatVector b2 = FloatVector.fromArray(F, c, cIndex + 2 * cStride + L);
    FloatVector a3 = FloatVector.fromArray(F, c, cIndex + 3 * cStride);
    FloatVector b3 = FloatVector.fromArray(F, c, cIndex + 3 * cStride + L);
    FloatVector a4 = FloatVector.fromArray(F, c, cIndex + 4 * cStride);
    FloatVector b4 = FloatVector.fromArray(F, c, cIndex + 4 * cStride + L);
    FloatVector a5 = FloatVector.fromArray(F, c, cIndex + 5 * cStride);
    FloatVector b5 = FloatVector.fromArray(F, c, cIndex + 5 * cStride + L);
    FloatVector a6 = FloatVector.fromArray(F, c, cIndex + 6 * cStride);
    FloatVector b6 = FloatVector.fromArray(F, c, cIndex + 6 * cStride + L);
    FloatVector a7 = FloatVector.fromArray(F, c, cIndex + 7 * cStride);
    FloatVector b7 = FloatVector.fromArray(F, c, cIndex + 7 * cStride + L);
    for (int k = 0; k < blocks; k++) {
      FloatVector scale0 = FloatVector.fromArray(F, scales, k * PAIR);
      FloatVector scale1 = FloatVector.fromArray(F, scales, k * PAIR + GROUP);
      for (int j = 0; j < BLOCK; j++) {
        long at = k * 512L + j * 16L;
        int column = xIndex + k * BLOCK + j;
        FloatVector p =
            ((FloatVector)
                    ByteVector.fromMemorySegment(B, MEMORY, w0 + at, LE)
                        .convertShape(VectorOperators.B2F, F, 0))
                .mul(scale0);
        FloatVector q =
            ((FloatVector)
                    ByteVector.fromMemorySegment(B, MEMORY, w1 + at, LE)
                        .convertShape(VectorOperators.B2F, F, 0))
                .mul(scale1);
        FloatVector value = FloatVector.broadcast(F, x[column]);
        a0 = p.fma(value, a0);
        b0 = q.fma(value, b0);
        value = FloatVector.broadcast(F, x[column + WIDE_STRIDE]);
        a1 = p.fma(value, a1);
        b1 = q.fma(value, b1);
        value = FloatVector.broadcast(F, x[column + 2 * WIDE_STRIDE]);
        a2 = p.fma(value, a2);
        b2 = q.fma(value, b2);
        value = FloatVector.broadcast(F, x[column + 3 * WIDE_STRIDE]);
        a3 = p.fma(value, a3);
        b3 = q.fma(value, b3);
        value = FloatVector.broadcast(F, x[column + 4 * WIDE_STRIDE]);
        a4 = p.fma(value, a4);
        b4 = q.fma(value, b4);
        value = FloatVector.broadcast(F, x[column + 5 * WIDE_STRIDE]);
        a5 = p.fma(value, a5);
        b5 = q.fma(value, b5);
        value = FloatVector.broadcast(F, x[column + 6 * WIDE_STRIDE]);
        a6 = p.fma(value, a6);
        b6 = q.fma(value, b6);
        value = FloatVector.broadcast(F, x[column + 7 * WIDE_STRIDE]);
        a7 = p.fma(value, a7);
        b7 = q.fma(value, b7);
      }
    }
    a0.intoArray(c, cIndex);
    b0.intoArray(c, cIndex + L);
    a1.intoArray(c, cIndex + cStride);
    b1.intoArray(c, cIndex + cStride + L);
    a2.intoArray(c, cIndex + 2 * cStride);
    b2.intoArray(c, cIndex + 2 * cStride + L);
    a3.intoArray(c, cIndex + 3 * cStride);
    b3.intoArray(c, cIndex + 3 * cStride + L);
    a4.intoArray(c, cIndex + 4 * cStride);
    b4.intoArray(c, cIndex + 4 * cStride + L);
    a5.intoArray(c, cIndex + 5 * cStride);
    b5.intoArray(c, cIndex + 5 * cStride + L);
    a6.intoArray(c, cIndex + 6 * cStride);
    b6.intoArray(c, cIndex + 6 * cStride + L);
    a7.intoArray(c, cIndex + 7 * cStride);
    b7.intoArray(c, cIndex + 7 * cStride + L);
  }

  /// 12 tokens: `c[token * cStride + row] += ...`.
  private static void tokens12(
      float[] x,
      int xIndex,
      long numbers0,
      long numbers1,
      float[] scales,
      int blocks,
      float[] c,
      int cIndex,
      int cStride) {
    long w0 = OpenMemory.within(numbers0);
    long w1 = OpenMemory.within(numbers1);
    FloatVector a0 = FloatVector.fromArray(F, c, cIndex);
    FloatVector b0 = FloatVector.fromArray(F, c, cIndex + L);
    FloatVector a1 = FloatVector.fromArray(F, c, cIndex + cStride);
    FloatVector b1 = FloatVector.fromArray(F, c, cIndex + cStride + L);
    FloatVector a2 = FloatVector.fromArray(F, c, cIndex + 2 * cStride);
    FloatVector b2 = FloatVector.fromArray(F, c, cIndex + 2 * cStride + L);
    FloatVector a3 = FloatVector.fromArray(F, c, cIndex + 3 * cStride);
    FloatVector b3 = FloatVector.fromArray(F, c, cIndex + 3 * cStride + L);
    FloatVector a4 = FloatVector.fromArray(F, c, cIndex + 4 * cStride);
    FloatVector b4 = FloatVector.fromArray(F, c, cIndex + 4 * cStride + L);
    FloatVector a5 = FloatVector.fromArray(F, c, cIndex + 5 * cStride);
    FloatVector b5 = FloatVector.fromArray(F, c, cIndex + 5 * cStride + L);
    FloatVector a6 = FloatVector.fromArray(F, c, cIndex + 6 * cStride);
    FloatVector b6 = FloatVector.fromArray(F, c, cIndex + 6 * cStride + L);
    FloatVector a7 = FloatVector.fromArray(F, c, cIndex + 7 * cStride);
    FloatVector b7 = FloatVector.fromArray(F, c, cIndex + 7 * cStride + L);
    FloatVector a8 = FloatVector.fromArray(F, c, cIndex + 8 * cStride);
    FloatVector b8 = FloatVector.fromArray(F, c, cIndex + 8 * cStride + L);
    FloatVector a9 = FloatVector.fromArray(F, c, cIndex + 9 * cStride);
    FloatVector b9 = FloatVector.fromArray(F, c, cIndex + 9 * cStride + L);
    FloatVector a10 = FloatVector.fromArray(F, c, cIndex + 10 * cStride);
    FloatVector b10 = FloatVector.fromArray(F, c, cIndex + 10 * cStride + L);
    FloatVector a11 = FloatVector.fromArray(F, c, cIndex + 11 * cStride);
    FloatVector b11 = FloatVector.fromArray(F, c, cIndex + 11 * cStride + L);
    for (int k = 0; k < blocks; k++) {
      FloatVector scale0 = FloatVector.fromArray(F, scales, k * PAIR);
      FloatVector scale1 = FloatVector.fromArray(F, scales, k * PAIR + GROUP);
      for (int j = 0; j < BLOCK; j++) {
        long at = k * 512L + j * 16L;
        int column = xIndex + k * BLOCK + j;
        FloatVector p =
            ((FloatVector)
                    ByteVector.fromMemorySegment(B, MEMORY, w0 + at, LE)
                        .convertShape(VectorOperators.B2F, F, 0))
                .mul(scale0);
        FloatVector q =
            ((FloatVector)
                    ByteVector.fromMemorySegment(B, MEMORY, w1 + at, LE)
                        .convertShape(VectorOperators.B2F, F, 0))
                .mul(scale1);
        FloatVector value = FloatVector.broadcast(F, x[column]);
        a0 = p.fma(value, a0);
        b0 = q.fma(value, b0);
        value = FloatVector.broadcast(F, x[column + WIDE_STRIDE]);
        a1 = p.fma(value, a1);
        b1 = q.fma(value, b1);
        value = FloatVector.broadcast(F, x[column + 2 * WIDE_STRIDE]);
        a2 = p.fma(value, a2);
        b2 = q.fma(value, b2);
        value = FloatVector.broadcast(F, x[column + 3 * WIDE_STRIDE]);
        a3 = p.fma(value, a3);
        b3 = q.fma(value, b3);
        value = FloatVector.broadcast(F, x[column + 4 * WIDE_STRIDE]);
        a4 = p.fma(value, a4);
        b4 = q.fma(value, b4);
        value = FloatVector.broadcast(F, x[column + 5 * WIDE_STRIDE]);
        a5 = p.fma(value, a5);
        b5 = q.fma(value, b5);
        value = FloatVector.broadcast(F, x[column + 6 * WIDE_STRIDE]);
        a6 = p.fma(value, a6);
        b6 = q.fma(value, b6);
        value = FloatVector.broadcast(F, x[column + 7 * WIDE_STRIDE]);
        a7 = p.fma(value, a7);
        b7 = q.fma(value, b7);
        value = FloatVector.broadcast(F, x[column + 8 * WIDE_STRIDE]);
        a8 = p.fma(value, a8);
        b8 = q.fma(value, b8);
        value = FloatVector.broadcast(F, x[column + 9 * WIDE_STRIDE]);
        a9 = p.fma(value, a9);
        b9 = q.fma(value, b9);
        value = FloatVector.broadcast(F, x[column + 10 * WIDE_STRIDE]);
        a10 = p.fma(value, a10);
        b10 = q.fma(value, b10);
        value = FloatVector.broadcast(F, x[column + 11 * WIDE_STRIDE]);
        a11 = p.fma(value, a11);
        b11 = q.fma(value, b11);
      }
    }
    a0.intoArray(c, cIndex);
    b0.intoArray(c, cIndex + L);
    a1.intoArray(c, cIndex + cStride);
    b1.intoArray(c, cIndex + cStride + L);
    a2.intoArray(c, cIndex + 2 * cStride);
    b2.intoArray(c, cIndex + 2 * cStride + L);
    a3.intoArray(c, cIndex + 3 * cStride);
    b3.intoArray(c, cIndex + 3 * cStride + L);
    a4.intoArray(c, cIndex + 4 * cStride);
    b4.intoArray(c, cIndex + 4 * cStride + L);
    a5.intoArray(c, cIndex + 5 * cStride);
    b5.intoArray(c, cIndex + 5 * cStride + L);
    a6.intoArray(c, cIndex + 6 * cStride);
    b6.intoArray(c, cIndex + 6 * cStride + L);
    a7.intoArray(c, cIndex + 7 * cStride);
    b7.intoArray(c, cIndex + 7 * cStride + L);
    a8.intoArray(c, cIndex + 8 * cStride);
    b8.intoArray(c, cIndex + 8 * cStride + L);
    a9.intoArray(c, cIndex + 9 * cStride);
    b9.intoArray(c, cIndex + 9 * cStride + L);
    a10.intoArray(c, cIndex + 10 * cStride);
    b10.intoArray(c, cIndex + 10 * cStride + L);
    a11.intoArray(c, cIndex + 11 * cStride);
    b11.intoArray(c, cIndex + 11 * cStride + L);
  }
}
