package io.cusco.llama.cpu.kernels;

import static io.cusco.llama.cpu.kernels.Lanes.B;
import static io.cusco.llama.cpu.kernels.Lanes.F;
import static io.cusco.llama.cpu.kernels.Lanes.I;
import static io.cusco.llama.cpu.kernels.Lanes.L;
import static io.cusco.llama.cpu.kernels.Lanes.LE;
import static io.cusco.llama.cpu.kernels.Lanes.S;
import static io.cusco.llama.memory.OpenMemory.MEMORY;

import io.cusco.llama.checkpoint.DType;
import io.cusco.llama.memory.OpenMemory;
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
/// A tile, some columns of one group, goes through a list of passes with scratch arrays between
/// them. A pass is small enough for the compiler; two in one method are not, because from some size
/// on it calls Vector API operations instead of turning them into instructions. What keeps it from
/// inlining them into one method is that one call runs them all: it inlines a call of at most two
/// different targets, and every format has three.
///
/// Numbers are taken apart in int lanes: shifts of short lanes compile to shifts by a register.
final class VectorPacked {
  private static final VectorSpecies<Short> PAIRS = VectorSpecies.of(short.class, F.vectorShape());

  private static final int NIBBLES = 0x000f000f;
  private static final int BYTES = 0x00ff00ff;

  /// Shorts of one vector.
  private static final int WIDTH = 2 * L;

  private VectorPacked() {}

  /// A step of a tile's product.
  private interface Pass {
    void run(PackedMatrix w, PackedTile tile, QuantizedActivations x, PackedScratch scratch);
  }

  private static final Pass[] Q4_0 = {
    VectorPacked::nibbles, VectorPacked::addChunks, VectorPacked::scaleQ4_0
  };
  private static final Pass[] Q4_K = {
    VectorPacked::nibbles, VectorPacked::addChunks, VectorPacked::scaleQ4K, VectorPacked::minimaQ4K
  };
  private static final Pass[] Q6_K = {
    VectorPacked::bytes, VectorPacked::takeOffsets, VectorPacked::scaleQ6K
  };

  private static Pass[] passes(DType type) {
    return switch (type) {
      case Q4_0 -> Q4_0;
      case Q4_K -> Q4_K;
      case Q6_K -> Q6_K;
      default -> throw new IllegalStateException(type + " is not reordered");
    };
  }

