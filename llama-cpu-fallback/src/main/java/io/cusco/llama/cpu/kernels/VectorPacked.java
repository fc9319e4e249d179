package io.cusco.llama.cpu.kernels;

import static io.cusco.llama.cpu.kernels.Lanes.B;
import static io.cusco.llama.cpu.kernels.Lanes.F;
import static io.cusco.llama.cpu.kernels.Lanes.I;
import static io.cusco.llama.cpu.kernels.Lanes.L;
import static io.cusco.llama.cpu.kernels.Lanes.LE;
import static io.cusco.llama.cpu.kernels.Lanes.S;
import static io.cusco.llama.cpu.kernels.OpenMemory.MEMORY;

import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import jdk.incubator.vector.ByteVector;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.ShortVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorSpecies;

/// Products of a [PackedMatrix] with quantised activations, in 16-bit integers: an int lane is a
/// row, its halves are two neighbouring columns.
///
/// ```
/// numbers of 16 rows  -> mask, shift -> x pair of activations -> 16-bit sums of a few columns
/// 16-bit sums         -> halves added                         -> an integer per block
/// integers            -> float -> x scales                    -> one float per row
/// ```
///
/// No sum overflows: 16 columns of at most 15 * 127, or, for Q6_K, 8 of at most 32 * 127 once the
/// offset is taken off, which arithmetic modulo 2^16 may do afterwards.
///
/// Steps with scratch arrays between them, because a method with two of them would pass the size at
/// which the compiler stops turning Vector API calls into instructions; four multiplications a turn
/// are close to it. Numbers are taken apart in int lanes: shifts of short lanes compile to shifts
/// by a register.
final class VectorPacked {
  private static final VectorSpecies<Short> PAIRS = VectorSpecies.of(short.class, F.vectorShape());

  private static final int NIBBLES = 0x000f000f;
  private static final int BYTES = 0x00ff00ff;

  /// Shorts of one vector.
  private static final int WIDTH = 2 * L;

  private VectorPacked() {}

  /// Sums of one group of rows, `scratch.rows`.
  static void group(PackedMatrix w, int group, QuantizedActivations x, PackedScratch scratch) {
    Arrays.fill(scratch.rows, 0);
    for (int column = 0; column < w.columns(); column += PackedScratch.TILE) {
      int count = Math.min(PackedScratch.TILE, w.columns() - column);
      int place = PackedScratch.place(group, column);
      for (int row = 0; row < PackedMatrix.GROUP; row += L) {
        tile(w, w.groupOffset(group), row, column, count, x, scratch, place);
      }
    }
  }

  private static void tile(
      PackedMatrix w,
      long at,
      int row,
      int column,
      int count,
      QuantizedActivations x,
      PackedScratch scratch,
      int place) {
    MemorySegment segment = w.segment();
    short[] partial = scratch.partial;
    int[] sums = scratch.sums;
    float[] rows = scratch.rows;
    int block = column / 32;
    int pairs = column / 2;
    long scales = at + w.scalesAt + column + row;
    switch (w.type()) {
      case Q4_0 -> {
        nibbles(segment, at + column * 8L + row * 4L, count / 8, x.pairs, pairs, partial, place);
        addChunks(partial, place, count / 32, sums);
        scaleQ4_0(segment, scales + row, count / 32, sums, x.sums, x.scales, block, rows, row);
      }
      case Q4_K -> {
        long supers = at + w.superscalesAt + column / 2 + row * 4L;
        nibbles(segment, at + column * 8L + row * 4L, count / 8, x.pairs, pairs, partial, place);
        addChunks(partial, place, count / 32, sums);
        scaleQ4K(segment, scales, supers, count / 32, sums, x.scales, block, rows, row);
        minimaQ4K(segment, scales, supers, count / 32, x.negativeSums, block, rows, row);
      }
      case Q6_K -> {
        long supers = at + w.superscalesAt + column / 4 + row * 4L;
        bytes(segment, at + column * 16L + row * 4L, count / 16, x.pairs, pairs, partial, place);
        takeOffsets(partial, place, count / 16, x.offsets, column / 16, sums);
        scaleQ6K(segment, scales, supers, count / 16, sums, x.scales, block, rows, row);
      }
      default -> throw new IllegalStateException(w.type() + " is not reordered");
    }
  }

  private static ShortVector pair(int[] pairs, int index) {
    return IntVector.broadcast(I, pairs[index]).reinterpretAsShorts();
  }

