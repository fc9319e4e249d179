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

/// Packed weights to float32, a vector at a time. One method per block layout; layouts are ggml's
/// (`ggml-common.h`). Types without a method here go through core's reference decoder.
final class VectorWidening {
  private VectorWidening() {}

  static void widen(
      DType type, MemorySegment weights, long offset, int count, float[] out, int outIndex) {
    switch (type) {
      case F32 -> MemorySegment.copy(weights, Layouts.FLOAT_LE, offset, out, outIndex, count);
      case F16 -> widenF16(weights, offset, count, out, outIndex);
      case BF16 -> widenBf16(weights, offset, count, out, outIndex);
      case Q8_0 -> widenQ8_0(weights, offset, count, out, outIndex);
      case Q4_0 -> widenQ4_0(weights, offset, count, out, outIndex);
      case Q4_K -> widenQ4K(weights, offset, count, out, outIndex);
      case Q5_K -> widenQ5K(weights, offset, count, out, outIndex);
      case Q6_K -> widenQ6K(weights, offset, count, out, outIndex);
      case Q4_1, Q5_0, Q5_1, Q2_K, Q3_K, IQ4_NL, IQ4_XS ->
          Widening.widen(type, weights, offset, count, out, outIndex);
    }
  }

  private static void widenF16(
      MemorySegment weights, long offset, int count, float[] out, int outIndex) {
    long address = OpenMemory.address(weights, offset, count * 2L);
    int vectors = count / L;
    for (int k = 0; k < vectors; k++) {
      Lanes.f16ToFloat(shorts(address + k * (2L * L))).intoArray(out, outIndex + k * L);
    }
    for (int i = vectors * L; i < count; i++) {
      out[outIndex + i] = half(address + i * 2L);
    }
  }

  private static void widenBf16(
      MemorySegment weights, long offset, int count, float[] out, int outIndex) {
    long address = OpenMemory.address(weights, offset, count * 2L);
    int vectors = count / L;
    for (int k = 0; k < vectors; k++) {
      Lanes.bf16ToFloat(shorts(address + k * (2L * L))).intoArray(out, outIndex + k * L);
    }
    for (int i = vectors * L; i < count; i++) {
      out[outIndex + i] = Float.intBitsToFloat(Layouts.shortAt(MEMORY, address + i * 2L) << 16);
    }
  }

  private static ShortVector shorts(long address) {
    return ShortVector.fromMemorySegment(S, MEMORY, address, LE);
  }

  private static float half(long address) {
    return Float.float16ToFloat(Layouts.shortAt(MEMORY, address));
  }

  /// Bytes in int lanes, signed; byte lanes have no shifts of their own.
  private static IntVector ints(long address) {
    return (IntVector)
        ByteVector.fromMemorySegment(B, MEMORY, address, LE)
            .convertShape(VectorOperators.B2I, I, 0);
  }

  /// The bits under `mask` as numbers, in place: the high nibble of 0x30 is 48. Scaling the result
  /// is one multiplication that there is anyway; shifting it first would cost the compiler far
  /// more.
  private static FloatVector bits(IntVector bytes, IntVector mask) {
    return toFloat(bytes.and(mask));
  }

  private static FloatVector toFloat(IntVector v) {
    return (FloatVector) v.convertShape(VectorOperators.I2F, F, 0);
  }

  private static IntVector mask(int bits) {
    return IntVector.broadcast(I, bits);
  }

  private static FloatVector broadcast(float value) {
    return FloatVector.broadcast(F, value);
  }

  /// `[f16 d][32 x int8 q]`: `d * q`.
  private static void widenQ8_0(
      MemorySegment weights, long offset, int count, float[] out, int outIndex) {
    int blocks = count / 32;
    long address = OpenMemory.address(weights, offset, blocks * 34L);
    for (int k = 0; k < blocks; k++) {
      long block = address + k * 34L;
      int at = outIndex + k * 32;
      FloatVector d = broadcast(half(block));
      for (int j = 0; j < 32; j += L) {
        bytes(block + 2 + j).mul(d).intoArray(out, at + j);
      }
    }
  }

  /// The same at 128 bits.
  static void widenQ8_0Quarter(
      MemorySegment weights, long offset, int count, float[] out, int outIndex) {
    int blocks = count / 32;
    long address = OpenMemory.address(weights, offset, blocks * 34L);
    for (int k = 0; k < blocks; k++) {
      long block = address + k * 34L;
      int at = outIndex + k * 32;
      FloatVector d = broadcast(half(block));
      for (int j = 0; j < 32; j += 8) {
        ShortVector eight = Lanes.eightBytes(block + 2 + j);
        Lanes.lowerFour(eight).mul(d).intoArray(out, at + j);
        Lanes.upperFour(eight).mul(d).intoArray(out, at + j + 4);
      }
    }
  }

