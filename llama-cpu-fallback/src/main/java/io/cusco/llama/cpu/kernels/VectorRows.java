package io.cusco.llama.cpu.kernels;

import static io.cusco.llama.cpu.kernels.Lanes.B;
import static io.cusco.llama.cpu.kernels.Lanes.F;
import static io.cusco.llama.cpu.kernels.Lanes.I;
import static io.cusco.llama.cpu.kernels.Lanes.L;
import static io.cusco.llama.cpu.kernels.Lanes.LE;
import static io.cusco.llama.cpu.kernels.Lanes.S;
import static io.cusco.llama.memory.OpenMemory.MEMORY;

import io.cusco.llama.memory.OpenMemory;
import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.ByteVector;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.ShortVector;
import jdk.incubator.vector.VectorOperators;

/// Products of packed rows with a few tokens, at 512 bits: four rows times four tokens at a time,
/// straight from the blocks of the checkpoint. Columns are the lanes; sixteen vectors of sums stay
/// in registers for a whole row.
///
/// ```
///   w0 w1 w2 w3   blocks of four rows     widened in registers, each used four times
///   x0 x1 x2 x3   the same columns        read as they lie
///   sums: [4 rows][4 tokens][lanes]
/// ```
///
/// A panel that was widened before is multiplied faster, but writing it and reading it back costs
/// more than that up to about twelve tokens. Where there are fewer rows or tokens the last is taken
/// again.
///
/// The kernels call the Vector API itself and not through methods of ours: past a certain size
/// (`NodeCountInliningCutoff`) the compiler goes on inlining the API's methods, and no others. That
/// is why they are written out, beyond the usual length.
final class VectorRows {
  /// Rows, and tokens, of a tile.
  private static final int TILE = 4;

  /// Rows that all tokens pass one after the other while the second-level cache holds them and the
  /// first-level cache a tile's tokens.
  private static final long GROUP_BYTES = 64 << 10;

  private static final int MAX_GROUP = 64;

  private VectorRows() {}

  /// Whether there is a kernel for the matrix. BF16, which takes less widening, still gains at
  /// sixteen tokens, where the others are a little faster with tokens in the lanes.
  static boolean takes(Matrix w, int tokens) {
    return switch (w.type()) {
      case BF16 -> L == 16 && w.columns() % L == 0 && tokens <= L;
      case Q8_0, Q4_0 -> L == 16 && tokens < L;
      default -> false;
    };
  }

  /// See [Kernels#multiplyRows].
  static void multiply(
      Matrix w,
      int rowStart,
      int rowEnd,
      MemorySegment x,
      long xStride,
      int tokens,
      float[] out,
      int outStride,
      float[] sums) {
    int groupRows = Math.clamp(GROUP_BYTES / w.rowBytes() / TILE, 1, MAX_GROUP) * TILE;
    for (int row = rowStart; row < rowEnd; row += groupRows) {
      int end = Math.min(rowEnd, row + groupRows);
      for (int token = 0; token < tokens; token += TILE) {
        int lastToken = Math.min(TILE, tokens - token) - 1;
        for (int tileRow = row; tileRow < end; tileRow += TILE) {
          int rows = Math.min(TILE, end - tileRow);
          tile(w, tileRow, rows - 1, x, token * xStride, xStride, lastToken, sums);
          for (int t = 0; t <= lastToken; t++) {
            int to = (token + t) * outStride + tileRow - rowStart;
            for (int r = 0; r < rows; r++) {
              out[to + r] = Lanes.sum(FloatVector.fromArray(F, sums, (r * TILE + t) * L));
            }
          }
        }
      }
    }
  }

  /// One tile: `[4][4][lanes]` of `sums`.
  private static void tile(
      Matrix w,
      int row,
      int lastRow,
      MemorySegment x,
      long xOffset,
      long xStride,
      int lastToken,
      float[] sums) {
    int columns = w.columns();
    long rowBytes = w.rowBytes();
    long address = OpenMemory.address(w.segment(), w.rowOffset(row), (lastRow + 1) * rowBytes);
    switch (w.type()) {
      case Q8_0 ->
          q8_0(address, rowBytes, lastRow, x, xOffset, xStride, lastToken, columns / 32, sums);
      case BF16 ->
          bf16(address, rowBytes, lastRow, x, xOffset, xStride, lastToken, columns / L, sums);
      case Q4_0 ->
          q4_0(address, rowBytes, lastRow, x, xOffset, xStride, lastToken, columns / 32, sums);
      default -> throw new IllegalStateException(w.type() + " has no kernel for a few tokens");
    }
  }