  private static ShortVector masked(IntVector numbers, int mask) {
    return numbers.and(mask).reinterpretAsShorts();
  }

  private static ShortVector shifted(IntVector numbers, int shift, int mask) {
    return masked(numbers.lanewise(VectorOperators.LSHR, shift), mask);
  }

  /// Eight columns a turn.
  private static void nibbles(
      MemorySegment w, long wOffset, int chunks, int[] x, int xIndex, short[] partial, int place) {
    long address = OpenMemory.address(w, wOffset, chunks * 64L);
    for (int k = 0; k < chunks; k++) {
      IntVector v = IntVector.fromMemorySegment(I, MEMORY, address + k * 64L, LE);
      int at = xIndex + k * 4;
      ShortVector sum0 = masked(v, NIBBLES).mul(pair(x, at));
      ShortVector sum1 = shifted(v, 4, NIBBLES).mul(pair(x, at + 1));
      sum0 = shifted(v, 8, NIBBLES).mul(pair(x, at + 2)).add(sum0);
      sum1 = shifted(v, 12, NIBBLES).mul(pair(x, at + 3)).add(sum1);
      sum0.add(sum1).intoArray(partial, place + k * WIDTH);
    }
  }

  /// Sixteen columns a turn.
  private static void bytes(
      MemorySegment w, long wOffset, int blocks, int[] x, int xIndex, short[] partial, int place) {
    long address = OpenMemory.address(w, wOffset, blocks * 256L);
    for (int k = 0; k < blocks; k++) {
      ShortVector sum = ShortVector.zero(PAIRS);
      for (int chunk = 0; chunk < 4; chunk++) {
        IntVector v = IntVector.fromMemorySegment(I, MEMORY, address + k * 256L + chunk * 64L, LE);
        int at = xIndex + k * 8 + chunk * 2;
        sum = masked(v, BYTES).mul(pair(x, at)).add(sum);
        sum = shifted(v, 8, BYTES).mul(pair(x, at + 1)).add(sum);
      }
      sum.intoArray(partial, place + k * WIDTH);
    }
  }

  private static ShortVector shorts(short[] partial, int index) {
    return ShortVector.fromArray(PAIRS, partial, index);
  }

  /// The four partial sums of 32 columns together.
  private static void addChunks(short[] partial, int place, int blocks, int[] sums) {
    for (int k = 0; k < blocks; k++) {
      int at = place + k * (4 * WIDTH);
      ShortVector low = shorts(partial, at).add(shorts(partial, at + WIDTH));
      ShortVector high = shorts(partial, at + 2 * WIDTH).add(shorts(partial, at + 3 * WIDTH));
      halves(low.add(high)).intoArray(sums, k * L);
    }
  }

  /// The sums of 16 columns, relative to Q6_K's offset.
  private static void takeOffsets(
      short[] partial, int place, int blocks, int[] offsets, int offset, int[] sums) {
    for (int k = 0; k < blocks; k++) {
      ShortVector numbers = shorts(partial, place + k * WIDTH);
      halves(numbers.sub(pair(offsets, offset + k))).intoArray(sums, k * L);
    }
  }

  /// Even columns and odd columns together.
  private static IntVector halves(ShortVector sums) {
    IntVector v = sums.reinterpretAsInts();
    return v.lanewise(VectorOperators.LSHL, 16)
        .lanewise(VectorOperators.ASHR, 16)
        .add(v.lanewise(VectorOperators.ASHR, 16));
  }

  private static FloatVector toFloat(IntVector v) {
    return (FloatVector) v.convertShape(VectorOperators.I2F, F, 0);
  }

  private static FloatVector unsigned(long address) {
    ByteVector bytes = ByteVector.fromMemorySegment(B, MEMORY, address, LE);
    return toFloat((IntVector) bytes.convertShape(VectorOperators.ZERO_EXTEND_B2I, I, 0));
  }

  private static FloatVector load(long address) {
    return FloatVector.fromMemorySegment(F, MEMORY, address, LE);
  }

  private static FloatVector broadcast(float value) {
    return FloatVector.broadcast(F, value);
  }

  private static void scaleQ4_0(
      MemorySegment w,
      long scales,
      int blocks,
      int[] sums,
      int[] xSums,
      float[] xScales,
      int xBlock,
      float[] rows,
      int row) {
    long address = OpenMemory.address(w, scales, blocks * 32L);
    FloatVector sum = FloatVector.fromArray(F, rows, row);
    for (int k = 0; k < blocks; k++) {
      IntVector product = IntVector.fromArray(I, sums, k * L).sub(8 * xSums[xBlock + k]);
      ShortVector bits = ShortVector.fromMemorySegment(S, MEMORY, address + k * 32L, LE);
      FloatVector scale = Lanes.f16ToFloat(bits).mul(broadcast(xScales[xBlock + k]));
      sum = toFloat(product).fma(scale, sum);
    }
    sum.intoArray(rows, row);
  }

