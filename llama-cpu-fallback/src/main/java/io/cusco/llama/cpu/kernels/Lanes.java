package io.cusco.llama.cpu.kernels;

import static io.cusco.llama.memory.OpenMemory.MEMORY;

import java.nio.ByteOrder;
import jdk.incubator.vector.ByteVector;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.ShortVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorShape;
import jdk.incubator.vector.VectorShuffle;
import jdk.incubator.vector.VectorSpecies;

/// The vector shapes of this machine and the conversions that every vector kernel needs.
///
/// Constants are static finals because the compiler turns Vector API calls into instructions only
/// for species it knows.
final class Lanes {
  /// The machine's float vector; 512 bits at most, because no kernel here is laid out for more.
  static final VectorSpecies<Float> F =
      FloatVector.SPECIES_PREFERRED.length() > 16
          ? FloatVector.SPECIES_512
          : FloatVector.SPECIES_PREFERRED;

  static final int L = F.length();

  static final VectorSpecies<Integer> I = F.withLanes(int.class);

  /// As many shorts as there are floats in [#F]; at 128 bits the upper half is not used.
  static final VectorSpecies<Short> S =
      VectorSpecies.of(short.class, VectorShape.forBitSize(Math.max(64, L * Short.SIZE)));

  /// As many bytes as there are floats in [#F]; meant for 256 bits and more.
  static final VectorSpecies<Byte> B =
      VectorSpecies.of(byte.class, VectorShape.forBitSize(Math.max(64, L * Byte.SIZE)));

  /// Whether a byte vector with exactly as many lanes as [#F] exists: not at 128 bits.
  static final boolean HAS_BYTE_LANES = L >= 8;

  static final ByteOrder LE = ByteOrder.LITTLE_ENDIAN;

  /// Eight bytes become eight shorts and, half by half, floats where [#F] has four lanes: there is
  /// no vector of four bytes.
  private static final VectorSpecies<Byte> EIGHT_BYTES = ByteVector.SPECIES_64;

  private static final VectorSpecies<Short> EIGHT_SHORTS = ShortVector.SPECIES_128;

  private static final VectorShuffle<Short> UPPER_FOUR =
      VectorShuffle.fromOp(EIGHT_SHORTS, lane -> lane % 4 + 4);

  /// A float16's exponent and mantissa where a float has them.
  private static final int F16_MAGNITUDE = 0x0fffe000;

  /// From the largest exponent of a float16 to that of a float.
  private static final int F16_REBIAS = (255 - 31) << 23;

  private static final float TWO_POW_98 = 0x1p98f;
  private static final int TWO_POW_MINUS_112 = Float.floatToRawIntBits(0x1p-112f);
  private static final int SIGN = 0x80000000;

  private static final VectorShuffle<Float> FROM_8 = from(8);
  private static final VectorShuffle<Float> FROM_4 = from(4);
  private static final VectorShuffle<Float> FROM_2 = from(2);
  private static final VectorShuffle<Float> FROM_1 = from(1);

  private Lanes() {}

  /// Moves lane `i + distance` to lane `i`, around the end where there is none.
  private static VectorShuffle<Float> from(int distance) {
    return VectorShuffle.fromOp(F, lane -> (lane + distance) % L);
  }

  /// The sum of all lanes, by halves: always in this order. `reduceLanes` leaves the order open,
  /// and the interpreter and the compilers take different ones, so that the same input could give
  /// another result once a kernel was compiled.
  static float sum(FloatVector v) {
    FloatVector folded = v;
    if (L > 8) {
      folded = folded.add(folded.rearrange(FROM_8));
    }
    if (L > 4) {
      folded = folded.add(folded.rearrange(FROM_4));
    }
    if (L > 2) {
      folded = folded.add(folded.rearrange(FROM_2));
    }
    if (L > 1) {
      folded = folded.add(folded.rearrange(FROM_1));
    }
    return folded.lane(0);
  }

  /// Signed bytes to floats.
  static FloatVector toFloat(ByteVector bytes) {
    return (FloatVector) bytes.convertShape(VectorOperators.B2F, F, 0);
  }

  /// Eight signed bytes as shorts; [#lowerFour] and [#upperFour] make floats of them.
  static ShortVector eightBytes(long address) {
    ByteVector bytes = ByteVector.fromMemorySegment(EIGHT_BYTES, MEMORY, address, LE);
    return (ShortVector) bytes.convertShape(VectorOperators.B2S, EIGHT_SHORTS, 0);
  }

  static FloatVector lowerFour(ShortVector eight) {
    return (FloatVector) eight.convertShape(VectorOperators.S2F, F, 0);
  }

  static FloatVector upperFour(ShortVector eight) {
    return lowerFour(eight.rearrange(UPPER_FOUR));
  }

  /// bfloat16 bits to floats: they are a float's upper half.
  static FloatVector bf16ToFloat(ShortVector bits) {
    return ((IntVector) bits.convertShape(VectorOperators.S2I, I, 0))
        .lanewise(VectorOperators.LSHL, 16)
        .reinterpretAsFloats();
  }

  private static IntVector broadcast(int value) {
    return IntVector.broadcast(I, value);
  }

  /// float16 bits to floats, exact: subnormals, infinities and signed zeros included.
  ///
  /// Exponent and mantissa move into a float's fields, the largest exponent to the largest, so the
  /// magnitude stands there 2^112 times too large; only what was subnormal, exponent zero, has got
  /// a leading one that it does not have. `2 f - 2^98` is right for those, and for all others not
  /// below `f`. So the smaller one is taken, as integers, whose order is that of positive floats.
  /// No value on the way is a subnormal float, for which processors take a hundred cycles.
  ///
  /// Constants are broadcast by name: `and(int)` does the same, but makes the compiler's graph
  /// larger, and with this in it a kernel is near the size at which calls are left as calls.
  static FloatVector f16ToFloat(ShortVector bits) {
    IntVector signed = (IntVector) bits.convertShape(VectorOperators.S2I, I, 0);
    IntVector f =
        signed
            .lanewise(VectorOperators.LSHL, 13)
            .and(broadcast(F16_MAGNITUDE))
            .add(broadcast(F16_REBIAS));
    FloatVector subnormal =
        f.reinterpretAsFloats()
            .fma(FloatVector.broadcast(F, 2), FloatVector.broadcast(F, -TWO_POW_98));
    FloatVector magnitude = f.min(subnormal.reinterpretAsInts()).reinterpretAsFloats();
    IntVector scale = signed.and(broadcast(SIGN)).or(broadcast(TWO_POW_MINUS_112));
    return magnitude.mul(scale.reinterpretAsFloats());
  }
}