  private static FloatVector bytes(long address) {
    return Lanes.toFloat(ByteVector.fromMemorySegment(B, MEMORY, address, LE));
  }

  /// `[f16 d][16 x (low, high) nibbles]`: `d * (q - 8)`, low nibbles first.
  private static void widenQ4_0(
      MemorySegment weights, long offset, int count, float[] out, int outIndex) {
    long address = OpenMemory.address(weights, offset, count / 32 * 18L);
    for (int k = 0; k < count / 32; k++) {
      long block = address + k * 18L;
      int i = k * 32;
      float d = half(block);
      FloatVector minusEight = broadcast(-8 * d);
      for (int j = 0; j < 16; j += L) {
        IntVector q = ints(block + 2 + j);
        int at = outIndex + i + j;
        bits(q, mask(0x0f)).fma(broadcast(d), minusEight).intoArray(out, at);
        bits(q, mask(0xf0)).fma(broadcast(d / 16), minusEight).intoArray(out, at + 16);
      }
    }
  }

  /// `[f16 d][f16 dmin][12 bytes of 6-bit scales and minima][128 x nibbles]`: eight groups of 32,
  /// `d * scale * q - dmin * minimum`.
  private static void widenQ4K(
      MemorySegment weights, long offset, int count, float[] out, int outIndex) {
    long address = OpenMemory.address(weights, offset, count / 256 * 144L);
    for (int k = 0; k < count / 256; k++) {
      long block = address + k * 144L;
      int i = k * 256;
      float d = half(block);
      float dmin = half(block + 2);
      for (int pair = 0; pair < 4; pair++) {
        int low = scaleAndMinimum(block + 4, 2 * pair);
        int high = scaleAndMinimum(block + 4, 2 * pair + 1);
        FloatVector lowMinimum = broadcast(-dmin * (low >>> 8));
        FloatVector highMinimum = broadcast(-dmin * (high >>> 8));
        FloatVector lowScale = broadcast(d * (low & 63));
        FloatVector highScale = broadcast(d * (high & 63) / 16);
        for (int j = 0; j < 32; j += L) {
          IntVector q = ints(block + 16 + pair * 32L + j);
          int at = outIndex + i + pair * 64 + j;
          bits(q, mask(0x0f)).fma(lowScale, lowMinimum).intoArray(out, at);
          bits(q, mask(0xf0)).fma(highScale, highMinimum).intoArray(out, at + 32);
        }
      }
    }
  }

  /// As Q4_K with a fifth bit per weight: `[f16 d][f16 dmin][12 scales][32 x high bits][128 x
  /// nibbles]`.
  private static void widenQ5K(
      MemorySegment weights, long offset, int count, float[] out, int outIndex) {
    long address = OpenMemory.address(weights, offset, count / 256 * 176L);
    for (int k = 0; k < count / 256; k++) {
      long block = address + k * 176L;
      int i = k * 256;
      float d = half(block);
      float dmin = half(block + 2);
      for (int pair = 0; pair < 4; pair++) {
        int low = scaleAndMinimum(block + 4, 2 * pair);
        int high = scaleAndMinimum(block + 4, 2 * pair + 1);
        FloatVector lowMinimum = broadcast(-dmin * (low >>> 8));
        FloatVector highMinimum = broadcast(-dmin * (high >>> 8));
        FloatVector lowScale = broadcast(d * (low & 63));
        FloatVector highScale = broadcast(d * (high & 63) / 16);
        // The fifth bit is worth 16 of the low nibble's units and 256 of the high nibble's, which
        // is
        // read sixteen times too large.
        int fifthLow = 1 << (2 * pair);
        int fifthHigh = 2 << (2 * pair);
        FloatVector lowUnit = broadcast(16f / fifthLow);
        FloatVector highUnit = broadcast(256f / fifthHigh);
        for (int j = 0; j < 32; j += L) {
          IntVector q = ints(block + 48 + pair * 32L + j);
          IntVector fifth = ints(block + 16 + j);
          int at = outIndex + i + pair * 64 + j;
          bits(fifth, mask(fifthLow))
              .fma(lowUnit, bits(q, mask(0x0f)))
              .fma(lowScale, lowMinimum)
              .intoArray(out, at);
          bits(fifth, mask(fifthHigh))
              .fma(highUnit, bits(q, mask(0xf0)))
              .fma(highScale, highMinimum)
              .intoArray(out, at + 32);
        }
      }
    }
  }

