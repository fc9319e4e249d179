package io.cusco.llama.cpu.kernels;

import static io.cusco.llama.cpu.kernels.InterleavedMatrix.BLOCK;
import static io.cusco.llama.cpu.kernels.InterleavedMatrix.GROUP;
import static io.cusco.llama.cpu.kernels.InterleavedMatrix.PAIR;
import static io.cusco.llama.cpu.kernels.Kernels.WIDE_STRIDE;
import static io.cusco.llama.cpu.kernels.Lanes.B;
import static io.cusco.llama.cpu.kernels.Lanes.F;
import static io.cusco.llama.cpu.kernels.Lanes.LE;
import static io.cusco.llama.cpu.kernels.Lanes.S;
import static io.cusco.llama.memory.OpenMemory.MEMORY;

import io.cusco.llama.memory.OpenMemory;
import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.ByteVector;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.ShortVector;

/// Products of an [InterleavedMatrix] with float32 activations at 512 bits: the lanes are a group's
/// rows, an activation is broadcast.
///
/// Scales are float16; widening them takes more of the compiler than all the rest, so where it can
/// be done for many tokens it has a method of its own, and the loops find them in an array.
final class VectorInterleaved {
  /// Up to so many tokens are multiplied in registers, see [InterleavedTiles].
  static final int MAX_TILED_TOKENS = 32;

  private VectorInterleaved() {}

  /// `to[block * step + lane]`: the scales of a group.
  private static void scales(long address, int blocks, float[] to, int toIndex, int step) {
    long from = OpenMemory.within(address);
    for (int k = 0; k < blocks; k++) {
      Lanes.f16ToFloat(ShortVector.fromMemorySegment(S, MEMORY, from + k * 32L, LE))
          .intoArray(to, toIndex + k * step);
    }
  }

  /// See [Kernels#gemvInterleaved]; the sums of one group.
  ///
  /// @param sums gets them first
  static void group(InterleavedMatrix w, int group, MemorySegment x, float[] sums) {
    int count = w.columns();
    long numbers = w.numbers(group, 0, count);
    long scales = w.scales(group, 0, count);
    long from = OpenMemory.address(x, 0, count * 4L);
    rows(numbers, scales, count / BLOCK, from, sums);
  }

  /// Four sums, as one would wait for itself.
  private static void rows(long numbers, long scales, int blocks, long xAddress, float[] sums) {
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
    sum0.add(sum1).intoArray(sums, 0);
  }

  private static FloatVector numbers(long address) {
    return Lanes.toFloat(ByteVector.fromMemorySegment(B, MEMORY, address, LE));
  }

  private static FloatVector activation(long address) {
    return FloatVector.broadcast(F, MEMORY.get(Layouts.FLOAT, address));
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
      long bytes = ((count - 1L) * PAIR + GROUP) * Float.BYTES;
      long to = OpenMemory.address(panels, offset + (long) r * Float.BYTES, bytes);
      widenRows(numbers, scratch, blocks, to);
    }
  }

  private static void widenRows(long numbers, float[] scales, int blocks, long toAddress) {
    long w = OpenMemory.within(numbers);
    long to = OpenMemory.within(toAddress);
    for (int k = 0; k < blocks; k++) {
      FloatVector scale = FloatVector.fromArray(F, scales, k * GROUP);
      for (int j = 0; j < BLOCK; j++) {
        numbers(w + k * 512L + j * 16L)
            .mul(scale)
            .intoMemorySegment(MEMORY, to + k * (128L * PAIR) + j * (4L * PAIR), LE);
      }
    }
  }
}
