package io.cusco.llama.cpu.kernels;

import static io.cusco.llama.cpu.kernels.Lanes.B;
import static io.cusco.llama.cpu.kernels.Lanes.F;
import static io.cusco.llama.cpu.kernels.Lanes.L;
import static io.cusco.llama.cpu.kernels.Lanes.LE;
import static io.cusco.llama.cpu.kernels.Lanes.S;

import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.ByteVector;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.ShortVector;

/// Dot products of one packed row with one vector of activations: the whole cost of decoding, so
/// limited by how fast weights stream from memory. Rows are read one at a time in memory order;
/// several short streams at once lose half the bandwidth.
///
/// Each method has one loop with its vectors in locals: what the compiler keeps in registers.
final class VectorGemv {
  private static final float[] HALF = halfTable();

  private VectorGemv() {}

  static FloatVector load(MemorySegment x, long offset) {
    return FloatVector.fromMemorySegment(F, x, offset, LE);
  }

  static float dotF32(MemorySegment w, long wOffset, MemorySegment x, long xOffset, int count) {
    FloatVector sum0 = FloatVector.zero(F);
    FloatVector sum1 = FloatVector.zero(F);
    FloatVector sum2 = FloatVector.zero(F);
    FloatVector sum3 = FloatVector.zero(F);
    int i = 0;
    for (; i <= count - 4 * L; i += 4 * L) {
      long at = i * 4L;
      sum0 = load(w, wOffset + at).fma(load(x, xOffset + at), sum0);
      sum1 = load(w, wOffset + at + 4L * L).fma(load(x, xOffset + at + 4L * L), sum1);
      sum2 = load(w, wOffset + at + 8L * L).fma(load(x, xOffset + at + 8L * L), sum2);
      sum3 = load(w, wOffset + at + 12L * L).fma(load(x, xOffset + at + 12L * L), sum3);
    }
    float sum = Lanes.sum(sum0.add(sum1).add(sum2.add(sum3)));
    for (; i < count; i++) {
      sum += w.get(Layouts.FLOAT_LE, wOffset + i * 4L) * x.get(Layouts.FLOAT, xOffset + i * 4L);
    }
    return sum;
  }

  static float dotBf16(MemorySegment w, long wOffset, MemorySegment x, long xOffset, int count) {
    FloatVector sum0 = FloatVector.zero(F);
    FloatVector sum1 = FloatVector.zero(F);
    FloatVector sum2 = FloatVector.zero(F);
    FloatVector sum3 = FloatVector.zero(F);
    int i = 0;
    for (; i <= count - 4 * L; i += 4 * L) {
      long wAt = wOffset + i * 2L;
      long xAt = xOffset + i * 4L;
      ShortVector bits0 = ShortVector.fromMemorySegment(S, w, wAt, LE);
      ShortVector bits1 = ShortVector.fromMemorySegment(S, w, wAt + 2L * L, LE);
      ShortVector bits2 = ShortVector.fromMemorySegment(S, w, wAt + 4L * L, LE);
      ShortVector bits3 = ShortVector.fromMemorySegment(S, w, wAt + 6L * L, LE);
      sum0 = Lanes.bf16ToFloat(bits0).fma(load(x, xAt), sum0);
      sum1 = Lanes.bf16ToFloat(bits1).fma(load(x, xAt + 4L * L), sum1);
      sum2 = Lanes.bf16ToFloat(bits2).fma(load(x, xAt + 8L * L), sum2);
      sum3 = Lanes.bf16ToFloat(bits3).fma(load(x, xAt + 12L * L), sum3);
    }
    float sum = Lanes.sum(sum0.add(sum1).add(sum2.add(sum3)));
    for (; i < count; i++) {
      float weight = Float.intBitsToFloat(w.get(Layouts.SHORT_LE, wOffset + i * 2L) << 16);
      sum += weight * x.get(Layouts.FLOAT, xOffset + i * 4L);
    }
    return sum;
  }

