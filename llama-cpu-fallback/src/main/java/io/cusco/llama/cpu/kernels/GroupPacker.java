package io.cusco.llama.cpu.kernels;

import io.cusco.llama.checkpoint.DType;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;

/// Brings sixteen rows of a matrix into the order of [PackedMatrix]. Used once for each group, so
/// written for reading. Belongs to one thread.
final class GroupPacker {
  private static final int GROUP = PackedMatrix.GROUP;

  private final PackedMatrix packed;
  private final Matrix source;
  private final byte[] row;
  private final byte[] numbers;
  private final int[] words;

  GroupPacker(PackedMatrix packed, Matrix source) {
    this.packed = packed;
    this.source = source;
    row = new byte[Math.toIntExact(source.type().numBytes(source.columns()))];
    numbers = new byte[source.columns()];
    words = new int[Math.toIntExact(packed.scalesAt / Integer.BYTES)];
  }

  void pack(int group) {
    Arrays.fill(words, 0);
    for (int lane = 0; lane < GROUP; lane++) {
      MemorySegment.copy(
          source.segment(),
          ValueLayout.JAVA_BYTE,
          source.rowOffset(group * GROUP + lane),
          row,
          0,
          row.length);
      long at = packed.groupOffset(group);
      switch (source.type()) {
        case Q4_0, Q4_1, Q5_0, Q5_1 -> packHalfScales(lane, at);
        case Q4_K, Q5_K -> packK(lane, at);
        case Q6_K -> packQ6K(lane, at);
        default -> throw new IllegalStateException(source.type() + " is not reordered");
      }
      storeNumbers(lane);
    }
    MemorySegment.copy(
        words, 0, packed.segment(), Layouts.INT_LE, packed.groupOffset(group), words.length);
  }

  private void storeNumbers(int lane) {
    for (int column = 0; column < numbers.length; column++) {
      int half = column % 2 * 16;
      int low = numbers[column] & 15;
      int high = numbers[column] >> PackedMatrix.LOW_BITS;
      words[packed.wordOf(column) * GROUP + lane] |= low << (half + column % 8 / 2 * 4);
      if (high != 0) {
        words[packed.highWordOf(column) * GROUP + lane] |=
            Integer.rotateLeft(high << (half + PackedMatrix.LOW_BITS), packed.rotationOf(column));
      }
    }
  }

  private void setByte(long at, int value) {
    packed.segment().set(Layouts.BYTE, at, (byte) value);
  }

  private void setFloat(long at, float value) {
    packed.segment().set(Layouts.FLOAT, at, value);
  }

  private short bits(int at) {
    return (short) ((row[at] & 0xff) | (row[at + 1] << 8));
  }

  /// `[f16 d][f16 m, if it ends in 1][uint32 fifth bits, of 5 bits][16 x (low, high) nibbles]`.
  private void packHalfScales(int lane, long group) {
    int halves = source.type() == DType.Q4_1 || source.type() == DType.Q5_1 ? 2 : 1;
    boolean five = packed.bits() == 5;
    for (int block = 0; block < numbers.length / 32; block++) {
      int at = block * source.type().blockBytes();
      for (int i = 0; i < halves; i++) {
        long index = ((long) block * halves + i) * GROUP + lane;
        long to = group + packed.scalesAt + index * Short.BYTES;
        packed.segment().set(Layouts.SHORT_LE, to, bits(at + 2 * i));
      }
      at += 2 * halves;
      int fifth = five ? (bits(at) & 0xffff) | (bits(at + 2) << 16) : 0;
      at += five ? Integer.BYTES : 0;
      for (int i = 0; i < 16; i++) {
        int low = (row[at + i] & 15) | ((fifth >>> i & 1) << 4);
        int high = ((row[at + i] & 0xff) >> 4) | ((fifth >>> (16 + i) & 1) << 4);
        numbers[block * 32 + i] = (byte) low;
        numbers[block * 32 + 16 + i] = (byte) high;
      }
    }
  }

  /// `[f16 d][f16 dmin][12 bytes of scales and minima][32 x fifth bits, of Q5_K][128 x nibbles]`.
  private void packK(int lane, long group) {
    int fifths = source.type() == DType.Q5_K ? 32 : 0;
    for (int block = 0; block < numbers.length / 256; block++) {
      int at = block * source.type().blockBytes();
      long d = group + packed.superscalesAt + (block * 2L * GROUP + lane) * Float.BYTES;
      setFloat(d, Float.float16ToFloat(bits(at)));
      setFloat(d + GROUP * Float.BYTES, Float.float16ToFloat(bits(at + 2)));
      for (int sub = 0; sub < 8; sub++) {
        long scale = group + packed.scalesAt + (block * 8L + sub) * 2 * GROUP + lane;
        setByte(scale, scaleOfK(at + 4, sub));
        setByte(scale + GROUP, minimumOfK(at + 4, sub));
        int bytes = at + 16 + fifths + sub / 2 * 32;
        int shift = sub % 2 * 4;
        for (int i = 0; i < 32; i++) {
          int fifth = fifths == 0 ? 0 : (row[at + 16 + i] >> sub) & 1;
          numbers[block * 256 + sub * 32 + i] =
              (byte) (((row[bytes + i] >> shift) & 15) | (fifth << 4));
        }
      }
    }
  }

  /// Six bits; the upper four groups' two high bits lie beside the lower four's numbers.
  private int scaleOfK(int scales, int sub) {
    return sub < 4
        ? row[scales + sub] & 63
        : (row[scales + sub + 4] & 15) | (((row[scales + sub - 4] & 0xff) >> 6) << 4);
  }

  private int minimumOfK(int scales, int sub) {
    return sub < 4
        ? row[scales + sub + 4] & 63
        : ((row[scales + sub + 4] & 0xff) >> 4) | (((row[scales + sub] & 0xff) >> 6) << 4);
  }

  private void packQ6K(int lane, long group) {
    for (int block = 0; block < numbers.length / 256; block++) {
      int at = block * 210;
      long d = group + packed.superscalesAt + (block * (long) GROUP + lane) * Float.BYTES;
      setFloat(d, Float.float16ToFloat(bits(at + 208)));
      for (int sub = 0; sub < 16; sub++) {
        setByte(group + packed.scalesAt + (block * 16L + sub) * GROUP + lane, row[at + 192 + sub]);
      }
      for (int i = 0; i < 256; i++) {
        int half = i / 128;
        int quarter = i % 128 / 32;
        int low = (row[at + half * 64 + quarter % 2 * 32 + i % 32] >> (quarter / 2 * 4)) & 15;
        int high = (row[at + 128 + half * 32 + i % 32] >> (quarter * 2)) & 3;
        numbers[block * 256 + i] = (byte) (low | (high << 4));
      }
    }
  }
}
