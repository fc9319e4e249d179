package io.cusco.llama.cpu.kernels;

import static io.cusco.llama.cpu.kernels.InterleavedMatrix.BLOCK;
import static io.cusco.llama.cpu.kernels.InterleavedMatrix.GROUP;
import static io.cusco.llama.cpu.kernels.InterleavedMatrix.PAIR;
import static io.cusco.llama.cpu.kernels.Kernels.WIDE_COLUMNS;
import static io.cusco.llama.cpu.kernels.Kernels.WIDE_STRIDE;
import static io.cusco.llama.cpu.kernels.Lanes.B;
import static io.cusco.llama.cpu.kernels.Lanes.F;
import static io.cusco.llama.cpu.kernels.Lanes.L;
import static io.cusco.llama.cpu.kernels.Lanes.LE;
import static io.cusco.llama.cpu.kernels.Lanes.S;
import static io.cusco.llama.memory.OpenMemory.MEMORY;

import io.cusco.llama.memory.OpenMemory;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import jdk.incubator.vector.ByteVector;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.ShortVector;

/// Products of an [InterleavedMatrix] with float32 activations: the lanes are rows, an activation
/// is broadcast. Narrow vectors take a group's rows piece by piece.
///
/// Scales are float16; widening them takes more of the compiler than all the rest, so where it can
/// be done for many tokens it has a method of its own, and the loops find them in an array.
final class VectorInterleaved {
  /// Up to so many tokens are multiplied in registers, see [InterleavedTiles].
  static final int MAX_TILED_TOKENS = 32;

  /// Where [#group] leaves its sums, behind the scales of [Kernels#WIDE_COLUMNS] columns.
  static final int SUMS = WIDE_COLUMNS / BLOCK * GROUP;

  /// Rows of a panel of widened weights.
  private static final int WIDTH = VectorKernels.PANEL_VECTORS * L;

  private VectorInterleaved() {}

  /// `to[block * step + lane]`: the scales of a group.
  private static void scales(long address, int blocks, float[] to, int toIndex, int step) {
    long from = OpenMemory.within(address);
    for (int k = 0; k < blocks; k++) {
      for (int row = 0; row < GROUP; row += L) {
        long at = from + k * 32L + row * 2L;
        Lanes.f16ToFloat(ShortVector.fromMemorySegment(S, MEMORY, at, LE))
            .intoArray(to, toIndex + k * step + row);
      }
    }
  }

  /// See [Kernels#gemvInterleaved]; the sums of one group.
  ///
  /// @param scratch gets the sums from [#SUMS] on
  static void group(InterleavedMatrix w, int group, MemorySegment x, float[] scratch) {
    if (L == 4) {
      groupByEights(w, group, x, scratch);
      return;
    }
    int count = w.columns();
    long numbers = w.numbers(group, 0, count);
    long scales = w.scales(group, 0, count);
    long from = OpenMemory.address(x, 0, count * 4L);
    for (int row = 0; row < GROUP; row += L) {
      rows(numbers + row, scales + row * 2L, count / BLOCK, from, scratch, SUMS + row);
    }
  }

  /// Four sums, as one would wait for itself.
  private static void rows(
      long numbers, long scales, int blocks, long xAddress, float[] sums, int index) {
    long w = OpenMemory.within(numbers);
    long x = OpenMemory.within(xAddress);
    long d = OpenMemory.within(scales);
    FloatVector sum0 = FloatVector.zero(F);
    FloatVector sum1 = FloatVector.zero(F);
    for (int k = 0; k < blocks; k++) {
      FloatVector p0 = FloatVector.zero(F);
      FloatVector p1 = FloatVector.zero(F);
      FloatVector p2 = FloatVector.zero(F);
      FloatVector p3 = FloatVector.zero(F);
      for (int j = 0; j < BLOCK / 4; j++) {
        long at = w + k * 512L + j * 64L;
        long xAt = x + k * 128L + j * 16L;
        p0 = numbers(at).fma(activation(xAt), p0);
        p1 = numbers(at + 16).fma(activation(xAt + 4), p1);
        p2 = numbers(at + 32).fma(activation(xAt + 8), p2);
        p3 = numbers(at + 48).fma(activation(xAt + 12), p3);
      }
      FloatVector scale =
          Lanes.f16ToFloat(ShortVector.fromMemorySegment(S, MEMORY, d + k * 32L, LE));
      sum0 = p0.add(p1).fma(scale, sum0);
      sum1 = p2.add(p3).fma(scale, sum1);
    }
    sum0.add(sum1).intoArray(sums, index);
  }

  private static FloatVector numbers(long address) {
    return Lanes.toFloat(ByteVector.fromMemorySegment(B, MEMORY, address, LE));
  }

  private static FloatVector activation(long address) {
    return FloatVector.broadcast(F, MEMORY.get(Layouts.FLOAT, address));
  }

  /// At 128 bits, where eight numbers are read at once.
  private static void groupByEights(
      InterleavedMatrix w, int group, MemorySegment x, float[] scratch) {
    Arrays.fill(scratch, SUMS, SUMS + GROUP, 0);
    for (int column = 0; column < w.columns(); column += WIDE_COLUMNS) {
      int count = Math.min(WIDE_COLUMNS, w.columns() - column);
      int blocks = count / BLOCK;
      scales(w.scales(group, column, count), blocks, scratch, 0, GROUP);
      long numbers = w.numbers(group, column, count);
      long from = OpenMemory.address(x, column * 4L, count * 4L);
      addEightRows(numbers, scratch, 0, blocks, from);
      addEightRows(numbers + 8, scratch, 8, blocks, from);
    }
  }