  static float dotF16(MemorySegment w, long wOffset, MemorySegment x, long xOffset, int count) {
    FloatVector sum0 = FloatVector.zero(F);
    FloatVector sum1 = FloatVector.zero(F);
    int i = 0;
    for (; i <= count - 2 * L; i += 2 * L) {
      ShortVector bits0 = ShortVector.fromMemorySegment(S, w, wOffset + i * 2L, LE);
      ShortVector bits1 = ShortVector.fromMemorySegment(S, w, wOffset + (i + L) * 2L, LE);
      sum0 = Lanes.f16ToFloat(bits0).fma(load(x, xOffset + i * 4L), sum0);
      sum1 = Lanes.f16ToFloat(bits1).fma(load(x, xOffset + (i + L) * 4L), sum1);
    }
    float sum = Lanes.sum(sum0.add(sum1));
    for (; i < count; i++) {
      float weight = Float.float16ToFloat(w.get(Layouts.SHORT_LE, wOffset + i * 2L));
      sum += weight * x.get(Layouts.FLOAT, xOffset + i * 4L);
    }
    return sum;
  }

  private static FloatVector bytes(MemorySegment w, long offset) {
    return Lanes.toFloat(ByteVector.fromMemorySegment(B, w, offset, LE));
  }

  /// A block's scale, from a table: converting it and spreading it over a vector takes the one port
  /// that also widens bytes; a load that broadcasts does not.
  private static FloatVector scale(MemorySegment w, long offset) {
    return FloatVector.broadcast(F, HALF[Layouts.shortAt(w, offset) & 0xffff]);
  }

  private static float[] halfTable() {
    float[] table = new float[1 << 16];
    for (int bits = 0; bits < table.length; bits++) {
      table[bits] = Float.float16ToFloat((short) bits);
    }
    return table;
  }

  /// Q8_0 at 512 bits: two vectors per block. One block per turn, at an address that is a multiple
  /// of the counter: the compiler then unrolls the loop and moves all bounds checks out of it.
  static float dotQ8_0Wide(
      MemorySegment w, long wOffset, MemorySegment x, long xOffset, int count) {
    FloatVector sum = FloatVector.zero(F);
    int blocks = count / 32;
    for (int k = 0; k < blocks; k++) {
      long block = wOffset + k * 34L;
      long at = xOffset + k * 128L;
      FloatVector part = bytes(w, block + 2).mul(load(x, at));
      part = bytes(w, block + 18).fma(load(x, at + 64), part);
      sum = part.fma(scale(w, block), sum);
    }
    return Lanes.sum(sum);
  }

  /// Q8_0 at 256 bits: four vectors per block.
  static float dotQ8_0Narrow(
      MemorySegment w, long wOffset, MemorySegment x, long xOffset, int count) {
    FloatVector sum0 = FloatVector.zero(F);
    FloatVector sum1 = FloatVector.zero(F);
    int blocks = count / 32;
    for (int k = 0; k < blocks; k++) {
      long block = wOffset + k * 34L;
      long at = xOffset + k * 128L;
      FloatVector d = scale(w, block);
      FloatVector part0 = bytes(w, block + 2).mul(load(x, at));
      FloatVector part1 = bytes(w, block + 10).mul(load(x, at + 32));
      part0 = bytes(w, block + 18).fma(load(x, at + 64), part0);
      part1 = bytes(w, block + 26).fma(load(x, at + 96), part1);
      sum0 = part0.fma(d, sum0);
      sum1 = part1.fma(d, sum1);
    }
    return Lanes.sum(sum0.add(sum1));
  }

  /// Widened weights against one token.
  static float dot(float[] w, int wIndex, MemorySegment x, long xOffset, int count) {
    FloatVector sum0 = FloatVector.zero(F);
    FloatVector sum1 = FloatVector.zero(F);
    int i = 0;
    for (; i <= count - 2 * L; i += 2 * L) {
      long at = xOffset + i * 4L;
      sum0 = FloatVector.fromArray(F, w, wIndex + i).fma(load(x, at), sum0);
      sum1 = FloatVector.fromArray(F, w, wIndex + i + L).fma(load(x, at + 4L * L), sum1);
    }
    float sum = Lanes.sum(sum0.add(sum1));
    for (; i < count; i++) {
      sum += w[wIndex + i] * x.get(Layouts.FLOAT, xOffset + i * 4L);
    }
    return sum;
  }
}