  /// Q8_0: a turn is a block of each row, two vectors.
  private static void q8_0(
      long w,
      long rowBytes,
      int lastRow,
      MemorySegment x,
      long xOffset,
      long xStride,
      int lastToken,
      int blocks,
      float[] sums) {
    long w1 = OpenMemory.within(w + Math.min(1, lastRow) * rowBytes);
    long w2 = OpenMemory.within(w + Math.min(2, lastRow) * rowBytes);
    long w3 = OpenMemory.within(w + Math.min(3, lastRow) * rowBytes);
    long bytes = blocks * 128L;
    long x0 = OpenMemory.address(x, xOffset, bytes);
    long x1 = OpenMemory.address(x, xOffset + Math.min(1, lastToken) * xStride, bytes);
    long x2 = OpenMemory.address(x, xOffset + Math.min(2, lastToken) * xStride, bytes);
    long x3 = OpenMemory.address(x, xOffset + Math.min(3, lastToken) * xStride, bytes);
    FloatVector a0 = FloatVector.zero(F);
    FloatVector b0 = FloatVector.zero(F);
    FloatVector c0 = FloatVector.zero(F);
    FloatVector d0 = FloatVector.zero(F);
    FloatVector a1 = FloatVector.zero(F);
    FloatVector b1 = FloatVector.zero(F);
    FloatVector c1 = FloatVector.zero(F);
    FloatVector d1 = FloatVector.zero(F);
    FloatVector a2 = FloatVector.zero(F);
    FloatVector b2 = FloatVector.zero(F);
    FloatVector c2 = FloatVector.zero(F);
    FloatVector d2 = FloatVector.zero(F);
    FloatVector a3 = FloatVector.zero(F);
    FloatVector b3 = FloatVector.zero(F);
    FloatVector c3 = FloatVector.zero(F);
    FloatVector d3 = FloatVector.zero(F);
    for (int k = 0; k < blocks; k++) {
      long block = k * 34L;
      long at = k * 128L;
      FloatVector s0 = VectorGemv.scale(w + block);
      FloatVector s1 = VectorGemv.scale(w1 + block);
      FloatVector s2 = VectorGemv.scale(w2 + block);
      FloatVector s3 = VectorGemv.scale(w3 + block);
      FloatVector v0 = FloatVector.fromMemorySegment(F, MEMORY, x0 + at, LE);
      FloatVector v1 = FloatVector.fromMemorySegment(F, MEMORY, x1 + at, LE);
      FloatVector v2 = FloatVector.fromMemorySegment(F, MEMORY, x2 + at, LE);
      FloatVector v3 = FloatVector.fromMemorySegment(F, MEMORY, x3 + at, LE);
      FloatVector p0 =
          ((FloatVector)
                  ByteVector.fromMemorySegment(B, MEMORY, w + block + 2, LE)
                      .convertShape(VectorOperators.B2F, F, 0))
              .mul(s0);
      FloatVector p1 =
          ((FloatVector)
                  ByteVector.fromMemorySegment(B, MEMORY, w1 + block + 2, LE)
                      .convertShape(VectorOperators.B2F, F, 0))
              .mul(s1);
      FloatVector p2 =
          ((FloatVector)
                  ByteVector.fromMemorySegment(B, MEMORY, w2 + block + 2, LE)
                      .convertShape(VectorOperators.B2F, F, 0))
              .mul(s2);
      FloatVector p3 =
          ((FloatVector)
                  ByteVector.fromMemorySegment(B, MEMORY, w3 + block + 2, LE)
                      .convertShape(VectorOperators.B2F, F, 0))
              .mul(s3);
      a0 = p0.fma(v0, a0);
      b0 = p0.fma(v1, b0);
      c0 = p0.fma(v2, c0);
      d0 = p0.fma(v3, d0);
      a1 = p1.fma(v0, a1);
      b1 = p1.fma(v1, b1);
      c1 = p1.fma(v2, c1);
      d1 = p1.fma(v3, d1);
      a2 = p2.fma(v0, a2);
      b2 = p2.fma(v1, b2);
      c2 = p2.fma(v2, c2);
      d2 = p2.fma(v3, d2);
      a3 = p3.fma(v0, a3);
      b3 = p3.fma(v1, b3);
      c3 = p3.fma(v2, c3);
      d3 = p3.fma(v3, d3);
      v0 = FloatVector.fromMemorySegment(F, MEMORY, x0 + at + 64, LE);
      v1 = FloatVector.fromMemorySegment(F, MEMORY, x1 + at + 64, LE);
      v2 = FloatVector.fromMemorySegment(F, MEMORY, x2 + at + 64, LE);
      v3 = FloatVector.fromMemorySegment(F, MEMORY, x3 + at + 64, LE);
      FloatVector q0 =
          ((FloatVector)
                  ByteVector.fromMemorySegment(B, MEMORY, w + block + 18, LE)
                      .convertShape(VectorOperators.B2F, F, 0))
              .mul(s0);
      FloatVector q1 =
          ((FloatVector)
                  ByteVector.fromMemorySegment(B, MEMORY, w1 + block + 18, LE)
                      .convertShape(VectorOperators.B2F, F, 0))
              .mul(s1);
      FloatVector q2 =
          ((FloatVector)
                  ByteVector.fromMemorySegment(B, MEMORY, w2 + block + 18, LE)
                      .convertShape(VectorOperators.B2F, F, 0))
              .mul(s2);
      FloatVector q3 =
          ((FloatVector)
                  ByteVector.fromMemorySegment(B, MEMORY, w3 + block + 18, LE)
                      .convertShape(VectorOperators.B2F, F, 0))
              .mul(s3);
      a0 = q0.fma(v0, a0);
      b0 = q0.fma(v1, b0);
      c0 = q0.fma(v2, c0);
      d0 = q0.fma(v3, d0);
      a1 = q1.fma(v0, a1);
      b1 = q1.fma(v1, b1);
      c1 = q1.fma(v2, c1);
      d1 = q1.fma(v3, d1);
      a2 = q2.fma(v0, a2);
      b2 = q2.fma(v1, b2);
      c2 = q2.fma(v2, c2);
      d2 = q2.fma(v3, d2);
      a3 = q3.fma(v0, a3);
      b3 = q3.fma(v1, b3);
      c3 = q3.fma(v2, c3);
      d3 = q3.fma(v3, d3);
    }
    a0.intoArray(sums, 0);
    b0.intoArray(sums, L);
    c0.intoArray(sums, 2 * L);
    d0.intoArray(sums, 3 * L);
    a1.intoArray(sums, 4 * L);
    b1.intoArray(sums, 5 * L);
    c1.intoArray(sums, 6 * L);
    d1.intoArray(sums, 7 * L);
    a2.intoArray(sums, 8 * L);
    b2.intoArray(sums, 9 * L);
    c2.intoArray(sums, 10 * L);
    d2.intoArray(sums, 11 * L);
    a3.intoArray(sums, 12 * L);
    b3.intoArray(sums, 13 * L);
    c3.intoArray(sums, 14 * L);
    d3.intoArray(sums, 15 * L);
  }