  /// Scale (bits 0-5) and minimum (bits 8-13) of group `j` of a Q4_K or Q5_K block; the twelve
  /// bytes hold the first four groups' six bits directly and split the other four's.
  static int scaleAndMinimum(long scales, int j) {
    int a = MEMORY.get(Layouts.BYTE, scales + j) & 0xff;
    int b = MEMORY.get(Layouts.BYTE, scales + j + 4) & 0xff;
    if (j < 4) {
      return (a & 63) | ((b & 63) << 8);
    }
    int c = MEMORY.get(Layouts.BYTE, scales + j - 4) & 0xff;
    return ((b & 15) | ((c >> 6) << 4)) | (((b >> 4) | ((a >> 6) << 4)) << 8);
  }

  /// `[128 x low nibbles][64 x high pairs][16 x int8 scale][f16 d]`: sixteen groups of 16, `d *
  /// scale * (q - 32)`.
  ///
  /// Two passes, each written out so that it is too large to be inlined: in one method, or inlined
  /// into their caller, they would pass the size at which the compiler stops turning Vector API
  /// calls into instructions.
  private static void widenQ6K(
      MemorySegment weights, long offset, int count, float[] out, int outIndex) {
    widenQ6Low(weights, offset, count, out, outIndex);
    widenQ6High(weights, offset, count, out, outIndex);
  }

  /// The weights in low nibbles; their two high bits are worth 16.
  private static void widenQ6Low(
      MemorySegment weights, long offset, int count, float[] out, int outIndex) {
    long address = OpenMemory.address(weights, offset, count / 256 * 210L);
    for (int k = 0; k < count / 256; k++) {
      long block = address + k * 210L;
      int i = k * 256;
      float d = half(block + 208);
      for (int part = 0; part < 2; part++) {
        for (int j = 0; j < 32; j += L) {
          IntVector low0 = ints(block + part * 64L + j);
          IntVector low1 = ints(block + part * 64L + 32 + j);
          IntVector pairs = ints(block + 128 + part * 32L + j);
          FloatVector nibble0 = toFloat(low0.and(0x0f));
          FloatVector nibble1 = toFloat(low1.and(0x0f));
          FloatVector pair0 = toFloat(pairs.and(0x03));
          FloatVector pair1 = toFloat(pairs.and(0x0c));
          long scales = block + 192 + part * 8L + j / 16;
          float d0 = d * MEMORY.get(Layouts.BYTE, scales);
          float d1 = d * MEMORY.get(Layouts.BYTE, scales + 2);
          int at = outIndex + i + part * 128 + j;
          nibble0 = pair0.fma(FloatVector.broadcast(F, 16), nibble0);
          nibble1 = pair1.fma(FloatVector.broadcast(F, 4), nibble1);
          FloatVector minimum0 = FloatVector.broadcast(F, -32 * d0);
          FloatVector minimum1 = FloatVector.broadcast(F, -32 * d1);
          nibble0.fma(FloatVector.broadcast(F, d0), minimum0).intoArray(out, at);
          nibble1.fma(FloatVector.broadcast(F, d1), minimum1).intoArray(out, at + 32);
        }
      }
    }
  }

  /// The weights in high nibbles, which are read sixteen times too large.
  private static void widenQ6High(
      MemorySegment weights, long offset, int count, float[] out, int outIndex) {
    long address = OpenMemory.address(weights, offset, count / 256 * 210L);
    for (int k = 0; k < count / 256; k++) {
      long block = address + k * 210L;
      int i = k * 256;
      float d = half(block + 208) / 16;
      for (int part = 0; part < 2; part++) {
        for (int j = 0; j < 32; j += L) {
          IntVector low0 = ints(block + part * 64L + j);
          IntVector low1 = ints(block + part * 64L + 32 + j);
          IntVector pairs = ints(block + 128 + part * 32L + j);
          FloatVector nibble0 = toFloat(low0.and(0xf0));
          FloatVector nibble1 = toFloat(low1.and(0xf0));
          FloatVector pair0 = toFloat(pairs.and(0x30));
          FloatVector pair1 = toFloat(pairs.and(0xc0));
          long scales = block + 196 + part * 8L + j / 16;
          float d0 = d * MEMORY.get(Layouts.BYTE, scales);
          float d1 = d * MEMORY.get(Layouts.BYTE, scales + 2);
          int at = outIndex + i + part * 128 + j + 64;
          nibble0 = pair0.fma(FloatVector.broadcast(F, 16), nibble0);
          nibble1 = pair1.fma(FloatVector.broadcast(F, 4), nibble1);
          FloatVector minimum0 = FloatVector.broadcast(F, -512 * d0);
          FloatVector minimum1 = FloatVector.broadcast(F, -512 * d1);
          nibble0.fma(FloatVector.broadcast(F, d0), minimum0).intoArray(out, at);
          nibble1.fma(FloatVector.broadcast(F, d1), minimum1).intoArray(out, at + 32);
        }
      }
    }
  }
}
