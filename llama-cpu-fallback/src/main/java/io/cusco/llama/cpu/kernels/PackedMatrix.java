package io.cusco.llama.cpu.kernels;

import io.cusco.llama.checkpoint.DType;
import io.cusco.llama.memory.NativeMemory;
import io.cusco.llama.memory.OpenMemory;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/// A copy of a weight matrix for multiplying one vector of activations. Sixteen rows lie side by
/// side, so that they are the lanes of a vector and no sum crosses lanes. The copy is exact: the
/// integers, scales and minima of the checkpoint's blocks in another order.
///
/// ```
/// group of 16 rows:  [numbers][scales][superscales]
///
/// numbers, 32 columns of n bits: n words for each of the 16 rows, words of all rows side by side
///   4 bits  L L L L
///   5 bits  L L L L H
///   6 bits  L L H L L H
///   L       low four bits of columns 0 2 4 6 in the low half, of 1 3 5 7 in the high half
///   H       the bits above of the columns since the last H: of the even columns from bit 4 on, of
///           the odd ones from bit 20 on, around the end
/// scales       Q4_0 Q5_0 [columns / 32][16 rows] f16
///              Q4_1 Q5_1 [columns / 32][16 rows scales, 16 rows minima] f16
///              Q4_K Q5_K [columns / 32][16 rows scales, 16 rows minima] uint8
///              Q6_K      [columns / 16][16 rows] int8
/// superscales  Q4_K Q5_K [columns / 256][16 rows d, 16 rows dmin] f32
///              Q6_K      [columns / 256][16 rows] f32
/// ```
///
/// Two neighbouring columns are the halves of an int, because a pair of activations is broadcast as
/// one; rotating H brings a pair's bits above its low four.
///
/// The copy is filled by the workers themselves, each time the first product with some rows is due:
/// one task owns a range of rows, so there is nothing to wait for, and a result never depends on
/// whether the copy was already there.
public final class PackedMatrix {
  /// Rows side by side: the lanes of the widest vector.
  public static final int GROUP = 16;

  /// Columns whose numbers fill whole words at any number of bits.
  static final int BLOCK = 32;

  /// Where a word's high bits begin.
  static final int LOW_BITS = 4;

  private static final int SUPERBLOCK = 256;

  /// What the ranges of narrow vectors reach beyond the last group.
  private static final int PADDING = 128;

  private final Matrix source;
  private final MemorySegment segment;
  private final boolean[] filled;
  final long scalesAt;
  final long superscalesAt;
  final long groupBytes;

  /// Reserves memory for a copy of `source`; the system provides it as it is filled.
  public PackedMatrix(Matrix source, Arena arena) {
    if (!isPackable(source)) {
      throw new IllegalArgumentException(
          "%s [%d, %d] cannot be repacked: the type has no other order, or rows are no multiple of %d"
              .formatted(source.type(), source.rows(), source.columns(), GROUP));
    }
    this.source = source;
    scalesAt = numberBytes(source);
    superscalesAt = scalesAt + scaleBytes(source);
    groupBytes = groupBytes(source);
    filled = new boolean[source.rows() / GROUP];
    segment = NativeMemory.allocateLargePages(filled.length * groupBytes + PADDING, arena);
  }

  /// Whether this class has a layout for the matrix.
  public static boolean isPackable(Matrix matrix) {
    return bits(matrix.type()) != 0 && matrix.rows() % GROUP == 0;
  }

  /// Bytes that the copy takes.
  public static long numBytes(Matrix matrix) {
    return matrix.rows() / GROUP * groupBytes(matrix);
  }

  private static long groupBytes(Matrix matrix) {
    return numberBytes(matrix) + scaleBytes(matrix) + superscaleBytes(matrix);
  }

  private static long numberBytes(Matrix matrix) {
    return matrix.columns() / 8L * bits(matrix.type()) * GROUP;
  }

  private static long scaleBytes(Matrix matrix) {
    return switch (matrix.type()) {
      case Q4_1, Q5_1 -> 2L * matrix.columns();
      default -> matrix.columns();
    };
  }

  private static long superscaleBytes(Matrix matrix) {
    int blocks = matrix.columns() / SUPERBLOCK;
    return switch (matrix.type()) {
      case Q4_K, Q5_K -> blocks * 2L * GROUP * Float.BYTES;
      case Q6_K -> blocks * (long) GROUP * Float.BYTES;
      default -> 0;
    };
  }

  /// Bits of one number; 0 for a type that has no layout here.
  private static int bits(DType type) {
    return switch (type) {
      case Q4_0, Q4_1, Q4_K -> 4;
      case Q5_0, Q5_1, Q5_K -> 5;
      case Q6_K -> 6;
      case F32, F16, BF16, Q8_0, Q2_K, Q3_K, IQ4_NL, IQ4_XS -> 0;
    };
  }

  DType type() {
    return source.type();
  }

  int bits() {
    return bits(source.type());
  }

  /// The word with a column's low four bits; its address is 64 times that into a group, and four
  /// times the row.
  int wordOf(int column) {
    int inBlock = column % BLOCK;
    int words = column / BLOCK * bits() + inBlock / 8;
    return bits() == 6 && inBlock >= BLOCK / 2 ? words + 1 : words;
  }

  /// The word with the bits above, if there are any.
  int highWordOf(int column) {
    return bits() == 6 ? wordOf(column / 16 * 16) + 2 : (column / BLOCK + 1) * bits() - 1;
  }

  /// How far [#highWordOf] is rotated to the right to bring a column's bits to bit 4, or 20.
  int rotationOf(int column) {
    return bits() == 6 ? column % 16 / 2 * 2 : column % BLOCK / 2;
  }

  /// Address of the numbers of a group's rows from `row` on, see [OpenMemory].
  long numbers(int group, int row) {
    return OpenMemory.address(segment, groupOffset(group) + row * 4L, scalesAt);
  }

  /// Address of its scales, each so many bytes.
  long scales(int group, int row, int bytes) {
    long at = groupOffset(group) + scalesAt + (long) row * bytes;
    return OpenMemory.address(segment, at, superscalesAt - scalesAt);
  }

  /// Address of its superscales.
  long superscales(int group, int row) {
    long at = groupOffset(group) + superscalesAt + row * 4L;
    return OpenMemory.address(segment, at, groupBytes - superscalesAt);
  }

  int columns() {
    return source.columns();
  }

  MemorySegment segment() {
    return segment;
  }

  long groupOffset(int group) {
    return group * groupBytes;
  }

  /// Fills the copy of these groups if it is not; other threads may fill other groups.
  public void fill(int groupStart, int groupEnd) {
    GroupPacker packer = null;
    for (int group = groupStart; group < groupEnd; group++) {
      if (!filled[group]) {
        packer = packer == null ? new GroupPacker(this, source) : packer;
        packer.pack(group);
        filled[group] = true;
      }
    }
  }
}