  /// BF16: a turn is a vector of each row.
  private static void bf16(
      long w,
      long rowBytes,
      int lastRow,
      MemorySegment x,
      long xOffset,
      long xStride,
      int lastToken,
      int vectors,
      float[] sums) {
    long w1 = OpenMemory.within(w + Math.min(1, lastRow) * rowBytes);
    long w2 = OpenMemory.within(w + Math.min(2, lastRow) * rowBytes);
    long w3 = OpenMemory.within(w + Math.min(3, lastRow) * rowBytes);
    long bytes = vectors * 64L;
    long x0 = OpenMemory.address(x, xOffset, bytes);
    long x1 = OpenMemory.address(x, xOffset + Math.min(1, lastToken) * xStride, bytes);
    long x2 = OpenMemory.address(x, xOffset + Math.min(2, lastToken) * xStride, bytes);
    long x3 = OpenMemory.address(x, xOffset + Math.min(3, lastToken) * xStride, bytes);
    FloatVector a0 = FloatVector.zero(F);
    FloatVector b0 = FloatVector.zero(F);
    FloatVector c0 = FloatVector.zero(F);
    FloatVector d0 = FloatVector.zero(F);
    FloatVector a1 = FloatVector.zero(F);
    FloatVector b1 = FloatVector.zero(F);
    FloatVector c1 = FloatVector.zero(F);
    FloatVector d1 = FloatVector.zero(F);
    FloatVector a2 = FloatVector.zero(F);
    FloatVector b2 = FloatVector.zero(F);
    FloatVector c2 = FloatVector.zero(F);
    FloatVector d2 = FloatVector.zero(F);
    FloatVector a3 = FloatVector.zero(F);
    FloatVector b3 = FloatVector.zero(F);
    FloatVector c3 = FloatVector.zero(F);
    FloatVector d3 = FloatVector.zero(F);
    for (int k = 0; k < vectors; k++) {
      long from = k * 32L;
      long at = k * 64L;
      FloatVector v0 = FloatVector.fromMemorySegment(F, MEMORY, x0 + at, LE);
      FloatVector v1 = FloatVector.fromMemorySegment(F, MEMORY, x1 + at, LE);
      FloatVector v2 = FloatVector.fromMemorySegment(F, MEMORY, x2 + at, LE);
      FloatVector v3 = FloatVector.fromMemorySegment(F, MEMORY, x3 + at, LE);
      FloatVector p0 =
          ((IntVector)
                  ShortVector.fromMemorySegment(S, MEMORY, w + from, LE)
                      .convertShape(VectorOperators.S2I, I, 0))
              .lanewise(VectorOperators.LSHL, 16)
              .reinterpretAsFloats();
      FloatVector p1 =
          ((IntVector)
                  ShortVector.fromMemorySegment(S, MEMORY, w1 + from, LE)
                      .convertShape(VectorOperators.S2I, I, 0))
              .lanewise(VectorOperators.LSHL, 16)
              .reinterpretAsFloats();
      FloatVector p2 =
          ((IntVector)
                  ShortVector.fromMemorySegment(S, MEMORY, w2 + from, LE)
                      .convertShape(VectorOperators.S2I, I, 0))
              .lanewise(VectorOperators.LSHL, 16)
              .reinterpretAsFloats();
      FloatVector p3 =
          ((IntVector)
                  ShortVector.fromMemorySegment(S, MEMORY, w3 + from, LE)
                      .convertShape(VectorOperators.S2I, I, 0))
              .lanewise(VectorOperators.LSHL, 16)
              .reinterpretAsFloats();
      a0 = p0.fma(v0, a0);
      b0 = p0.fma(v1, b0);
      c0 = p0.fma(v2, c0);
      d0 = p0.fma(v3, d0);
      a1 = p1.fma(v0, a1);
      b1 = p1.fma(v1, b1);
      c1 = p1.fma(v2, c1);
      d1 = p1.fma(v3, d1);
      a2 = p2.fma(v0, a2);
      b2 = p2.fma(v1, b2);
      c2 = p2.fma(v2, c2);
      d2 = p2.fma(v3, d2);
      a3 = p3.fma(v0, a3);
      b3 = p3.fma(v1, b3);
      c3 = p3.fma(v2, c3);
      d3 = p3.fma(v3, d3);
    }
    a0.intoArray(sums, 0);
    b0.intoArray(sums, L);
    c0.intoArray(sums, 2 * L);
    d0.intoArray(sums, 3 * L);
    a1.intoArray(sums, 4 * L);
    b1.intoArray(sums, 5 * L);
    c1.intoArray(sums, 6 * L);
    d1.intoArray(sums, 7 * L);
    a2.intoArray(sums, 8 * L);
    b2.intoArray(sums, 9 * L);
    c2.intoArray(sums, 10 * L);
    d2.intoArray(sums, 11 * L);
    a3.intoArray(sums, 12 * L);
    b3.intoArray(sums, 13 * L);
    c3.intoArray(sums, 14 * L);
    d3.intoArray(sums, 15 * L);
  }

