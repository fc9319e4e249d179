package io.cusco.llama.cpu;

import io.cusco.llama.cpu.kernels.Kernels;
import io.cusco.llama.cpu.kernels.Matrix;
import io.cusco.llama.cpu.kernels.PackedMatrix;
import io.cusco.llama.cpu.kernels.PackedScratch;
import io.cusco.llama.cpu.kernels.QuantizedActivations;
import io.cusco.llama.memory.NativeMemory;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;

/// Products of activations with weight matrices that share their input: `out = x W^T + bias`.
///
/// Three ways, by the number of tokens:
/// - one token: each row of weights is streamed once, through [Kernels#gemvPacked] where there is a
///   repacked copy, otherwise through [Kernels#gemv];
/// - a few: each piece of a row is widened once and multiplied with every token;
/// - [#MIN_TILE_TOKENS] and more: register tiles with tokens in the lanes. The input is transposed
///   once into panels, weights are widened into a block that stays in the second-level cache:
///
/// ```
///   x: [tokens][columns]  ->  panels: [panel][column][lanes or 2 * lanes]
///
///   for each block of ROW_BLOCK rows (one task)
///     for each block of COLUMN_BLOCK columns
///       widen rows x columns
///       for each panel, for each tile of rows: Kernels.tile
/// ```
///
/// Owned by the thread that runs the forward pass.
final class MatMul {

  /// A weight matrix and where its product goes.
  ///
  /// @param weight `[rows, columns]`
  /// @param packed the copy of `weight` that one token is multiplied with, or null
  /// @param bias `[rows]`, or null
  /// @param out `[tokens, outStride bytes]` float32
  /// @param add whether to add to `out` instead of replacing it
  record Projection(
      Matrix weight,
      PackedMatrix packed,
      float[] bias,
      MemorySegment out,
      long outStride,
      boolean add) {}

  /// Below this many tokens a tile leaves so many lanes idle that multiplying token by token is
  /// faster.
  static final int MIN_TILE_TOKENS = 12;

  /// With [#COLUMN_BLOCK] columns, 256 KiB of widened weights.
  private static final int ROW_BLOCK = 64;

  /// A multiple of every block size.
  private static final int COLUMN_BLOCK = 1024;

  /// Rows of a widened block lie a little apart from a power of two, or eight of them would compete
  /// for the same lines of the first-level cache.
  private static final int WIDE_STRIDE = COLUMN_BLOCK + 16;

  /// Columns that one task transposes: 64 lines of a panel stay in the first-level cache.
  private static final int TRANSPOSE_BLOCK = 64;

  private static final int MIN_GEMV_ROWS = 16;
  private static final int MAX_GEMV_ROWS = 512;
  private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT;

  private final WorkerPool pool;
  private final Kernels kernels;
  private final int panelTokens;
  private final MemorySegment panels;
  private final Scratch[] scratch;
  private final QuantizedActivations quantized;
  private final WorkerPool.Phase streamPhase = this::streamRows;
  private final WorkerPool.Phase transposePhase = this::transpose;
  private final WorkerPool.Phase tilePhase = this::multiplyTiles;

  private MemorySegment x;
  private long xStride;
  private int numTokens;
  private Projection[] projections;
  private int rowsPerTask;

  /// @param maxTokens tokens in one product
  /// @param maxColumns width of the widest input
  MatMul(WorkerPool pool, Kernels kernels, int maxTokens, int maxColumns, Arena arena) {
    this.pool = pool;
    this.kernels = kernels;
    panelTokens = 2 * kernels.lanes();
    int padded = Math.ceilDiv(maxTokens, panelTokens) * panelTokens;
    panels = NativeMemory.allocateZeroed((long) padded * maxColumns * Float.BYTES, arena);
    quantized = new QuantizedActivations(maxColumns);
    scratch = new Scratch[pool.numThreads()];
    for (int i = 0; i < scratch.length; i++) {
      scratch[i] = new Scratch(padded, panelTokens, kernels.tileRows() * panelTokens);
    }
  }

  /// One worker's memory.
  private static final class Scratch {
    final float[] wide = new float[ROW_BLOCK * WIDE_STRIDE];
    final float[] products;
    final float[] sums = new float[MIN_TILE_TOKENS];
    final float[] part;

    /// One row of activations or results, and one block of a panel: MemorySegment's single elements
    /// are slow until compiled, arrays and whole copies are not.
    final float[] row = new float[ROW_BLOCK];

    final float[] added = new float[ROW_BLOCK];
    final float[] panelBlock;
    final PackedScratch packed = new PackedScratch();