  private static void scaleQ4K(
      MemorySegment w,
      long scales,
      long superscales,
      int blocks,
      int[] sums,
      float[] xScales,
      int xBlock,
      float[] rows,
      int row) {
    long scaleAddress = OpenMemory.address(w, scales, blocks * 32L);
    long superAddress = OpenMemory.address(w, superscales, Math.ceilDiv(blocks, 8) * 128L);
    FloatVector sum = FloatVector.fromArray(F, rows, row);
    for (int k = 0; k < blocks; k++) {
      FloatVector d = load(superAddress + (k >> 3) * 128L);
      FloatVector scale =
          unsigned(scaleAddress + k * 32L).mul(d).mul(broadcast(xScales[xBlock + k]));
      sum = toFloat(IntVector.fromArray(I, sums, k * L)).fma(scale, sum);
    }
    sum.intoArray(rows, row);
  }

  private static void minimaQ4K(
      MemorySegment w,
      long scales,
      long superscales,
      int blocks,
      float[] negativeSums,
      int xBlock,
      float[] rows,
      int row) {
    long scaleAddress = OpenMemory.address(w, scales, blocks * 32L);
    long superAddress = OpenMemory.address(w, superscales, Math.ceilDiv(blocks, 8) * 128L);
    FloatVector sum = FloatVector.fromArray(F, rows, row);
    for (int k = 0; k < blocks; k++) {
      FloatVector dmin = load(superAddress + (k >> 3) * 128L + 64);
      FloatVector minimum = unsigned(scaleAddress + k * 32L + 16).mul(dmin);
      sum = minimum.fma(broadcast(negativeSums[xBlock + k]), sum);
    }
    sum.intoArray(rows, row);
  }

  private static void scaleQ6K(
      MemorySegment w,
      long scales,
      long superscales,
      int blocks,
      int[] sums,
      float[] xScales,
      int xBlock,
      float[] rows,
      int row) {
    long scaleAddress = OpenMemory.address(w, scales, blocks * 16L);
    long superAddress = OpenMemory.address(w, superscales, Math.ceilDiv(blocks, 16) * 64L);
    FloatVector sum = FloatVector.fromArray(F, rows, row);
    for (int k = 0; k < blocks; k++) {
      FloatVector d = load(superAddress + (k >> 4) * 64L);
      ByteVector bytes = ByteVector.fromMemorySegment(B, MEMORY, scaleAddress + k * 16L, LE);
      FloatVector scale = Lanes.toFloat(bytes).mul(d).mul(broadcast(xScales[xBlock + (k >> 1)]));
      sum = toFloat(IntVector.fromArray(I, sums, k * L)).fma(scale, sum);
    }
    sum.intoArray(rows, row);
  }

  /// Quantises block by block: the largest magnitude becomes 127.
  static void quantize(MemorySegment x, long xOffset, int columns, QuantizedActivations out) {
    int blocks = columns / QuantizedActivations.BLOCK;
    long address = OpenMemory.address(x, xOffset, blocks * 128L);
    for (int block = 0; block < blocks; block++) {
      float largest = largest(address + block * 128L);
      float inverse = largest > 0 ? QuantizedActivations.LARGEST / largest : 0;
      round(address + block * 128L, inverse, out.block);
      out.store(block, largest / QuantizedActivations.LARGEST);
    }
  }

  private static float largest(long address) {
    FloatVector largest = FloatVector.zero(F);
    for (int i = 0; i < QuantizedActivations.BLOCK; i += L) {
      largest = largest.max(load(address + i * 4L).abs());
    }
    return largest.reduceLanes(VectorOperators.MAX);
  }

  /// Adding 1.5 * 2^23 rounds to an integer and leaves it in the low bits.
  private static void round(long address, float inverse, short[] out) {
    for (int i = 0; i < QuantizedActivations.BLOCK; i += L) {
      IntVector bits = load(address + i * 4L).mul(inverse).add(0x1.8p23f).reinterpretAsInts();
      ((ShortVector) bits.convertShape(VectorOperators.I2S, S, 0)).intoArray(out, i);
    }
  }
}
