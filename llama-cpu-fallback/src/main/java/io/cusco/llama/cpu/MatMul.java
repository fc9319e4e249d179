package io.cusco.llama.cpu;

import io.cusco.llama.cpu.kernels.InterleavedMatrix;
import io.cusco.llama.cpu.kernels.Kernels;
import io.cusco.llama.cpu.kernels.Matrix;
import io.cusco.llama.cpu.kernels.PackedMatrix;
import io.cusco.llama.cpu.kernels.QuantizedActivations;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/// Products of activations with weight matrices that share their input: `out = x W^T + bias`.
///
/// One token streams each row of weights once, through [Kernels#gemvPacked] where there is a
/// repacked copy, [Kernels#gemvInterleaved] where the weights were interleaved, otherwise through
/// [Kernels#gemv]; several tokens go through [InterleavedMatMul] or [BatchMatMul], as does any
/// number of them where results may not depend on it.
///
/// Owned by the thread that runs the forward pass.
final class MatMul {

  /// A weight matrix and where its product goes.
  ///
  /// @param stored the weights, `[rows, columns]`
  /// @param packed a copy of it for single tokens, or null
  /// @param bias `[rows]`, or null
  /// @param out `[tokens, outStride bytes]` float32
  /// @param add whether to add to `out` instead of replacing it
  record Projection(
      WeightMatrix stored,
      PackedMatrix packed,
      float[] bias,
      MemorySegment out,
      long outStride,
      boolean add) {
    /// Where the weights lie now.
    Matrix weight() {
      return stored.current();
    }
  }

  private static final int MIN_GEMV_ROWS = 16;
  private static final int MAX_GEMV_ROWS = 512;
  private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT;

  private final WorkerPool pool;
  private final Kernels kernels;
  private final BatchMatMul batch;
  private final boolean deterministic;
  private final InterleavedMatMul interleaved;
  private final Projection[] one = new Projection[1];
  private final float[][] scratch;
  private final QuantizedActivations quantized;
  private final WorkerPool.Phase streamPhase = this::streamRows;

  private MemorySegment x;
  private Projection[] projections;
  private final RowTasks tasks = new RowTasks();

  /// @param maxTokens tokens in one product
  /// @param maxColumns width of the widest input
  /// @param deterministic whether a token's product has the same bits whatever is beside it
  MatMul(
      WorkerPool pool,
      Kernels kernels,
      int maxTokens,
      int maxColumns,
      boolean deterministic,
      Arena arena) {
    this.pool = pool;
    this.kernels = kernels;
    this.deterministic = deterministic;
    batch = new BatchMatMul(pool, kernels, maxTokens, maxColumns, deterministic, arena);
    interleaved = new InterleavedMatMul(pool, kernels, arena);
    scratch = new float[pool.numThreads()][Kernels.GEMV_SCRATCH];
    quantized = new QuantizedActivations(maxColumns);
  }

  /// Multiplies `numTokens` rows of `x`, `xStride` bytes apart, with every projection's weight.
  void run(MemorySegment x, long xStride, int numTokens, Projection[] projections) {
    if (numTokens > 1 || deterministic) {
      runBatch(x, xStride, numTokens, projections);
      return;
    }
    this.x = x;
    this.projections = projections;
    tasks.set(projections, gemvRowsPerTask());
    quantizeInput();
    pool.run(streamPhase, tasks.count());
  }

  /// Matrices are interleaved one after the other, so for some steps a group of projections may
  /// have both kinds.
  private void runBatch(MemorySegment x, long xStride, int numTokens, Projection[] group) {
    int numInterleaved = 0;
    for (Projection projection : group) {
      numInterleaved += projection.stored().interleaved() != null ? 1 : 0;
    }
    if (numInterleaved == 0) {
      batch.run(x, xStride, numTokens, group);
    } else if (numInterleaved == group.length) {
      interleaved.run(x, xStride, numTokens, group);
    } else {
      for (Projection projection : group) {
        one[0] = projection;
        runBatch(x, xStride, numTokens, one);
      }
    }
  }

  private void quantizeInput() {
    for (Projection projection : projections) {
      if (projection.packed() != null) {
        kernels.quantize(x, 0, projection.weight().columns(), quantized);
        return;
      }
    }
  }

  private int gemvRowsPerTask() {
    long rows = RowTasks.totalRows(projections);
    // Eight tasks a thread even out threads of unequal speed.
    long perTask = Math.ceilDiv(rows, 8L * pool.numThreads());
    int clamped = Math.clamp(perTask, MIN_GEMV_ROWS, MAX_GEMV_ROWS);
    return Math.ceilDiv(clamped, PackedMatrix.GROUP) * PackedMatrix.GROUP;
  }

  private void streamRows(int task, int worker) {
    Projection projection = tasks.projection(task);
    int rowStart = tasks.rowStart(task);
    int rowEnd = tasks.rowEnd(task);
    multiply(projection, rowStart, rowEnd, worker);
    if (projection.bias() != null) {
      addBias(projection, rowStart, rowEnd);
    }
  }

  private void multiply(Projection projection, int rowStart, int rowEnd, int worker) {
    Matrix w = projection.weight();
    PackedMatrix packed = projection.packed();
    MemorySegment out = projection.out();
    InterleavedMatrix interleavedWeight = projection.stored().interleaved();
    if (interleavedWeight != null) {
      kernels.gemvInterleaved(
          interleavedWeight, rowStart, rowEnd, x, out, projection.add(), scratch[worker]);
      return;
    }
    if (packed != null) {
      int groupStart = rowStart / PackedMatrix.GROUP;
      int groupEnd = rowEnd / PackedMatrix.GROUP;
      packed.fill(groupStart, groupEnd);
      kernels.gemvPacked(
          packed, groupStart, groupEnd, quantized, out, projection.add(), scratch[worker]);
      return;
    }
    kernels.gemv(w, rowStart, rowEnd, x, 0, out, 0, projection.add(), scratch[worker]);
  }

  private static void addBias(Projection projection, int rowStart, int rowEnd) {
    for (int row = rowStart; row < rowEnd; row++) {
      long at = (long) row * Float.BYTES;
      float value = projection.out().get(FLOAT, at) + projection.bias()[row];
      projection.out().set(FLOAT, at, value);
    }
  }
}
