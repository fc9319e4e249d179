package io.cusco.llama.cpu;

import io.cusco.llama.cpu.kernels.InterleavedMatrix;
import io.cusco.llama.cpu.kernels.Matrix;
import java.lang.foreign.MemorySegment;

/// A weight matrix, and where it lies now: in the checkpoint, until it has been moved, perhaps into
/// another order.
///
/// Owned by the thread that runs the forward pass.
final class WeightMatrix {
  private final Matrix source;
  private Matrix current;
  private InterleavedMatrix interleaved;

  WeightMatrix(Matrix source) {
    this.source = source;
    current = source;
  }

  /// The matrix to multiply with, unless it is interleaved.
  Matrix current() {
    return current;
  }

  /// The matrix as it lies in the checkpoint.
  Matrix source() {
    return source;
  }

  /// Uses `copy`, which has the same bytes, from now on.
  void moveTo(MemorySegment copy) {
    current = new Matrix(source.type(), copy, source.rows(), source.columns(), source.rowBytes());
  }

  /// The matrix to multiply with, if it was moved into this order; otherwise null.
  InterleavedMatrix interleaved() {
    return interleaved;
  }

  /// Uses `copy`, which has the same weights, from now on.
  void moveTo(InterleavedMatrix copy) {
    interleaved = copy;
  }
}
