package io.cusco.llama.cpu.kernels;

import static io.cusco.llama.cpu.kernels.Lanes.B;
import static io.cusco.llama.cpu.kernels.Lanes.F;
import static io.cusco.llama.cpu.kernels.Lanes.L;
import static io.cusco.llama.cpu.kernels.Lanes.LE;
import static io.cusco.llama.cpu.kernels.Lanes.S;

import io.cusco.llama.checkpoint.DType;
import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.ByteVector;
import jdk.incubator.vector.FloatVector;
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
    int i = 0;
    for (; i <= count - L; i += L) {
      ShortVector bits = ShortVector.fromMemorySegment(S, weights, offset + i * 2L, LE);
      Lanes.f16ToFloat(bits).intoArray(out, outIndex + i);
    }
    for (; i < count; i++) {
      out[outIndex + i] = Float.float16ToFloat(weights.get(Layouts.SHORT_LE, offset + i * 2L));
    }
  }

  private static void widenBf16(
      MemorySegment weights, long offset, int count, float[] out, int outIndex) {
    int i = 0;
    for (; i <= count - L; i += L) {
      ShortVector bits = ShortVector.fromMemorySegment(S, weights, offset + i * 2L, LE);
      Lanes.bf16ToFloat(bits).intoArray(out, outIndex + i);
    }
    for (; i < count; i++) {
      out[outIndex + i] =
          Float.intBitsToFloat(weights.get(Layouts.SHORT_LE, offset + i * 2L) << 16);
    }
  }

  private static float half(MemorySegment weights, long offset) {
    return Float.float16ToFloat(weights.get(Layouts.SHORT_LE, offset));
  }

  private static ByteVector bytes(MemorySegment weights, long offset) {
    return ByteVector.fromMemorySegment(B, weights, offset, LE);
  }

  private static ByteVector highNibbles(ByteVector bytes) {
    return bytes.lanewise(VectorOperators.LSHR, 4).and((byte) 15);
  }

  /// `[f16 d][32 x int8 q]`: `d * q`.
  private static void widenQ8_0(
      MemorySegment weights, long offset, int count, float[] out, int outIndex) {
    for (int i = 0; i < count; i += 32) {
      long block = offset + i / 32 * 34L;
      float d = half(weights, block);
      for (int j = 0; j < 32; j += L) {
        Lanes.toFloat(bytes(weights, block + 2 + j)).mul(d).intoArray(out, outIndex + i + j);
      }
    }
  }

  /// `[f16 d][16 x (low, high) nibbles]`: `d * (q - 8)`, low nibbles first.
  private static void widenQ4_0(
      MemorySegment weights, long offset, int count, float[] out, int outIndex) {
    for (int i = 0; i < count; i += 32) {
      long block = offset + i / 32 * 18L;
      float d = half(weights, block);
      for (int j = 0; j < 16; j += L) {
        ByteVector q = bytes(weights, block + 2 + j);
        int at = outIndex + i + j;
        Lanes.toFloat(q.and((byte) 15).sub((byte) 8)).mul(d).intoArray(out, at);
        Lanes.toFloat(highNibbles(q).sub((byte) 8)).mul(d).intoArray(out, at + 16);
      }
    }
  }

  /// `[f16 d][f16 dmin][12 bytes of 6-bit scales and minima][128 x nibbles]`: eight groups of 32,
  /// `d * scale * q - dmin * minimum`.
  private static void widenQ4K(
      MemorySegment weights, long offset, int count, float[] out, int outIndex) {
    for (int i = 0; i < count; i += 256) {
      long block = offset + i / 256 * 144L;
      float d = half(weights, block);
      float dmin = half(weights, block + 2);
      for (int pair = 0; pair < 4; pair++) {
        int low = scaleAndMinimum(weights, block + 4, 2 * pair);
        int high = scaleAndMinimum(weights, block + 4, 2 * pair + 1);
        FloatVector lowMinimum = FloatVector.broadcast(F, -dmin * (low >>> 8));
        FloatVector highMinimum = FloatVector.broadcast(F, -dmin * (high >>> 8));
        FloatVector lowScale = FloatVector.broadcast(F, d * (low & 63));
        FloatVector highScale = FloatVector.broadcast(F, d * (high & 63));
        for (int j = 0; j < 32; j += L) {
          ByteVector q = bytes(weights, block + 16 + pair * 32L + j);
          int at = outIndex + i + pair * 64 + j;
          Lanes.toFloat(q.and((byte) 15)).fma(lowScale, lowMinimum).intoArray(out, at);
          Lanes.toFloat(highNibbles(q)).fma(highScale, highMinimum).intoArray(out, at + 32);
        }
      }
    }
  }

  /// As Q4_K with a fifth bit per weight: `[f16 d][f16 dmin][12 scales][32 x high bits][128 x
  /// nibbles]`.
  private static void widenQ5K(
      MemorySegment weights, long offset, int count, float[] out, int outIndex) {
    for (int i = 0; i < count; i += 256) {
      long block = offset + i / 256 * 176L;
      float d = half(weights, block);
      float dmin = half(weights, block + 2);
      for (int pair = 0; pair < 4; pair++) {
        int low = scaleAndMinimum(weights, block + 4, 2 * pair);
        int high = scaleAndMinimum(weights, block + 4, 2 * pair + 1);
        FloatVector lowMinimum = FloatVector.broadcast(F, -dmin * (low >>> 8));
        FloatVector highMinimum = FloatVector.broadcast(F, -dmin * (high >>> 8));
        FloatVector lowScale = FloatVector.broadcast(F, d * (low & 63));
        FloatVector highScale = FloatVector.broadcast(F, d * (high & 63));
        byte lowBit = (byte) (1 << (2 * pair));
        byte highBit = (byte) (2 << (2 * pair));
        for (int j = 0; j < 32; j += L) {
          ByteVector q = bytes(weights, block + 48 + pair * 32L + j);
          ByteVector fifth = bytes(weights, block + 16 + j);
          ByteVector q0 = q.and((byte) 15);
          ByteVector q1 = highNibbles(q);
          q0 = q0.add((byte) 16, fifth.and(lowBit).compare(VectorOperators.NE, (byte) 0));
          q1 = q1.add((byte) 16, fifth.and(highBit).compare(VectorOperators.NE, (byte) 0));
          int at = outIndex + i + pair * 64 + j;
          Lanes.toFloat(q0).fma(lowScale, lowMinimum).intoArray(out, at);
          Lanes.toFloat(q1).fma(highScale, highMinimum).intoArray(out, at + 32);
        }
      }
    }
  }

  /// Scale (bits 0-5) and minimum (bits 8-13) of group `j` of a Q4_K or Q5_K block; the twelve
  /// bytes hold the first four groups' six bits directly and split the other four's.
  static int scaleAndMinimum(MemorySegment weights, long scales, int j) {
    int a = weights.get(Layouts.BYTE, scales + j) & 0xff;
    int b = weights.get(Layouts.BYTE, scales + j + 4) & 0xff;
    if (j < 4) {
      return (a & 63) | ((b & 63) << 8);
    }
    int c = weights.get(Layouts.BYTE, scales + j - 4) & 0xff;
    return ((b & 15) | ((c >> 6) << 4)) | (((b >> 4) | ((a >> 6) << 4)) << 8);
  }

  /// `[128 x low nibbles][64 x high pairs][16 x int8 scale][f16 d]`: sixteen groups of 16, `d *
  /// scale * (q - 32)`.
  private static void widenQ6K(
      MemorySegment weights, long offset, int count, float[] out, int outIndex) {
    for (int i = 0; i < count; i += 256) {
      long block = offset + i / 256 * 210L;
      float d = half(weights, block + 208);
      for (int part = 0; part < 2; part++) {
        for (int j = 0; j < 32; j += L) {
          ByteVector low0 = bytes(weights, block + part * 64L + j);
          ByteVector low1 = bytes(weights, block + part * 64L + 32 + j);
          ByteVector high = bytes(weights, block + 128 + part * 32L + j);
          long scales = block + 192 + part * 8L + j / 16;
          int at = outIndex + i + part * 128 + j;
          q6(low0.and((byte) 15), high, 0).mul(d * scale(weights, scales)).intoArray(out, at);
          q6(low1.and((byte) 15), high, 2)
              .mul(d * scale(weights, scales + 2))
              .intoArray(out, at + 32);
          q6(highNibbles(low0), high, 4)
              .mul(d * scale(weights, scales + 4))
              .intoArray(out, at + 64);
          q6(highNibbles(low1), high, 6)
              .mul(d * scale(weights, scales + 6))
              .intoArray(out, at + 96);
        }
      }
    }
  }

  private static FloatVector q6(ByteVector nibble, ByteVector high, int shift) {
    ByteVector pair = high.lanewise(VectorOperators.LSHR, shift).and((byte) 3);
    return Lanes.toFloat(nibble.or(pair.lanewise(VectorOperators.LSHL, 4)).sub((byte) 32));
  }

  private static float scale(MemorySegment weights, long offset) {
    return weights.get(Layouts.BYTE, offset);
  }
}
