package io.cusco.llama.cpu;

import io.cusco.llama.backend.Repack;
import io.cusco.llama.checkpoint.LlamaWeights;
import io.cusco.llama.checkpoint.LlamaWeights.Layer;
import io.cusco.llama.checkpoint.LlamaWeights.Linear;
import io.cusco.llama.cpu.kernels.Kernels;
import io.cusco.llama.cpu.kernels.Matrix;
import io.cusco.llama.cpu.kernels.PackedMatrix;
import java.util.function.Predicate;
import java.util.stream.Stream;

/// Which matrices get a copy for decoding, see [PackedMatrix], and what the copies take.
///
/// @param numBytes of all copies
record Repacking(Predicate<Matrix> filter, long numBytes) {
  static final Repacking NONE = new Repacking(matrix -> false, 0);

  /// Left to itself, a copy may take this part of the machine's memory; weights and KV cache need
  /// the rest.
  private static final double MEMORY_SHARE = 0.25;

  /// @param exact whether only float32 arithmetic, or one and the same for any number of tokens,
  ///   will do: then nothing is copied
  /// @param memoryBytes what the machine or its container has
  static Repacking choose(
      Repack choice, boolean exact, LlamaWeights weights, Kernels kernels, long memoryBytes) {
    if (choice == Repack.OFF || exact) {
      return NONE;
    }
    boolean all = choice == Repack.ON;
    Predicate<Matrix> filter =
        matrix ->
            PackedMatrix.isPackable(matrix)
                && (all || kernels.decodesFasterFromCopy(matrix.type()));
    long numBytes = matrices(weights).filter(filter).mapToLong(PackedMatrix::numBytes).sum();
    return all || numBytes <= memoryBytes * MEMORY_SHARE ? new Repacking(filter, numBytes) : NONE;
  }

  boolean includes(Matrix matrix) {
    return filter.test(matrix);
  }

  private static Stream<Matrix> matrices(LlamaWeights weights) {
    Stream<Matrix> layers = weights.layers().stream().flatMap(Repacking::matrices);
    return Stream.concat(layers, weights.head().map(Matrix::of).stream());
  }

  private static Stream<Matrix> matrices(Layer layer) {
    return Stream.of(
            layer.qProj(),
            layer.kProj(),
            layer.vProj(),
            layer.oProj(),
            layer.gateProj(),
            layer.upProj(),
            layer.downProj())
        .map(Linear::weight)
        .map(Matrix::of);
  }
}