    Scratch(int paddedTokens, int panelTokens, int tileSize) {
      part = new float[tileSize];
      panelBlock = new float[TRANSPOSE_BLOCK * panelTokens];
      products = new float[ROW_BLOCK * paddedTokens];
    }
  }

  /// Multiplies `numTokens` rows of `x`, `xStride` bytes apart, with every projection's weight.
  void run(MemorySegment x, long xStride, int numTokens, Projection[] projections) {
    this.x = x;
    this.xStride = xStride;
    this.numTokens = numTokens;
    this.projections = projections;
    if (numTokens < MIN_TILE_TOKENS) {
      rowsPerTask = gemvRowsPerTask();
      if (numTokens == 1) {
        quantizeInput();
      }
      pool.run(streamPhase, numTasks());
    } else {
      int columns = projections[0].weight().columns();
      pool.run(transposePhase, numPanels() * Math.ceilDiv(columns, TRANSPOSE_BLOCK));
      rowsPerTask = ROW_BLOCK;
      pool.run(tilePhase, numTasks());
    }
  }

  private void quantizeInput() {
    for (Projection projection : projections) {
      if (projection.packed() != null && projection.packed().isReordered()) {
        kernels.quantize(x, 0, projection.weight().columns(), quantized);
        return;
      }
    }
  }

