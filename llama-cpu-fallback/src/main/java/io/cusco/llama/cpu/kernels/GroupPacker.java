package io.cusco.llama.cpu.kernels;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/// Brings sixteen rows of a matrix into the order of [PackedMatrix]. Used once for each group, so
/// written for reading. Belongs to one thread.
final class GroupPacker {
  private static final int GROUP = PackedMatrix.GROUP;

  /// Where a chunk's columns go in an int: even columns in its low half, odd ones in its high half.
  private static final int[] NIBBLE_SHIFTS = {0, 16, 4, 20, 8, 24, 12, 28};

  private static final int[] BYTE_SHIFTS = {0, 16, 8, 24};

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
        case Q4_0 -> packQ4_0(lane, at);
        case Q4_K -> packQ4K(lane, at);
        case Q6_K -> packQ6K(lane, at);
        default -> throw new IllegalStateException(source.type() + " is not reordered");
      }
    }
    MemorySegment.copy(
        words, 0, packed.segment(), Layouts.INT_LE, packed.groupOffset(group), words.length);
  }

  private void storeNumbers(int lane, int[] shifts) {
    int perWord = shifts.length;
    for (int column = 0; column < numbers.length; column += perWord) {
      int word = 0;
      for (int i = 0; i < perWord; i++) {
        word |= (numbers[column + i] & 0xff) << shifts[i];
      }
      words[column / perWord * GROUP + lane] = word;
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

  private void packQ4_0(int lane, long group) {
    for (int block = 0; block < numbers.length / 32; block++) {
      int at = block * 18;
      long scale = group + packed.scalesAt + (block * (long) GROUP + lane) * Short.BYTES;
      packed.segment().set(Layouts.SHORT_LE, scale, bits(at));
      for (int i = 0; i < 16; i++) {
        numbers[block * 32 + i] = (byte) (row[at + 2 + i] & 15);
        numbers[block * 32 + 16 + i] = (byte) ((row[at + 2 + i] & 0xff) >> 4);
      }
    }
    storeNumbers(lane, NIBBLE_SHIFTS);
  }

  private void packQ4K(int lane, long group) {
    for (int block = 0; block < numbers.length / 256; block++) {
      int at = block * 144;
      long d = group + packed.superscalesAt + (block * 2L * GROUP + lane) * Float.BYTES;
      setFloat(d, Float.float16ToFloat(bits(at)));
      setFloat(d + GROUP * Float.BYTES, Float.float16ToFloat(bits(at + 2)));
      for (int sub = 0; sub < 8; sub++) {
        long scale = group + packed.scalesAt + (block * 8L + sub) * 2 * GROUP + lane;
        setByte(scale, scaleQ4K(at + 4, sub));
        setByte(scale + GROUP, minimumQ4K(at + 4, sub));
        int bytes = at + 16 + sub / 2 * 32;
        int shift = sub % 2 * 4;
        for (int i = 0; i < 32; i++) {
          numbers[block * 256 + sub * 32 + i] = (byte) ((row[bytes + i] >> shift) & 15);
        }
      }
    }
    storeNumbers(lane, NIBBLE_SHIFTS);
  }

  /// Six bits; the upper four groups' two high bits lie beside the lower four's numbers.
  private int scaleQ4K(int scales, int sub) {
    return sub < 4
        ? row[scales + sub] & 63
        : (row[scales + sub + 4] & 15) | (((row[scales + sub - 4] & 0xff) >> 6) << 4);
  }

  private int minimumQ4K(int scales, int sub) {
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
    storeNumbers(lane, BYTE_SHIFTS);
  }
}