  /// Q4_0: a turn is a block of each row; low nibbles are its first sixteen columns.
  private static void q4_0(
      long w,
      long rowBytes,
      int lastRow,
      MemorySegment x,
      long xOffset,
      long xStride,
      int lastToken,
      int blocks,
      float[] sums) {
    long w1 = OpenMemory.within(w + Math.min(1, lastRow) * rowBytes);
    long w2 = OpenMemory.within(w + Math.min(2, lastRow) * rowBytes);
    long w3 = OpenMemory.within(w + Math.min(3, lastRow) * rowBytes);
    long bytes = blocks * 128L;
    long x0 = OpenMemory.address(x, xOffset, bytes);
    long x1 = OpenMemory.address(x, xOffset + Math.min(1, lastToken) * xStride, bytes);
    long x2 = OpenMemory.address(x, xOffset + Math.min(2, lastToken) * xStride, bytes);
    long x3 = OpenMemory.address(x, xOffset + Math.min(3, lastToken) * xStride, bytes);
    FloatVector a0 = FloatVector.zero(F);
    FloatVector b0 = FloatVector.zero(F);
    FloatVector c0 = FloatVector.zero(F);
    FloatVector d0 = FloatVector.zero(F);
    FloatVector a1 = FloatVector.zero(F);
    FloatVector b1 = FloatVector.zero(F);
    FloatVector c1 = FloatVector.zero(F);
    FloatVector d1 = FloatVector.zero(F);
    FloatVector a2 = FloatVector.zero(F);
    FloatVector b2 = FloatVector.zero(F);
    FloatVector c2 = FloatVector.zero(F);
    FloatVector d2 = FloatVector.zero(F);
    FloatVector a3 = FloatVector.zero(F);
    FloatVector b3 = FloatVector.zero(F);
    FloatVector c3 = FloatVector.zero(F);
    FloatVector d3 = FloatVector.zero(F);
    for (int k = 0; k < blocks; k++) {
      long block = k * 18L;
      long at = k * 128L;
      FloatVector s0 = VectorGemv.scale(w + block);
      FloatVector m0 = s0.mul(-8f);
      IntVector n0 =
          (IntVector)
              ByteVector.fromMemorySegment(B, MEMORY, w + block + 2, LE)
                  .convertShape(VectorOperators.ZERO_EXTEND_B2I, I, 0);
      FloatVector s1 = VectorGemv.scale(w1 + block);
      FloatVector m1 = s1.mul(-8f);
      IntVector n1 =
          (IntVector)
              ByteVector.fromMemorySegment(B, MEMORY, w1 + block + 2, LE)
                  .convertShape(VectorOperators.ZERO_EXTEND_B2I, I, 0);
      FloatVector s2 = VectorGemv.scale(w2 + block);
      FloatVector m2 = s2.mul(-8f);
      IntVector n2 =
          (IntVector)
              ByteVector.fromMemorySegment(B, MEMORY, w2 + block + 2, LE)
                  .convertShape(VectorOperators.ZERO_EXTEND_B2I, I, 0);
      FloatVector s3 = VectorGemv.scale(w3 + block);
      FloatVector m3 = s3.mul(-8f);
      IntVector n3 =
          (IntVector)
              ByteVector.fromMemorySegment(B, MEMORY, w3 + block + 2, LE)
                  .convertShape(VectorOperators.ZERO_EXTEND_B2I, I, 0);
      FloatVector v0 = FloatVector.fromMemorySegment(F, MEMORY, x0 + at, LE);
      FloatVector v1 = FloatVector.fromMemorySegment(F, MEMORY, x1 + at, LE);
      FloatVector v2 = FloatVector.fromMemorySegment(F, MEMORY, x2 + at, LE);
      FloatVector v3 = FloatVector.fromMemorySegment(F, MEMORY, x3 + at, LE);
      FloatVector p0 =
          ((FloatVector) n0.and(15).convertShape(VectorOperators.I2F, F, 0)).fma(s0, m0);
      FloatVector p1 =
          ((FloatVector) n1.and(15).convertShape(VectorOperators.I2F, F, 0)).fma(s1, m1);
      FloatVector p2 =
          ((FloatVector) n2.and(15).convertShape(VectorOperators.I2F, F, 0)).fma(s2, m2);
      FloatVector p3 =
          ((FloatVector) n3.and(15).convertShape(VectorOperators.I2F, F, 0)).fma(s3, m3);
      a0 = p0.fma(v0, a0);
      b0 = p0.fma(v1, b0);
      c0 = p0.fma(v2, c0);
      d0 = p0.fma(v3, d0);
      a1 = p1.fma(v0, a1);
      b1 = p1.fma(v1, b1);
      c1 = p1.fma(v2, c1);
      d1 = p1.fma(v3, d1);
      a2 = p2.fma(v0, a2);
      b2 = p2.fma(v1, b2);
      c2 = p2.fma(v2, c2);
      d2 = p2.fma(v3, d2);
      a3 = p3.fma(v0, a3);
      b3 = p3.fma(v1, b3);
      c3 = p3.fma(v2, c3);
      d3 = p3.fma(v3, d3);
      v0 = FloatVector.fromMemorySegment(F, MEMORY, x0 + at + 64, LE);
      v1 = FloatVector.fromMemorySegment(F, MEMORY, x1 + at + 64, LE);
      v2 = FloatVector.fromMemorySegment(F, MEMORY, x2 + at + 64, LE);
      v3 = FloatVector.fromMemorySegment(F, MEMORY, x3 + at + 64, LE);
      FloatVector q0 =
          ((FloatVector)
                  n0.lanewise(VectorOperators.LSHR, 4).convertShape(VectorOperators.I2F, F, 0))
              .fma(s0, m0);
      FloatVector q1 =
          ((FloatVector)
                  n1.lanewise(VectorOperators.LSHR, 4).convertShape(VectorOperators.I2F, F, 0))
              .fma(s1, m1);
      FloatVector q2 =
          ((FloatVector)
                  n2.lanewise(VectorOperators.LSHR, 4).convertShape(VectorOperators.I2F, F, 0))
              .fma(s2, m2);
      FloatVector q3 =
          ((FloatVector)
                  n3.lanewise(VectorOperators.LSHR, 4).convertShape(VectorOperators.I2F, F, 0))
              .fma(s3, m3);
      a0 = q0.fma(v0, a0);
      b0 = q0.fma(v1, b0);
      c0 = q0.fma(v2, c0);
      d0 = q0.fma(v3, d0);
      a1 = q1.fma(v0, a1);
      b1 = q1.fma(v1, b1);
      c1 = q1.fma(v2, c1);
      d1 = q1.fma(v3, d1);
      a2 = q2.fma(v0, a2);
      b2 = q2.fma(v1, b2);
      c2 = q2.fma(v2, c2);
      d2 = q2.fma(v3, d2);
      a3 = q3.fma(v0, a3);
      b3 = q3.fma(v1, b3);
      c3 = q3.fma(v2, c3);
      d3 = q3.fma(v3, d3);
    }
    a0.intoArray(sums, 0);
    b0.intoArray(sums, L);
    c0.intoArray(sums, 2 * L);
    d0.intoArray(sums, 3 * L);
    a1.intoArray(sums, 4 * L);
    b1.intoArray(sums, 5 * L);
    c1.intoArray(sums, 6 * L);
    d1.intoArray(sums, 7 * L);
    a2.intoArray(sums, 8 * L);
    b2.intoArray(sums, 9 * L);
    c2.intoArray(sums, 10 * L);
    d2.intoArray(sums, 11 * L);
    a3.intoArray(sums, 12 * L);
    b3.intoArray(sums, 13 * L);
    c3.intoArray(sums, 14 * L);
    d3.intoArray(sums, 15 * L);
  }
}
