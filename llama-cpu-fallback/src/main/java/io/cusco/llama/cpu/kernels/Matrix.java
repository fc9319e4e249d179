package io.cusco.llama.cpu.kernels;

import io.cusco.llama.checkpoint.DType;
import io.cusco.llama.checkpoint.TensorView;
import java.lang.foreign.MemorySegment;

/// A weight matrix as it lies in the checkpoint: `[rows, columns]`, row-major, packed blocks.
///
/// @param rowBytes distance between two rows
public record Matrix(DType type, MemorySegment segment, int rows, int columns, long rowBytes) {
  public static Matrix of(TensorView tensor) {
    return new Matrix(
        tensor.dtype(), tensor.segment(), tensor.rows(), tensor.columns(), tensor.rowBytes());
  }

  /// Byte offset of a row.
  public long rowOffset(int row) {
    return row * rowBytes;
  }
}