  private static void addEightRows(
      long numbers, float[] scratch, int row, int blocks, long xAddress) {
    long w = OpenMemory.within(numbers);
    long x = OpenMemory.within(xAddress);
    FloatVector lower = FloatVector.fromArray(F, scratch, SUMS + row);
    FloatVector upper = FloatVector.fromArray(F, scratch, SUMS + row + 4);
    for (int k = 0; k < blocks; k++) {
      FloatVector p0 = FloatVector.zero(F);
      FloatVector p1 = FloatVector.zero(F);
      FloatVector q0 = FloatVector.zero(F);
      FloatVector q1 = FloatVector.zero(F);
      for (int j = 0; j < BLOCK; j += 2) {
        long at = w + k * 512L + j * 16L;
        long xAt = x + k * 128L + j * 4L;
        ShortVector even = Lanes.eightBytes(at);
        ShortVector odd = Lanes.eightBytes(at + 16);
        p0 = Lanes.lowerFour(even).fma(activation(xAt), p0);
        q0 = Lanes.upperFour(even).fma(activation(xAt), q0);
        p1 = Lanes.lowerFour(odd).fma(activation(xAt + 4), p1);
        q1 = Lanes.upperFour(odd).fma(activation(xAt + 4), q1);
      }
      lower = p0.add(p1).fma(FloatVector.fromArray(F, scratch, k * GROUP + row), lower);
      upper = q0.add(q1).fma(FloatVector.fromArray(F, scratch, k * GROUP + row + 4), upper);
    }
    lower.intoArray(scratch, SUMS + row);
    upper.intoArray(scratch, SUMS + row + 4);
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
      int cStride,
      float[] scratch) {
    int group = row / GROUP;
    int blocks = count / BLOCK;
    scales(w.scales(group, column, count), blocks, scratch, 0, PAIR);
    scales(w.scales(group + 1, column, count), blocks, scratch, GROUP, PAIR);
    long numbers0 = w.numbers(group, column, count);
    long numbers1 = w.numbers(group + 1, column, count);
    int tile;
    for (int token = 0; token < tokens; token += tile) {
      tile = InterleavedTiles.tokens(token, tokens - token);
      InterleavedTiles.multiply(
          tile,
          x,
          xIndex + token * WIDE_STRIDE,
          numbers0,
          numbers1,
          scratch,
          blocks,
          c,
          cIndex + token * cStride,
          cStride);
    }
  }

  /// See [Kernels#widenInterleaved].
  static void widen(
      InterleavedMatrix w,
      int row,
      int column,
      int count,
      MemorySegment panels,
      long offset,
      float[] scratch) {
    int blocks = count / BLOCK;
    for (int r = 0; r < PAIR; r += GROUP) {
      int group = (row + r) / GROUP;
      scales(w.scales(group, column, count), blocks, scratch, 0, GROUP);
      long numbers = w.numbers(group, column, count);
      for (int part = 0; part < GROUP; part += Math.max(L, 8)) {
        int panel = (r + part) / WIDTH;
        long floats = (long) panel * WIDTH * count + (r + part) % WIDTH;
        long bytes = ((count - 1L) * WIDTH + Math.max(L, 8)) * 4;
        long to = OpenMemory.address(panels, offset + floats * 4, bytes);
        if (L == 4) {
          widenEightRows(numbers + part, scratch, part, blocks, to);
        } else {
          widenRows(numbers + part, scratch, part, blocks, to);
        }
      }
    }
  }

  private static void widenRows(long numbers, float[] scales, int row, int blocks, long toAddress) {
    long w = OpenMemory.within(numbers);
    long to = OpenMemory.within(toAddress);
    for (int k = 0; k < blocks; k++) {
      FloatVector scale = FloatVector.fromArray(F, scales, k * GROUP + row);
      for (int j = 0; j < BLOCK; j++) {
        numbers(w + k * 512L + j * 16L)
            .mul(scale)
            .intoMemorySegment(MEMORY, to + k * (128L * WIDTH) + j * (4L * WIDTH), LE);
      }
    }
  }

  /// At 128 bits.
  private static void widenEightRows(
      long numbers, float[] scales, int row, int blocks, long toAddress) {
    long w = OpenMemory.within(numbers);
    long to = OpenMemory.within(toAddress);
    for (int k = 0; k < blocks; k++) {
      FloatVector lower = FloatVector.fromArray(F, scales, k * GROUP + row);
      FloatVector upper = FloatVector.fromArray(F, scales, k * GROUP + row + 4);
      for (int j = 0; j < BLOCK; j++) {
        ShortVector eight = Lanes.eightBytes(w + k * 512L + j * 16L);
        long at = to + k * (128L * WIDTH) + j * (4L * WIDTH);
        Lanes.lowerFour(eight).mul(lower).intoMemorySegment(MEMORY, at, LE);
        Lanes.upperFour(eight).mul(upper).intoMemorySegment(MEMORY, at + 16, LE);
      }
    }
  }
}
