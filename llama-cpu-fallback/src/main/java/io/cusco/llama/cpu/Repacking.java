package io.cusco.llama.cpu;

import io.cusco.llama.backend.Repack;
import io.cusco.llama.checkpoint.LlamaWeights;
import io.cusco.llama.checkpoint.LlamaWeights.Layer;
import io.cusco.llama.checkpoint.LlamaWeights.Linear;
import io.cusco.llama.cpu.kernels.Kernels;
import io.cusco.llama.cpu.kernels.Matrix;
import io.cusco.llama.cpu.kernels.PackedMatrix;
import io.cusco.llama.memory.NativeMemory;
import java.util.function.Predicate;
import java.util.function.ToLongFunction;
import java.util.stream.Stream;

/// Which matrices get a copy in another order for decoding ([PackedMatrix]), which of the others
/// are moved out of the mapped file ([WeightMover]), and what all of it takes.
///
/// @param interleaved which of the moved ones get another order ([InterleavedMatrix])
/// @param numBytes of all copies
/// @param stepsToMove decode steps before the first move
record Repacking(
    Predicate<Matrix> packed,
    Predicate<Matrix> moved,
    Predicate<Matrix> interleaved,
    long numBytes,
    int stepsToMove) {
  static final Repacking NONE =
      new Repacking(matrix -> false, matrix -> false, matrix -> false, 0, 0);

  /// Left to itself, copies may take this part of the machine's memory; weights and KV cache need
  /// the rest.
  private static final double MEMORY_SHARE = 0.25;

  /// @param exact whether only float32 arithmetic, or one and the same for any number of tokens,
  ///   will do: then nothing gets another order
  /// @param memoryBytes what the machine or its container has
  static Repacking choose(
      Repack choice, boolean exact, LlamaWeights weights, Kernels kernels, long memoryBytes) {
    if (choice == Repack.OFF) {
      return NONE;
    }
    boolean all = choice == Repack.ON;
    Predicate<Matrix> packed =
        matrix ->
            !exact
                && PackedMatrix.isPackable(matrix)
                && (all || kernels.decodesFasterFromCopy(matrix.type()));
    Predicate<Matrix> moved =
        matrix ->
            !packed.test(matrix)
                && NativeMemory.hasLargePages()
                && NativeMemory.isMapped(matrix.segment());
    Predicate<Matrix> interleaved = matrix -> !exact && kernels.interleaves(matrix);
    long packedBytes = bytes(weights, packed, PackedMatrix::numBytes);
    long movedBytes = bytes(weights, moved, matrix -> matrix.segment().byteSize());
    if (all) {
      return new Repacking(packed, moved, interleaved, packedBytes + movedBytes, 0);
    }
    double room = memoryBytes * MEMORY_SHARE;
    if (packedBytes + movedBytes <= room) {
      return new Repacking(
          packed, moved, interleaved, packedBytes + movedBytes, WeightMover.DELAY_STEPS);
    }
    return packedBytes <= room
        ? new Repacking(packed, NONE.moved(), NONE.interleaved(), packedBytes, 0)
        : NONE;
  }

  private static long bytes(
      LlamaWeights weights, Predicate<Matrix> filter, ToLongFunction<Matrix> size) {
    return matrices(weights).filter(filter).mapToLong(size).sum();
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
