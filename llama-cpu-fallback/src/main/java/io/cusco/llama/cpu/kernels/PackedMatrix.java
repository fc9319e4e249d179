package io.cusco.llama.cpu.kernels;

import io.cusco.llama.checkpoint.DType;
import io.cusco.llama.memory.NativeMemory;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/// A copy of a weight matrix for multiplying one vector of activations. Sixteen rows lie side by
/// side, so that they are the lanes of a vector and no sum crosses lanes. The copy is exact: the
/// integers, scales and minima of the checkpoint's blocks in another order.
///
/// ```
/// group of 16 rows:  [numbers][scales][superscales]
///
/// numbers, 4 bits:  [columns / 8][16 rows]  an int: columns 0 2 4 6 in the low half, 1 3 5 7 in the high
/// numbers, 8 bits:  [columns / 4][16 rows]  an int: columns 0 2 in the low half, 1 3 in the high
/// scales            Q4_0 [columns / 32][16 rows] f16
///                   Q4_K [columns / 32][16 rows scales, 16 rows minima] uint8
///                   Q6_K [columns / 16][16 rows] int8
/// superscales       Q4_K [columns / 256][16 rows d, 16 rows dmin] f32
///                   Q6_K [columns / 256][16 rows] f32
/// ```
///
/// Two neighbouring columns are the halves of an int, because a pair of activations is broadcast as
/// one. Q6_K is kept in bytes: taking its bits apart costs more than reading two bits more.
///
/// The copy is filled by the workers themselves, each time the first product with some rows is due:
/// one task owns a range of rows, so there is nothing to wait for, and a result never depends on
/// whether the copy was already there.
public final class PackedMatrix {
  /// Rows side by side: the lanes of the widest vector.
  public static final int GROUP = 16;

  /// What Q6_K's numbers 0 .. 63 stand off zero.
  static final int Q6_OFFSET = 32;

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
    superscalesAt = scalesAt + source.columns();
    groupBytes = groupBytes(source);
    filled = new boolean[source.rows() / GROUP];
    segment = NativeMemory.allocateLargePages(filled.length * groupBytes + PADDING, arena);
  }

  /// Whether this class has a layout for the matrix.
  public static boolean isPackable(Matrix matrix) {
    boolean hasLayout =
        switch (matrix.type()) {
          case Q4_0, Q4_K, Q6_K -> true;
          default -> false;
        };
    return hasLayout && matrix.rows() % GROUP == 0;
  }

  /// Bytes that the copy takes.
  public static long numBytes(Matrix matrix) {
    return matrix.rows() / GROUP * groupBytes(matrix);
  }

  private static long groupBytes(Matrix matrix) {
    return numberBytes(matrix) + matrix.columns() + superscaleBytes(matrix);
  }

  private static long numberBytes(Matrix matrix) {
    long columns = matrix.columns();
    return switch (matrix.type()) {
      case Q4_0, Q4_K -> columns / 2 * GROUP;
      case Q6_K -> columns * GROUP;
      default -> throw new IllegalArgumentException(matrix.type() + " has no other order");
    };
  }

  private static long superscaleBytes(Matrix matrix) {
    int blocks = matrix.columns() / SUPERBLOCK;
    return switch (matrix.type()) {
      case Q4_K -> blocks * 2L * GROUP * Float.BYTES;
      case Q6_K -> blocks * (long) GROUP * Float.BYTES;
      default -> 0;
    };
  }

  DType type() {
    return source.type();
  }

  /// Bits of one number of a reordered matrix.
  int numberBits() {
    return source.type() == DType.Q6_K ? 8 : 4;
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
