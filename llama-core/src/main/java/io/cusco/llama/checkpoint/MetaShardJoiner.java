package io.cusco.llama.checkpoint;

import io.cusco.llama.memory.NativeMemory;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.List;

/// Joins the tensors of a checkpoint that was trained model-parallel: every shard holds a slice of
/// every matrix. One shard needs no joining and stays a view.
///
/// ```
/// by rows     wq wk wv w1 w3 output    shard 0 above shard 1 above ...
/// by columns  wo w2                    shard 0 beside shard 1 beside ...
/// tok_embeddings                       by columns in Llama 1 and 2, by rows in Llama 3
/// norms, rope.freqs                    the same in every shard
/// ```
///
/// Source: fairscale's `ColumnParallelLinear` and `RowParallelLinear` as used in Meta's `model.py`
/// (their "column" is a column of x W, so a row of the stored matrix).
final class MetaShardJoiner {
  private enum Axis {
    ROWS,
    COLUMNS,
    REPLICATED
  }

  private final String source;
  private final List<TensorTable> shards;
  private final int hiddenSize;

  MetaShardJoiner(String source, List<TensorTable> shards, int hiddenSize) {
    this.source = source;
    this.shards = shards;
    this.hiddenSize = hiddenSize;
  }

  /// The shape of `name` with all shards together.
  ///
  /// @throws CheckpointException if shards lack the tensor or disagree about its shape
  long[] shape(String name) {
    List<TensorView> parts = parts(name);
    long[] shape = parts.getFirst().shape();
    switch (axis(name, parts)) {
      case ROWS -> shape[0] = Math.multiplyExact(shape[0], parts.size());
      case COLUMNS -> shape[1] = Math.multiplyExact(shape[1], parts.size());
      case REPLICATED -> {}
    }
    return shape;
  }

  /// All tensors; those that have to be joined are copied into memory of `arena`.
  TensorTable join(Arena arena) {
    if (shards.size() == 1) {
      return shards.getFirst();
    }
    TensorTable joined = new TensorTable();
    for (TensorView first : shards.getFirst().views()) {
      List<TensorView> parts = parts(first.name());
      Axis axis = axis(first.name(), parts);
      joined.add(source, axis == Axis.REPLICATED ? first : join(axis, parts, arena));
    }
    return joined;
  }

  private TensorView join(Axis axis, List<TensorView> parts, Arena arena) {
    TensorView first = parts.getFirst();
    long[] shape = shape(first.name());
    long partBytes = first.segment().byteSize();
    MemorySegment target = NativeMemory.allocateZeroed(partBytes * parts.size(), arena);
    // By rows, a whole part is one run of bytes; by columns, each of its rows is.
    long runs = axis == Axis.ROWS ? 1 : first.rows();
    long runBytes = partBytes / runs;
    for (int part = 0; part < parts.size(); part++) {
      MemorySegment from = parts.get(part).segment();
      for (long run = 0; run < runs; run++) {
        long to = (run * parts.size() + part) * runBytes;
        MemorySegment.copy(from, run * runBytes, target, to, runBytes);
      }
    }
    return new TensorView(first.name(), first.dtype(), shape, target);
  }

  private List<TensorView> parts(String name) {
    List<TensorView> parts = shards.stream().map(shard -> shard.require(source, name)).toList();
    TensorView first = parts.getFirst();
    for (TensorView part : parts) {
      if (part.dtype() != first.dtype() || !Arrays.equals(part.shape(), first.shape())) {
        throw new CheckpointException(
            "%s: tensor %s differs between shards: %s and %s".formatted(source, name, first, part));
      }
    }
    return parts;
  }

  private Axis axis(String name, List<TensorView> parts) {
    TensorView first = parts.getFirst();
    if (parts.size() == 1 || first.shape().length != 2) {
      return Axis.REPLICATED;
    }
    if (name.startsWith(TensorNames.META.embedTokens())) {
      return first.columns() == hiddenSize ? Axis.ROWS : Axis.COLUMNS;
    }
    boolean byColumns =
        name.endsWith(TensorNames.META.oProj() + TensorNames.WEIGHT)
            || name.endsWith(TensorNames.META.downProj() + TensorNames.WEIGHT);
    return byColumns ? Axis.COLUMNS : Axis.ROWS;
  }
}