  private int gemvRowsPerTask() {
    long rows = 0;
    for (Projection projection : projections) {
      rows += projection.weight().rows();
    }
    // Eight tasks a thread even out threads of unequal speed.
    long perTask = Math.ceilDiv(rows, 8L * pool.numThreads());
    int clamped = Math.clamp(perTask, MIN_GEMV_ROWS, MAX_GEMV_ROWS);
    return Math.ceilDiv(clamped, PackedMatrix.GROUP) * PackedMatrix.GROUP;
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

  private int numPanels() {
    return Math.ceilDiv(numTokens, panelTokens);
  }

  /// 1 for a last panel that one vector holds, otherwise 2.
  private int panelVectors(int panel) {
    return numTokens - panel * panelTokens <= kernels.lanes() ? 1 : 2;
  }

  private void streamRows(int task, int worker) {
    int index = projectionOf(task);
    Projection projection = projections[index];
    Matrix w = projection.weight();
    int rowStart = (task - tasksBefore(index)) * rowsPerTask;
    int rowEnd = Math.min(w.rows(), rowStart + rowsPerTask);
    if (numTokens == 1) {
      multiplyOne(projection, rowStart, rowEnd, scratch[worker]);
      if (projection.bias() != null) {
        addBias(projection, 0, rowStart, rowEnd);
      }
      return;
    }
    for (int row = rowStart; row < rowEnd; row++) {
      multiplyRow(projection, row, scratch[worker]);
    }
  }

  private void multiplyOne(Projection projection, int rowStart, int rowEnd, Scratch scratch) {
    Matrix w = projection.weight();
    PackedMatrix packed = projection.packed();
    MemorySegment out = projection.out();
    if (packed != null) {
      int groupStart = rowStart / PackedMatrix.GROUP;
      int groupEnd = rowEnd / PackedMatrix.GROUP;
      packed.fill(groupStart, groupEnd);
      if (packed.isReordered()) {
        kernels.gemvPacked(
            packed, groupStart, groupEnd, quantized, out, projection.add(), scratch.packed);
        return;
      }
      w = packed.copy();
    }
    kernels.gemv(w, rowStart, rowEnd, x, 0, out, 0, projection.add(), scratch.wide);
  }

  /// One row of weights with a few tokens.
  private void multiplyRow(Projection projection, int row, Scratch scratch) {
    Matrix w = projection.weight();
    float[] sums = scratch.sums;
    Arrays.fill(sums, 0);
    for (int column = 0; column < w.columns(); column += COLUMN_BLOCK) {
      int count = Math.min(COLUMN_BLOCK, w.columns() - column);
      long at = w.rowOffset(row) + w.type().numBytes(column);
      kernels.widen(w.type(), w.segment(), at, count, scratch.wide, 0);
      kernels.dots(
          scratch.wide, 0, count, x, (long) column * Float.BYTES, xStride, numTokens, sums);
    }
    for (int token = 0; token < numTokens; token++) {
      store(projection, token, row, sums[token]);
    }
  }

  private static void store(Projection projection, int token, int row, float product) {
    long at = token * projection.outStride() + (long) row * Float.BYTES;
    float value = product;
    if (projection.bias() != null) {
      value += projection.bias()[row];
    }
    if (projection.add()) {
      value += projection.out().get(FLOAT, at);
    }
    projection.out().set(FLOAT, at, value);
  }

  private static void addBias(Projection projection, int token, int rowStart, int rowEnd) {
    for (int row = rowStart; row < rowEnd; row++) {
      long at = token * projection.outStride() + (long) row * Float.BYTES;
      float value = projection.out().get(FLOAT, at) + projection.bias()[row];
      projection.out().set(FLOAT, at, value);
    }
  }

  private void transpose(int task, int worker) {
    int columns = projections[0].weight().columns();
    int blocks = Math.ceilDiv(columns, TRANSPOSE_BLOCK);
    int panel = task / blocks;
    int columnStart = task % blocks * TRANSPOSE_BLOCK;
    int columnEnd = Math.min(columns, columnStart + TRANSPOSE_BLOCK);
    int width = panelVectors(panel) * kernels.lanes();
    long panelAt = (long) panel * panelTokens * columns * Float.BYTES;
    int count = columnEnd - columnStart;
    float[] row = scratch[worker].row;
    float[] block = scratch[worker].panelBlock;
    for (int lane = 0; lane < width; lane++) {
      int token = panel * panelTokens + lane;
      if (token < numTokens) {
        MemorySegment.copy(
            x, FLOAT, token * xStride + (long) columnStart * Float.BYTES, row, 0, count);
      } else {
        Arrays.fill(row, 0, count, 0);
      }
      for (int column = 0; column < count; column++) {
        block[column * width + lane] = row[column];
      }
    }
    long blockAt = panelAt + (long) columnStart * width * Float.BYTES;
    MemorySegment.copy(block, 0, panels, FLOAT, blockAt, count * width);
  }

  private void multiplyTiles(int task, int worker) {
    int index = projectionOf(task);
    Projection projection = projections[index];
    Matrix w = projection.weight();
    int rowStart = (task - tasksBefore(index)) * rowsPerTask;
    int rows = Math.min(ROW_BLOCK, w.rows() - rowStart);
    int stride = numPanels() * panelTokens;
    float[] products = scratch[worker].products;
    Arrays.fill(products, 0, rows * stride, 0);
    for (int column = 0; column < w.columns(); column += COLUMN_BLOCK) {
      int count = Math.min(COLUMN_BLOCK, w.columns() - column);
      multiplyBlock(w, rowStart, rows, column, count, scratch[worker], stride);
    }
    for (int token = 0; token < numTokens; token++) {
      storeRow(projection, token, rowStart, rows, stride, scratch[worker]);
    }
  }

  /// Moves one token's column of the products to its row of the result.
  private static void storeRow(
      Projection projection, int token, int rowStart, int rows, int stride, Scratch scratch) {
    float[] values = scratch.row;
    for (int row = 0; row < rows; row++) {
      values[row] = scratch.products[row * stride + token];
    }
    if (projection.bias() != null) {
      for (int row = 0; row < rows; row++) {
        values[row] += projection.bias()[rowStart + row];
      }
    }
    long at = token * projection.outStride() + (long) rowStart * Float.BYTES;
    if (projection.add()) {
      MemorySegment.copy(projection.out(), FLOAT, at, scratch.added, 0, rows);
      for (int row = 0; row < rows; row++) {
        values[row] += scratch.added[row];
      }
    }
    MemorySegment.copy(values, 0, projection.out(), FLOAT, at, rows);
  }

  private void multiplyBlock(
      Matrix w, int rowStart, int rows, int column, int count, Scratch scratch, int stride) {
    for (int row = 0; row < rows; row++) {
      long at = w.rowOffset(rowStart + row) + w.type().numBytes(column);
      kernels.widen(w.type(), w.segment(), at, count, scratch.wide, row * WIDE_STRIDE);
    }
    int tileRows = kernels.tileRows();
    int numPanels = numPanels();
    for (int panel = 0; panel < numPanels; panel++) {
      int vectors = panelVectors(panel);
      long panelAt =
          ((long) panel * panelTokens * w.columns() + (long) column * vectors * kernels.lanes())
              * Float.BYTES;
      for (int row = 0; row < rows; row += tileRows) {
        kernels.tile(
            scratch.wide,
            row * WIDE_STRIDE,
            WIDE_STRIDE,
            Math.min(tileRows, rows - row),
            panels,
            panelAt,
            vectors,
            count,
            scratch.products,
            row * stride + panel * panelTokens,
            stride,
            scratch.part);
      }
    }
  }
}
