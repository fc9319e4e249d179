package io.cusco.llama.cpu;

import io.cusco.llama.cpu.kernels.Kernels;
import io.cusco.llama.cpu.kernels.Matrix;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/// Products of activations with weight matrices that share their input: `out = x W^T + bias`.
///
/// One token streams each row of weights once through [Kernels#gemv]; several go through
/// [BatchMatMul].
///
/// Owned by the thread that runs the forward pass.
final class MatMul {

  /// A weight matrix and where its product goes.
  ///
  /// @param weight `[rows, columns]`
  /// @param bias `[rows]`, or null
  /// @param out `[tokens, outStride bytes]` float32
  /// @param add whether to add to `out` instead of replacing it
  record Projection(Matrix weight, float[] bias, MemorySegment out, long outStride, boolean add) {}

  private static final int MIN_GEMV_ROWS = 16;
  private static final int MAX_GEMV_ROWS = 512;
  private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT;

  private final WorkerPool pool;
  private final Kernels kernels;
  private final BatchMatMul batch;
  private final float[][] scratch;
  private final WorkerPool.Phase streamPhase = this::streamRows;

  private MemorySegment x;
  private Projection[] projections;
  private int rowsPerTask;

  /// @param maxTokens tokens in one product
  /// @param maxColumns width of the widest input
  MatMul(WorkerPool pool, Kernels kernels, int maxTokens, int maxColumns, Arena arena) {
    this.pool = pool;
    this.kernels = kernels;
    batch = new BatchMatMul(pool, kernels, maxTokens, maxColumns, arena);
    scratch = new float[pool.numThreads()][Kernels.GEMV_SCRATCH];
  }

  /// Multiplies `numTokens` rows of `x`, `xStride` bytes apart, with every projection's weight.
  void run(MemorySegment x, long xStride, int numTokens, Projection[] projections) {
    if (numTokens > 1) {
      batch.run(x, xStride, numTokens, projections);
      return;
    }
    this.x = x;
    this.projections = projections;
    rowsPerTask = gemvRowsPerTask();
    pool.run(streamPhase, numTasks());
  }

  private int gemvRowsPerTask() {
    long rows = 0;
    for (Projection projection : projections) {
      rows += projection.weight().rows();
    }
    // Eight tasks a thread even out threads of unequal speed.
    long perTask = Math.ceilDiv(rows, 8L * pool.numThreads());
    return Math.clamp(perTask, MIN_GEMV_ROWS, MAX_GEMV_ROWS);
  }

  private int numTasks() {
    return tasksBefore(projections.length);
  }

  /// Tasks of the projections before `index`.
  private int tasksBefore(int index) {
    int tasks = 0;
    for (int i = 0; i < index; i++) {
      tasks += Math.ceilDiv(projections[i].weight().rows(), rowsPerTask);
    }
    return tasks;
  }

  private int projectionOf(int task) {
    int index = 0;
    while (task >= tasksBefore(index + 1)) {
      index++;
    }
    return index;
  }

  private void streamRows(int task, int worker) {
    int index = projectionOf(task);
    Projection projection = projections[index];
    Matrix w = projection.weight();
    int rowStart = (task - tasksBefore(index)) * rowsPerTask;
    int rowEnd = Math.min(w.rows(), rowStart + rowsPerTask);
    kernels.gemv(w, rowStart, rowEnd, x, 0, projection.out(), 0, projection.add(), scratch[worker]);
    if (projection.bias() != null) {
      addBias(projection, rowStart, rowEnd);
    }
  }

  private static void addBias(Projection projection, int rowStart, int rowEnd) {
    for (int row = rowStart; row < rowEnd; row++) {
      long at = (long) row * Float.BYTES;
      float value = projection.out().get(FLOAT, at) + projection.bias()[row];
      projection.out().set(FLOAT, at, value);
    }
  }
}
