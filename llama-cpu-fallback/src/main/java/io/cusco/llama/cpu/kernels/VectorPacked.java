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
/// numbers of 16 rows  -> shift, mask -> x pair of activations -> 16-bit sums of 32 or 16 columns
/// 16-bit sums         -> halves added -> float -> x scales    -> one float per row
/// ```
///
/// No 16-bit sum overflows: a half holds at most 16 products of 15 * 127, or 16 of 16 * 127 (5
/// bits) or 8 of 32 * 127 (6 bits) once the offset of the numbers is taken off, which arithmetic
/// modulo 2^16 may do beforehand.
///
/// One loop over the blocks does everything, so that reading goes on while sums are scaled. It is
/// small enough for the compiler because a shift is written once, in a loop of four that is
/// unrolled, and so made a shift by a constant, only after calls have become instructions: written
/// out four times, the method passes the size at which Vector API operations are called.
///
/// A kernel must not be inlined into [#group], where two of them pass that size together. The
/// compiler inlines no method of more than 325 bytecodes (`-XX:FreqInlineSize`), so loads, shifts
/// and broadcasts are written out in them; a test counts. Near the limit it still inlines the
/// Vector API, not methods of ours: those stand before [#half], the largest part.
///
/// Numbers are taken apart in int lanes: shifts of short lanes compile to shifts by a register.
final class VectorPacked {
  private static final VectorSpecies<Short> PAIRS = VectorSpecies.of(short.class, F.vectorShape());

  private static final int NIBBLES = 0x000f000f;
  private static final int FIFTH_BITS = 0x00100010;
  private static final int HIGH_PAIRS = 0x00300030;

  private VectorPacked() {}

  /// Sums of one group of rows: the first elements of `sums`.
  static void group(PackedMatrix w, int group, QuantizedActivations x, float[] sums) {
    for (int row = 0; row < PackedMatrix.GROUP; row += L) {
      switch (w.type()) {
        case Q4_0 -> fourBits(w, group, row, 8, x, sums);
        case Q4_1 -> fourBits(w, group, row, 0, x, sums);
        case Q5_0 -> fiveBits(w, group, row, 16, x, sums);
        case Q5_1 -> fiveBits(w, group, row, 0, x, sums);
        case Q4_K -> fourBitsK(w, group, row, x, sums);
        case Q5_K -> fiveBitsK(w, group, row, x, sums);
        case Q6_K -> sixBitsK(w, group, row, x, sums);
        default -> throw new IllegalStateException(w.type() + " is not reordered");
      }
      if (w.type() == DType.Q4_1 || w.type() == DType.Q5_1) {
        addMinima(w, group, row, x, sums);
      }
    }
  }

