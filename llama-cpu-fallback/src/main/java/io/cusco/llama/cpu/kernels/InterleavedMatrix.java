package io.cusco.llama.cpu.kernels;

import io.cusco.llama.checkpoint.DType;
import io.cusco.llama.memory.OpenMemory;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/// A Q8_0 matrix with sixteen rows side by side, column by column: the same integers and scales in
/// as many bytes as the checkpoint's, for products with float32 activations. Sixteen numbers of a
/// column become a vector whose lanes are rows, so that no sum crosses lanes and a scale serves
/// sixteen rows.
///
/// ```
/// group of 16 rows:  [columns][16 rows] int8   [columns / 32][16 rows] f16
/// ```
///
/// A product takes groups two by two ([#PAIR] rows), so that what it broadcasts of the activations
/// is used for two vectors.
///
/// The memory is the caller's, who fills it ([#fill], several threads may fill different groups)
/// before the first product.
public final class InterleavedMatrix {
  /// Rows side by side: the lanes of the widest vector.
  static final int GROUP = 16;

  /// Rows that a product takes at a time.
  public static final int PAIR = 2 * GROUP;

  /// Columns with a scale of their own.
  static final int BLOCK = 32;

  private static final int BLOCK_BYTES = Short.BYTES + BLOCK;

  private final Matrix source;
  private final MemorySegment segment;
  private final long groupBytes;

  /// @param memory [#numBytes] for the copy; should be large pages, as products read it from end to
  ///   end
  public InterleavedMatrix(Matrix source, MemorySegment memory) {
    if (!takes(source) || memory.byteSize() != numBytes(source)) {
      throw new IllegalArgumentException(
          "%s [%d, %d] cannot be interleaved in %d bytes: it takes Q8_0, rows a multiple of %d, and %d bytes"
              .formatted(
                  source.type(),
                  source.rows(),
                  source.columns(),
                  memory.byteSize(),
                  PAIR,
                  numBytes(source)));
    }
    this.source = source;
    segment = memory;
    groupBytes = GROUP * source.type().numBytes(source.columns());
  }

  /// Whether there is a layout for the matrix.
  public static boolean takes(Matrix matrix) {
    return matrix.type() == DType.Q8_0 && matrix.rows() % PAIR == 0;
  }

  /// Bytes that the copy takes: those of the matrix.
  public static long numBytes(Matrix matrix) {
    return matrix.rows() * matrix.type().numBytes(matrix.columns());
  }

  int columns() {
    return source.columns();
  }

  /// Groups of sixteen rows.
  public int numGroups() {
    return source.rows() / GROUP;
  }

  MemorySegment segment() {
    return segment;
  }

  /// Where the numbers of a group's column begin.
  long numbersAt(int group, int column) {
    return group * groupBytes + (long) column * GROUP;
  }

  /// Where the scales of a group's column and its 31 neighbours begin.
  long scalesAt(int group, int column) {
    long numbers = (long) source.columns() * GROUP;
    return group * groupBytes + numbers + (long) column / BLOCK * GROUP * Short.BYTES;
  }

  /// Address of the numbers of `count` columns, see [OpenMemory].
  long numbers(int group, int column, int count) {
    return OpenMemory.address(segment, numbersAt(group, column), (long) count * GROUP);
  }

  /// Address of their scales.
  long scales(int group, int column, int count) {
    long bytes = (long) count / BLOCK * GROUP * Short.BYTES;
    return OpenMemory.address(segment, scalesAt(group, column), bytes);
  }

  /// Fills the groups `groupStart .. groupEnd - 1` from the matrix.
  public void fill(int groupStart, int groupEnd) {
    int blocks = source.columns() / BLOCK;
    byte[] row = new byte[blocks * BLOCK_BYTES];
    byte[] group = new byte[Math.toIntExact(groupBytes)];
    for (int g = groupStart; g < groupEnd; g++) {
      for (int lane = 0; lane < GROUP; lane++) {
        long at = source.rowOffset(g * GROUP + lane);
        MemorySegment.copy(source.segment(), ValueLayout.JAVA_BYTE, at, row, 0, row.length);
        for (int block = 0; block < blocks; block++) {
          spread(row, block, group, lane);
        }
      }
      MemorySegment.copy(group, 0, segment, ValueLayout.JAVA_BYTE, g * groupBytes, group.length);
    }
  }

  /// `[f16 d][32 x int8 q]`.
  private void spread(byte[] row, int block, byte[] group, int lane) {
    int from = block * BLOCK_BYTES;
    int scale = (source.columns() + block * Short.BYTES) * GROUP + lane * Short.BYTES;
    group[scale] = row[from];
    group[scale + 1] = row[from + 1];
    int to = block * BLOCK * GROUP + lane;
    for (int i = 0; i < BLOCK; i++) {
      group[to + i * GROUP] = row[from + Short.BYTES + i];
    }
  }
}
