package io.cusco.llama.cpu.kernels;

import static io.cusco.llama.cpu.kernels.Lanes.B;
import static io.cusco.llama.cpu.kernels.Lanes.F;
import static io.cusco.llama.cpu.kernels.Lanes.L;
import static io.cusco.llama.cpu.kernels.Lanes.LE;
import static io.cusco.llama.cpu.kernels.Lanes.S;
import static io.cusco.llama.memory.OpenMemory.MEMORY;

import io.cusco.llama.memory.OpenMemory;
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

  private static FloatVector load(long address) {
    return FloatVector.fromMemorySegment(F, MEMORY, address, LE);
  }

  private static ShortVector shorts(long address) {
    return ShortVector.fromMemorySegment(S, MEMORY, address, LE);
  }

  static float dotF32(MemorySegment w, long wOffset, MemorySegment x, long xOffset, int count) {
    long wAddress = OpenMemory.address(w, wOffset, count * 4L);
    long xAddress = OpenMemory.address(x, xOffset, count * 4L);
    FloatVector sum0 = FloatVector.zero(F);
    FloatVector sum1 = FloatVector.zero(F);
    FloatVector sum2 = FloatVector.zero(F);
    FloatVector sum3 = FloatVector.zero(F);
    int i = 0;
    for (; i <= count - 4 * L; i += 4 * L) {
      long at = i * 4L;
      sum0 = load(wAddress + at).fma(load(xAddress + at), sum0);
      sum1 = load(wAddress + at + 4L * L).fma(load(xAddress + at + 4L * L), sum1);
      sum2 = load(wAddress + at + 8L * L).fma(load(xAddress + at + 8L * L), sum2);
      sum3 = load(wAddress + at + 12L * L).fma(load(xAddress + at + 12L * L), sum3);
    }
    float sum = Lanes.sum(sum0.add(sum1).add(sum2.add(sum3)));
    for (; i < count; i++) {
      sum +=
          MEMORY.get(Layouts.FLOAT_LE, wAddress + i * 4L)
              * MEMORY.get(Layouts.FLOAT, xAddress + i * 4L);
    }
    return sum;
  }

  static float dotBf16(MemorySegment w, long wOffset, MemorySegment x, long xOffset, int count) {
    long wAddress = OpenMemory.address(w, wOffset, count * 2L);
    long xAddress = OpenMemory.address(x, xOffset, count * 4L);
    FloatVector sum0 = FloatVector.zero(F);
    FloatVector sum1 = FloatVector.zero(F);
    FloatVector sum2 = FloatVector.zero(F);
    FloatVector sum3 = FloatVector.zero(F);
    int i = 0;
    for (; i <= count - 4 * L; i += 4 * L) {
      long wAt = wAddress + i * 2L;
      long xAt = xAddress + i * 4L;
      ShortVector bits0 = shorts(wAt);
      ShortVector bits1 = shorts(wAt + 2L * L);
      ShortVector bits2 = shorts(wAt + 4L * L);
      ShortVector bits3 = shorts(wAt + 6L * L);
      sum0 = Lanes.bf16ToFloat(bits0).fma(load(xAt), sum0);
      sum1 = Lanes.bf16ToFloat(bits1).fma(load(xAt + 4L * L), sum1);
      sum2 = Lanes.bf16ToFloat(bits2).fma(load(xAt + 8L * L), sum2);
      sum3 = Lanes.bf16ToFloat(bits3).fma(load(xAt + 12L * L), sum3);
    }
    float sum = Lanes.sum(sum0.add(sum1).add(sum2.add(sum3)));
    for (; i < count; i++) {
      float weight = Float.intBitsToFloat(MEMORY.get(Layouts.SHORT_LE, wAddress + i * 2L) << 16);
      sum += weight * MEMORY.get(Layouts.FLOAT, xAddress + i * 4L);
    }
    return sum;
  }

  /// One vector a turn: widening takes longer than the sum's latency, and two would be too much for
  /// the compiler beside other types' products.
  static float dotF16(MemorySegment w, long wOffset, MemorySegment x, long xOffset, int count) {
    long wAddress = OpenMemory.address(w, wOffset, count * 2L);
    long xAddress = OpenMemory.address(x, xOffset, count * 4L);
    FloatVector sums = FloatVector.zero(F);
    int i = 0;
    for (; i <= count - L; i += L) {
      sums = Lanes.f16ToFloat(shorts(wAddress + i * 2L)).fma(load(xAddress + i * 4L), sums);
    }
    float sum = Lanes.sum(sums);
    for (; i < count; i++) {
      float weight = Float.float16ToFloat(MEMORY.get(Layouts.SHORT_LE, wAddress + i * 2L));
      sum += weight * MEMORY.get(Layouts.FLOAT, xAddress + i * 4L);
    }
    return sum;
  }

  private static FloatVector bytes(long address) {
    return Lanes.toFloat(ByteVector.fromMemorySegment(B, MEMORY, address, LE));
  }

  /// A block's scale, from a table: converting it and spreading it over a vector takes the one port
  /// that also widens bytes; a load that broadcasts does not.
  static FloatVector scale(long address) {
    return FloatVector.broadcast(F, HALF[Layouts.shortAt(MEMORY, address) & 0xffff]);
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
    int blocks = count / 32;
    long wAddress = OpenMemory.address(w, wOffset, blocks * 34L);
    long xAddress = OpenMemory.address(x, xOffset, count * 4L);
    FloatVector sum = FloatVector.zero(F);
    for (int k = 0; k < blocks; k++) {
      long block = wAddress + k * 34L;
      long at = xAddress + k * 128L;
      FloatVector part = bytes(block + 2).mul(load(at));
      part = bytes(block + 18).fma(load(at + 64), part);
      sum = part.fma(scale(block), sum);
    }
    return Lanes.sum(sum);
  }

  /// Q8_0 at 256 bits: four vectors per block.
  static float dotQ8_0Narrow(
      MemorySegment w, long wOffset, MemorySegment x, long xOffset, int count) {
    int blocks = count / 32;
    long wAddress = OpenMemory.address(w, wOffset, blocks * 34L);
    long xAddress = OpenMemory.address(x, xOffset, count * 4L);
    FloatVector sum0 = FloatVector.zero(F);
    FloatVector sum1 = FloatVector.zero(F);
    for (int k = 0; k < blocks; k++) {
      long block = wAddress + k * 34L;
      long at = xAddress + k * 128L;
      FloatVector d = scale(block);
      FloatVector part0 = bytes(block + 2).mul(load(at));
      FloatVector part1 = bytes(block + 10).mul(load(at + 32));
      part0 = bytes(block + 18).fma(load(at + 64), part0);
      part1 = bytes(block + 26).fma(load(at + 96), part1);
      sum0 = part0.fma(d, sum0);
      sum1 = part1.fma(d, sum1);
    }
    return Lanes.sum(sum0.add(sum1));
  }

  /// Q8_0 at 128 bits: eight vectors per block, from four reads of eight bytes.
  static float dotQ8_0Quarter(
      MemorySegment w, long wOffset, MemorySegment x, long xOffset, int count) {
    int blocks = count / 32;
    long wAddress = OpenMemory.address(w, wOffset, blocks * 34L);
    long xAddress = OpenMemory.address(x, xOffset, count * 4L);
    FloatVector sum = FloatVector.zero(F);
    for (int k = 0; k < blocks; k++) {
      long block = wAddress + k * 34L;
      long at = xAddress + k * 128L;
      FloatVector part = FloatVector.zero(F);
      for (int j = 0; j < 32; j += 8) {
        ShortVector eight = Lanes.eightBytes(block + 2 + j);
        part = Lanes.lowerFour(eight).fma(load(at + j * 4L), part);
        part = Lanes.upperFour(eight).fma(load(at + j * 4L + 16), part);
      }
      sum = part.fma(scale(block), sum);
    }
    return Lanes.sum(sum);
  }

  /// Widened weights against one token.
  static float dot(float[] w, int wIndex, MemorySegment x, long xOffset, int count) {
    long xAddress = OpenMemory.address(x, xOffset, count * 4L);
    FloatVector sum0 = FloatVector.zero(F);
    FloatVector sum1 = FloatVector.zero(F);
    int i = 0;
    for (; i <= count - 2 * L; i += 2 * L) {
      long at = xAddress + i * 4L;
      sum0 = FloatVector.fromArray(F, w, wIndex + i).fma(load(at), sum0);
      sum1 = FloatVector.fromArray(F, w, wIndex + i + L).fma(load(at + 4L * L), sum1);
    }
    float sum = Lanes.sum(sum0.add(sum1));
    for (; i < count; i++) {
      sum += w[wIndex + i] * MEMORY.get(Layouts.FLOAT, xAddress + i * 4L);
    }
    return sum;
  }
}
