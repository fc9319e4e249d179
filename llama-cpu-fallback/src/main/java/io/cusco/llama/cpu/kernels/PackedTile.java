package io.cusco.llama.cpu.kernels;

import io.cusco.llama.checkpoint.DType;

/// The piece of a [PackedMatrix] that the passes of a product work on: some columns of a group, for
/// as many of its rows as a vector has lanes.
final class PackedTile {
  private static final int STEP = 512;

  /// Shorts that different places take beyond the first.
  static final int PLACES = 3 * STEP;

  /// First row within the group.
  int row;

  /// First column.
  int column;

  /// How many columns.
  int columns;

  /// Byte offsets in the matrix's segment.
  long numbersAt;

  long scalesAt;
  long superscalesAt;

  /// Where in [PackedScratch#partial] the tile's sums go. A load whose address agrees in its low
  /// twelve bits with a store just before waits for that store, and within a tile weights and sums
  /// advance at the same rate: with one place, some runs would be half as fast throughout.
  int place;

  void place(PackedMatrix w, int group, int row, int column, int columns) {
    this.row = row;
    this.column = column;
    this.columns = columns;
    long at = w.groupOffset(group);
    boolean bytes = w.numberBits() == 8;
    numbersAt = at + column * (bytes ? 16L : 8L) + row * 4L;
    scalesAt = at + w.scalesAt + column + row * (w.type() == DType.Q4_0 ? 2L : 1L);
    superscalesAt = at + w.superscalesAt + column / (bytes ? 4 : 2) + row * 4L;
    place = ((group + column / PackedScratch.TILE) & 3) * STEP;
  }
}
