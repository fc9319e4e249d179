package io.cusco.llama.cpu.kernels;

/// One worker's memory for products with a [PackedMatrix].
///
/// Arrays, not segments: of a segment the compiler guesses the class from what it has seen
/// elsewhere, and a wrong guess costs a loop its unrolling and leaves the bounds checks in it.
public final class PackedScratch {
  /// Columns of one turn: their partial sums stay in the first-level cache.
  static final int TILE = 1024;

  /// Sums of eight columns in four bits, or of sixteen in bytes; room for four places.
  final short[] partial = new short[TILE / 8 * 32 + PackedTile.PLACES];

  /// Per block of columns one sum for each lane.
  final int[] sums = new int[TILE / 16 * PackedMatrix.GROUP];

  /// One sum per row of the group.
  final float[] rows = new float[PackedMatrix.GROUP];

  /// The tile in work.
  final PackedTile tile = new PackedTile();
}