  /// Sums of one group of rows, `scratch.rows`.
  static void group(PackedMatrix w, int group, QuantizedActivations x, PackedScratch scratch) {
    Pass[] passes = passes(w.type());
    PackedTile tile = scratch.tile;
    Arrays.fill(scratch.rows, 0);
    for (int column = 0; column < w.columns(); column += PackedScratch.TILE) {
      int count = Math.min(PackedScratch.TILE, w.columns() - column);
      for (int row = 0; row < PackedMatrix.GROUP; row += L) {
        tile.place(w, group, row, column, count);
        for (Pass pass : passes) {
          pass.run(w, tile, x, scratch);
        }
      }
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
      PackedMatrix w, PackedTile tile, QuantizedActivations x, PackedScratch scratch) {
    int chunks = tile.columns / 8;
    long address = OpenMemory.address(w.segment(), tile.numbersAt, chunks * 64L);
    int[] pairs = x.pairs;
    int first = tile.column / 2;
    short[] partial = scratch.partial;
    int place = tile.place;
    for (int k = 0; k < chunks; k++) {
      IntVector v = IntVector.fromMemorySegment(I, MEMORY, address + k * 64L, LE);
      int at = first + k * 4;
      ShortVector sum0 = masked(v, NIBBLES).mul(pair(pairs, at));
      ShortVector sum1 = shifted(v, 4, NIBBLES).mul(pair(pairs, at + 1));
      sum0 = shifted(v, 8, NIBBLES).mul(pair(pairs, at + 2)).add(sum0);
      sum1 = shifted(v, 12, NIBBLES).mul(pair(pairs, at + 3)).add(sum1);
      sum0.add(sum1).intoArray(partial, place + k * WIDTH);
    }
  }

  /// Sixteen columns a turn.
  private static void bytes(
      PackedMatrix w, PackedTile tile, QuantizedActivations x, PackedScratch scratch) {
    int blocks = tile.columns / 16;
    long address = OpenMemory.address(w.segment(), tile.numbersAt, blocks * 256L);
    int[] pairs = x.pairs;
    int first = tile.column / 2;
    short[] partial = scratch.partial;
    int place = tile.place;
    for (int k = 0; k < blocks; k++) {
      ShortVector sum = ShortVector.zero(PAIRS);
      for (int chunk = 0; chunk < 4; chunk++) {
        long chunkAt = address + k * 256L + chunk * 64L;
        IntVector v = IntVector.fromMemorySegment(I, MEMORY, chunkAt, LE);
        int at = first + k * 8 + chunk * 2;
        sum = masked(v, BYTES).mul(pair(pairs, at)).add(sum);
        sum = shifted(v, 8, BYTES).mul(pair(pairs, at + 1)).add(sum);
      }
      sum.intoArray(partial, place + k * WIDTH);
    }
  }

  private static ShortVector shorts(short[] partial, int index) {
    return ShortVector.fromArray(PAIRS, partial, index);
  }

  /// The four partial sums of 32 columns together.
  private static void addChunks(
      PackedMatrix w, PackedTile tile, QuantizedActivations x, PackedScratch scratch) {
    short[] partial = scratch.partial;
    int[] sums = scratch.sums;
    int place = tile.place;
    int blocks = tile.columns / 32;
    for (int k = 0; k < blocks; k++) {
      int at = place + k * (4 * WIDTH);
      ShortVector low = shorts(partial, at).add(shorts(partial, at + WIDTH));
      ShortVector high = shorts(partial, at + 2 * WIDTH).add(shorts(partial, at + 3 * WIDTH));
      halves(low.add(high)).intoArray(sums, k * L);
    }
  }

  /// The sums of 16 columns, relative to Q6_K's offset.
  private static void takeOffsets(
      PackedMatrix w, PackedTile tile, QuantizedActivations x, PackedScratch scratch) {
    short[] partial = scratch.partial;
    int[] sums = scratch.sums;
    int[] offsets = x.offsets;
    int place = tile.place;
    int first = tile.column / 16;
    int blocks = tile.columns / 16;
    for (int k = 0; k < blocks; k++) {
      ShortVector numbers = shorts(partial, place + k * WIDTH);
      halves(numbers.sub(pair(offsets, first + k))).intoArray(sums, k * L);
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
      PackedMatrix w, PackedTile tile, QuantizedActivations x, PackedScratch scratch) {
    int blocks = tile.columns / 32;
    long scales = OpenMemory.address(w.segment(), tile.scalesAt, blocks * 32L);
    int[] sums = scratch.sums;
    int[] xSums = x.sums;
    float[] xScales = x.scales;
    int first = tile.column / 32;
    FloatVector sum = FloatVector.fromArray(F, scratch.rows, tile.row);
    for (int k = 0; k < blocks; k++) {
      IntVector product = IntVector.fromArray(I, sums, k * L).sub(8 * xSums[first + k]);
      ShortVector bits = ShortVector.fromMemorySegment(S, MEMORY, scales + k * 32L, LE);
      FloatVector scale = Lanes.f16ToFloat(bits).mul(broadcast(xScales[first + k]));
      sum = toFloat(product).fma(scale, sum);
    }
    sum.intoArray(scratch.rows, tile.row);
  }

  private static void scaleQ4K(
      PackedMatrix w, PackedTile tile, QuantizedActivations x, PackedScratch scratch) {
    int blocks = tile.columns / 32;
    long scales = OpenMemory.address(w.segment(), tile.scalesAt, blocks * 32L);
    long supers = OpenMemory.address(w.segment(), tile.superscalesAt, blocks / 8 * 128L);
    int[] sums = scratch.sums;
    float[] xScales = x.scales;
    int first = tile.column / 32;
    FloatVector sum = FloatVector.fromArray(F, scratch.rows, tile.row);
    for (int k = 0; k < blocks; k++) {
      FloatVector d = load(supers + (k >> 3) * 128L);
      FloatVector scale = unsigned(scales + k * 32L).mul(d).mul(broadcast(xScales[first + k]));
      sum = toFloat(IntVector.fromArray(I, sums, k * L)).fma(scale, sum);
    }
    sum.intoArray(scratch.rows, tile.row);
  }

  private static void minimaQ4K(
      PackedMatrix w, PackedTile tile, QuantizedActivations x, PackedScratch scratch) {
    int blocks = tile.columns / 32;
    long minima = OpenMemory.address(w.segment(), tile.scalesAt + 16, blocks * 32L);
    long supers = OpenMemory.address(w.segment(), tile.superscalesAt + 64, blocks / 8 * 128L);
    float[] negativeSums = x.negativeSums;
    int first = tile.column / 32;
    FloatVector sum = FloatVector.fromArray(F, scratch.rows, tile.row);
    for (int k = 0; k < blocks; k++) {
      FloatVector dmin = load(supers + (k >> 3) * 128L);
      FloatVector minimum = unsigned(minima + k * 32L).mul(dmin);
      sum = minimum.fma(broadcast(negativeSums[first + k]), sum);
    }
    sum.intoArray(scratch.rows, tile.row);
  }

  private static void scaleQ6K(
      PackedMatrix w, PackedTile tile, QuantizedActivations x, PackedScratch scratch) {
    int blocks = tile.columns / 16;
    long scales = OpenMemory.address(w.segment(), tile.scalesAt, blocks * 16L);
    long supers = OpenMemory.address(w.segment(), tile.superscalesAt, blocks / 16 * 64L);
    int[] sums = scratch.sums;
    float[] xScales = x.scales;
    int first = tile.column / 32;
    FloatVector sum = FloatVector.fromArray(F, scratch.rows, tile.row);
    for (int k = 0; k < blocks; k++) {
      FloatVector d = load(supers + (k >> 4) * 64L);
      ByteVector bytes = ByteVector.fromMemorySegment(B, MEMORY, scales + k * 16L, LE);
      FloatVector scale = Lanes.toFloat(bytes).mul(d).mul(broadcast(xScales[first + (k >> 1)]));
      sum = toFloat(IntVector.fromArray(I, sums, k * L)).fma(scale, sum);
    }
    sum.intoArray(scratch.rows, tile.row);
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