  private static IntVector above(IntVector words, int rotation, int mask) {
    return words.lanewise(VectorOperators.ROR, rotation).and(IntVector.broadcast(I, mask));
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

  private static FloatVector signed(long address) {
    return Lanes.toFloat(ByteVector.fromMemorySegment(B, MEMORY, address, LE));
  }

  private static FloatVector half(long address) {
    return Lanes.f16ToFloat(ShortVector.fromMemorySegment(S, MEMORY, address, LE));
  }

  private static FloatVector floats(long address) {
    return FloatVector.fromMemorySegment(F, MEMORY, address, LE);
  }

  /// Q4_0, and Q4_1 without its minima.
  private static void fourBits(
      PackedMatrix w, int group, int row, int offset, QuantizedActivations x, float[] sums) {
    int blocks = w.columns() / 32;
    long numbers = w.numbers(group, row);
    long scales = w.scales(group, row, Short.BYTES);
    long scaleStep = w.type() == DType.Q4_1 ? 64 : 32;
    int[] pairs = x.pairs;
    int[] xSums = x.sums;
    float[] xScales = x.scales;
    FloatVector sum = FloatVector.zero(F);
    for (int k = 0; k < blocks; k++) {
      ShortVector products = ShortVector.zero(PAIRS);
      for (int word = 0; word < 4; word++) {
        IntVector words =
            IntVector.fromMemorySegment(I, MEMORY, numbers + k * 256L + word * 64L, LE);
        for (int s = 0; s < 4; s++) {
          ShortVector q =
              words
                  .lanewise(VectorOperators.LSHR, 4 * s)
                  .and(IntVector.broadcast(I, NIBBLES))
                  .reinterpretAsShorts();
          products =
              q.mul(IntVector.broadcast(I, pairs[k * 16 + word * 4 + s]).reinterpretAsShorts())
                  .add(products);
        }
      }
      IntVector both = products.reinterpretAsInts();
      IntVector even = both.lanewise(VectorOperators.LSHL, 16).lanewise(VectorOperators.ASHR, 16);
      IntVector odd = both.lanewise(VectorOperators.ASHR, 16);
      IntVector product = even.add(odd).sub(IntVector.broadcast(I, offset * xSums[k]));
      FloatVector scale =
          half(OpenMemory.within(scales + k * scaleStep)).mul(FloatVector.broadcast(F, xScales[k]));
      sum = ((FloatVector) product.convertShape(VectorOperators.I2F, F, 0)).fma(scale, sum);
    }
    sum.intoArray(sums, row);
  }

  /// Q5_0, and Q5_1 without its minima.
  private static void fiveBits(
      PackedMatrix w, int group, int row, int offset, QuantizedActivations x, float[] sums) {
    int blocks = w.columns() / 32;
    long numbers = w.numbers(group, row);
    long scales = w.scales(group, row, Short.BYTES);
    long scaleStep = w.type() == DType.Q5_1 ? 64 : 32;
    int[] pairs = x.pairs;
    int[] xSums = x.sums;
    int[] minus16 = x.minus16;
    float[] xScales = x.scales;
    FloatVector sum = FloatVector.zero(F);
    for (int k = 0; k < blocks; k++) {
      ShortVector products = IntVector.broadcast(I, minus16[k]).reinterpretAsShorts();
      IntVector fifths = IntVector.fromMemorySegment(I, MEMORY, numbers + k * 320L + 256, LE);
      for (int word = 0; word < 4; word++) {
        IntVector words =
            IntVector.fromMemorySegment(I, MEMORY, numbers + k * 320L + word * 64L, LE);
        for (int s = 0; s < 4; s++) {
          IntVector q =
              words
                  .lanewise(VectorOperators.LSHR, 4 * s)
                  .and(IntVector.broadcast(I, NIBBLES))
                  .or(above(fifths, word * 4 + s, FIFTH_BITS));
          products =
              q.reinterpretAsShorts()
                  .mul(IntVector.broadcast(I, pairs[k * 16 + word * 4 + s]).reinterpretAsShorts())
                  .add(products);
        }
      }
      IntVector product = halves(products).add((16 - offset) * xSums[k]);
      FloatVector scale =
          half(OpenMemory.within(scales + k * scaleStep)).mul(FloatVector.broadcast(F, xScales[k]));
      sum = ((FloatVector) product.convertShape(VectorOperators.I2F, F, 0)).fma(scale, sum);
    }
    sum.intoArray(sums, row);
  }

  /// The minima of Q4_1 and Q5_1, which are added to the numbers.
  private static void addMinima(
      PackedMatrix w, int group, int row, QuantizedActivations x, float[] sums) {
    int blocks = w.columns() / 32;
    long minima = w.scales(group, row, Short.BYTES) + 32;
    float[] negativeSums = x.negativeSums;
    FloatVector sum = FloatVector.fromArray(F, sums, row);
    for (int k = 0; k < blocks; k++) {
      sum = half(minima + k * 64L).fma(FloatVector.broadcast(F, -negativeSums[k]), sum);
    }
    sum.intoArray(sums, row);
  }

  private static void fourBitsK(
      PackedMatrix w, int group, int row, QuantizedActivations x, float[] sums) {
    int blocks = w.columns() / 32;
    long numbers = w.numbers(group, row);
    long scales = w.scales(group, row, 1);
    long superscales = w.superscales(group, row);
    int[] pairs = x.pairs;
    float[] xScales = x.scales;
    float[] negativeSums = x.negativeSums;
    FloatVector sum = FloatVector.zero(F);
    for (int k = 0; k < blocks; k++) {
      ShortVector products = ShortVector.zero(PAIRS);
      for (int word = 0; word < 4; word++) {
        IntVector words =
            IntVector.fromMemorySegment(I, MEMORY, numbers + k * 256L + word * 64L, LE);
        for (int s = 0; s < 4; s++) {
          ShortVector q =
              words
                  .lanewise(VectorOperators.LSHR, 4 * s)
                  .and(IntVector.broadcast(I, NIBBLES))
                  .reinterpretAsShorts();
          products =
              q.mul(IntVector.broadcast(I, pairs[k * 16 + word * 4 + s]).reinterpretAsShorts())
                  .add(products);
        }
      }
      long supers = superscales + (k >> 3) * 128L;
      FloatVector scale =
          unsigned(scales + k * 32L).mul(floats(supers)).mul(FloatVector.broadcast(F, xScales[k]));
      FloatVector minimum = unsigned(scales + k * 32L + 16).mul(floats(supers + 64));
      IntVector product = halves(products);
      sum = ((FloatVector) product.convertShape(VectorOperators.I2F, F, 0)).fma(scale, sum);
      sum = minimum.fma(FloatVector.broadcast(F, negativeSums[k]), sum);
    }
    sum.intoArray(sums, row);
  }

  private static void fiveBitsK(
      PackedMatrix w, int group, int row, QuantizedActivations x, float[] sums) {
    int blocks = w.columns() / 32;
    long numbers = w.numbers(group, row);
    long scales = w.scales(group, row, 1);
    long superscales = w.superscales(group, row);
    int[] pairs = x.pairs;
    int[] xSums = x.sums;
    int[] minus16 = x.minus16;
    float[] xScales = x.scales;
    float[] negativeSums = x.negativeSums;
    FloatVector sum = FloatVector.zero(F);
    for (int k = 0; k < blocks; k++) {
      ShortVector products = IntVector.broadcast(I, minus16[k]).reinterpretAsShorts();
      IntVector fifths = IntVector.fromMemorySegment(I, MEMORY, numbers + k * 320L + 256, LE);
      for (int word = 0; word < 4; word++) {
        IntVector words =
            IntVector.fromMemorySegment(I, MEMORY, numbers + k * 320L + word * 64L, LE);
        for (int s = 0; s < 4; s++) {
          IntVector q =
              words
                  .lanewise(VectorOperators.LSHR, 4 * s)
                  .and(IntVector.broadcast(I, NIBBLES))
                  .or(above(fifths, word * 4 + s, FIFTH_BITS));
          products =
              q.reinterpretAsShorts()
                  .mul(IntVector.broadcast(I, pairs[k * 16 + word * 4 + s]).reinterpretAsShorts())
                  .add(products);
        }
      }
      IntVector product = halves(products).add(16 * xSums[k]);
      long supers = superscales + (k >> 3) * 128L;
      FloatVector scale =
          unsigned(scales + k * 32L).mul(floats(supers)).mul(FloatVector.broadcast(F, xScales[k]));
      FloatVector minimum = unsigned(scales + k * 32L + 16).mul(floats(supers + 64));
      sum = ((FloatVector) product.convertShape(VectorOperators.I2F, F, 0)).fma(scale, sum);
      sum = minimum.fma(FloatVector.broadcast(F, negativeSums[k]), sum);
    }
    sum.intoArray(sums, row);
  }

  /// Q6_K has a scale for 16 columns.
  private static void sixBitsK(
      PackedMatrix w, int group, int row, QuantizedActivations x, float[] sums) {
    int blocks = w.columns() / 16;
    long numbers = w.numbers(group, row);
    long scales = w.scales(group, row, 1);
    long superscales = w.superscales(group, row);
    int[] pairs = x.pairs;
    int[] minus32 = x.minus32;
    float[] xScales = x.scales;
    FloatVector sum = FloatVector.zero(F);
    for (int k = 0; k < blocks; k++) {
      ShortVector products = IntVector.broadcast(I, minus32[k]).reinterpretAsShorts();
      IntVector highPairs = IntVector.fromMemorySegment(I, MEMORY, numbers + k * 192L + 128, LE);
      for (int word = 0; word < 2; word++) {
        IntVector words =
            IntVector.fromMemorySegment(I, MEMORY, numbers + k * 192L + word * 64L, LE);
        for (int s = 0; s < 4; s++) {
          IntVector high = above(highPairs, word * 8 + s * 2, HIGH_PAIRS);
          ShortVector q =
              words
                  .lanewise(VectorOperators.LSHR, 4 * s)
                  .and(IntVector.broadcast(I, NIBBLES))
                  .or(high)
                  .reinterpretAsShorts();
          products =
              q.mul(IntVector.broadcast(I, pairs[k * 8 + word * 4 + s]).reinterpretAsShorts())
                  .add(products);
        }
      }
      FloatVector d = floats(superscales + (k >> 4) * 64L);
      FloatVector scale =
          signed(scales + k * 16L).mul(d).mul(FloatVector.broadcast(F, xScales[k >> 1]));
      IntVector product = halves(products);
      sum = ((FloatVector) product.convertShape(VectorOperators.I2F, F, 0)).fma(scale, sum);
    }
    sum.intoArray(sums, row);
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
      largest = largest.max(floats(address + i * 4L).abs());
    }
    return largest.reduceLanes(VectorOperators.MAX);
  }

  /// Adding 1.5 * 2^23 rounds to an integer and leaves it in the low bits.
  private static void round(long address, float inverse, short[] out) {
    for (int i = 0; i < QuantizedActivations.BLOCK; i += L) {
      IntVector bits = floats(address + i * 4L).mul(inverse).add(0x1.8p23f).reinterpretAsInts();
      ((ShortVector) bits.convertShape(VectorOperators.I2S, S, 0)).intoArray(out, i);
    }
  }
}
