package io.cusco.llama.cpu;

import io.cusco.llama.cpu.MatMul.Projection;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/// Writes products to where a projection wants them. Belongs to one worker.
///
/// Goes through arrays: MemorySegment's single elements are slow until compiled, arrays and whole
/// copies are not.
final class RowWriter {
  private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT;

  /// One token's products with some rows, to be filled before [#store].
  final float[] row;

  private final float[] added;

  RowWriter(int maxRows) {
    row = new float[maxRows];
    added = new float[maxRows];
  }

  /// Writes the first `rows` products of [#row] to the token's row of the result, with bias, and
  /// with what is there if the projection adds.
  void store(Projection projection, int token, int rowStart, int rows) {
    float[] values = row;
    if (projection.bias() != null) {
      for (int i = 0; i < rows; i++) {
        values[i] += projection.bias()[rowStart + i];
      }
    }
    long at = token * projection.outStride() + (long) rowStart * Float.BYTES;
    if (projection.add()) {
      MemorySegment.copy(projection.out(), FLOAT, at, added, 0, rows);
      for (int i = 0; i < rows; i++) {
        values[i] += added[i];
      }
    }
    MemorySegment.copy(values, 0, projection.out(), FLOAT, at, rows);
  }
}
