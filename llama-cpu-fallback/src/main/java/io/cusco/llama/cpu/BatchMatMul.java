package io.cusco.llama.cpu;

import static io.cusco.llama.cpu.kernels.Kernels.TILE_ROWS;
import static io.cusco.llama.cpu.kernels.Kernels.WIDE_COLUMNS;
import static io.cusco.llama.cpu.kernels.Kernels.WIDE_STRIDE;

import io.cusco.llama.cpu.MatMul.Projection;
import io.cusco.llama.cpu.kernels.Kernels;
import io.cusco.llama.cpu.kernels.Matrix;
import io.cusco.llama.memory.NativeMemory;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;

/// Products of several tokens with weight matrices. Weights of every type are widened to float32 a
/// block at a time, and each widened weight is multiplied with all tokens while a cache holds it.
///
/// From about [#minPanelTokens(int)] tokens on, tokens are the lanes. The input is transposed once:
///
/// ```
///   x: [tokens][columns]  ->  panels: [block of columns][panel][column][one or two vectors]
///
///   for each block of up to MAX_ROWS rows (one task)
///     for each block of WIDE_COLUMNS columns
///       widen rows x columns                     second-level cache, 800 KB
///       for each panel, for each tile of rows    Kernels.multiplyPanel, adds to
///                                                products: [panel][tile][row][token]
///     products -> out: [tokens][rows]
/// ```
///
/// Fewer tokens would leave lanes idle, so there the columns are the lanes, and what is left is one
/// sum over the lanes per row and token. Some types are multiplied straight from their blocks
/// ([Kernels#multiplyRows]); of the others twelve rows at a time are widened into the nearest
/// caches and multiplied with one or two tokens of the input as it lies. Both add the columns in
/// another order. Where results must not depend on the batch, any number of tokens has lanes of its
/// own, in each of which the columns are added one after the other, whatever the other lanes hold.
///
/// Owned by the thread that runs the forward pass.
final class BatchMatMul {
  /// Widened, 800 KB in the second-level cache: the more rows share a panel read from the
  /// last-level cache the better.
  private static final int MAX_ROWS = 16 * TILE_ROWS;

  private static final int MIN_ROWS = 2 * TILE_ROWS;

  /// Tasks for each thread, where there are rows enough: evens out threads of unequal speed.
  private static final int TASKS_PER_THREAD = 4;

  /// Columns that one task transposes: 64 lines of a panel stay in the first-level cache.
  private static final int TRANSPOSE_BLOCK = 64;

  private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT;

  private final WorkerPool pool;
  private final Kernels kernels;
  private final int lanes;
  private final int panelTokens;
  private final boolean deterministic;
  private final MemorySegment panels;

  /// For [Kernels#gather]: from row to row of a block to transpose, of products with a whole panel,
  /// and of those with one vector.
  private final int[] blockRows;

  private final int[] panelRows;
  private final int[] vectorRows;
  private final Scratch[] scratch;
  private final WorkerPool.Phase transposePhase = this::transpose;
  private final WorkerPool.Phase panelPhase = this::multiplyPanels;
  private final WorkerPool.Phase fewPhase = this::multiplyFew;

  private MemorySegment x;
  private long xStride;
  private int numTokens;
  private Projection[] projections;
  private final RowTasks tasks = new RowTasks();

  /// @param maxTokens tokens in one product
  /// @param maxColumns width of the widest input
  /// @param deterministic whether a token's product has the same bits whatever is beside it
  BatchMatMul(
      WorkerPool pool,
      Kernels kernels,
      int maxTokens,
      int maxColumns,
      boolean deterministic,
      Arena arena) {
    this.pool = pool;
    this.kernels = kernels;
    this.deterministic = deterministic;
    lanes = kernels.lanes();
    panelTokens = kernels.panelVectors() * lanes;
    int padded = Math.ceilDiv(maxTokens, panelTokens) * panelTokens;
    panels = NativeMemory.allocateZeroed((long) padded * maxColumns * Float.BYTES, arena);
    blockRows = multiples(TRANSPOSE_BLOCK);
    panelRows = multiples(panelTokens);
    vectorRows = multiples(lanes);
    scratch = new Scratch[pool.numThreads()];
    for (int i = 0; i < scratch.length; i++) {
      scratch[i] = new Scratch(padded, panelTokens, lanes * (minPanelTokens(lanes) + 1));
    }
  }

  /// One worker's memory.
  private static final class Scratch {
    final float[] wide = new float[MAX_ROWS * WIDE_STRIDE];
    final float[] products;

    final float[] sums = new float[Kernels.GEMV_SCRATCH];

    final RowWriter writer = new RowWriter(MAX_ROWS);
    final float[] panelRows;
    final float[] panelBlock;

    /// What [Kernels#multiplyPanelAhead] returns.
    final int[] touched = new int[1];

    Scratch(int paddedTokens, int panelTokens, int fewSums) {
      products = new float[Math.max(MAX_ROWS * paddedTokens, TILE_ROWS * fewSums)];
      panelRows = new float[TRANSPOSE_BLOCK * panelTokens];
      panelBlock = new float[TRANSPOSE_BLOCK * panelTokens];
    }
  }

  private int[] multiples(int step) {
    int[] multiples = new int[lanes + 1];
    Arrays.setAll(multiples, i -> i * step);
    return multiples;
  }

  /// From here on tokens are the lanes, except where [Kernels#multipliesRows] says otherwise.
  static int minPanelTokens(int lanes) {
    return lanes * 3 / 4;
  }

  /// Multiplies `numTokens` rows of `x`, `xStride` bytes apart, with every projection's weight.
  void run(MemorySegment x, long xStride, int numTokens, Projection[] projections) {
    this.x = x;
    this.xStride = xStride;
    this.numTokens = numTokens;
    this.projections = projections;
    tasks.set(projections, rowsPerTask());
    int columns = projections[0].weight().columns();
    if (!deterministic && (numTokens < minPanelTokens(lanes) || multipliesRows())) {
      pool.run(fewPhase, tasks.count());
    } else {
      pool.run(transposePhase, numPanels() * Math.ceilDiv(columns, TRANSPOSE_BLOCK));
      pool.run(panelPhase, tasks.count());
    }
  }

  private boolean multipliesRows() {
    for (Projection projection : projections) {
      if (!kernels.multipliesRows(projection.weight(), numTokens)) {
        return false;
      }
    }
    return true;
  }

  private int rowsPerTask() {
    int rows = RowTasks.totalRows(projections);
    int threads = pool.numThreads();
    int tasks = Math.max(Math.ceilDiv(rows, MAX_ROWS), TASKS_PER_THREAD * threads);
    // As many for each thread: with large tasks one left over at the end costs more than their size
    // gains.
    int balanced = Math.ceilDiv(tasks, threads) * threads;
    int tiles = Math.ceilDiv(rows, balanced * TILE_ROWS);
    return Math.clamp((long) tiles * TILE_ROWS, MIN_ROWS, MAX_ROWS);
  }

  private int numPanels() {
    return Math.ceilDiv(numTokens, panelTokens);
  }

  /// 1 for a last panel that one vector holds.
  private int panelVectors(int panel) {
    return numTokens - panel * panelTokens <= lanes ? 1 : kernels.panelVectors();
  }

  /// Where a column of a panel lies: all panels' columns of one block are neighbours, so that a
  /// task that goes from panel to panel reads memory in order.
  private long panelOffset(int panel, int column) {
    int columns = projections[0].weight().columns();
    int block = column / WIDE_COLUMNS * WIDE_COLUMNS;
    long count = Math.min(WIDE_COLUMNS, columns - block);
    long floats = ((long) block * numPanels() + panel * count) * panelTokens;
    return (floats + (long) (column - block) * panelVectors(panel) * lanes) * Float.BYTES;
  }

  private void transpose(int task, int worker) {
    int columns = projections[0].weight().columns();
    int blocks = Math.ceilDiv(columns, TRANSPOSE_BLOCK);
    int panel = task / blocks;
    int columnStart = task % blocks * TRANSPOSE_BLOCK;
    int columnEnd = Math.min(columns, columnStart + TRANSPOSE_BLOCK);
    int width = panelVectors(panel) * lanes;
    int count = columnEnd - columnStart;
    float[] rows = scratch[worker].panelRows;
    float[] block = scratch[worker].panelBlock;
    for (int lane = 0; lane < width; lane++) {
      int token = panel * panelTokens + lane;
      int at = lane * TRANSPOSE_BLOCK;
      if (token < numTokens) {
        long from = token * xStride + (long) columnStart * Float.BYTES;
        MemorySegment.copy(x, FLOAT, from, rows, at, count);
      } else {
        Arrays.fill(rows, at, at + count, 0);
      }
    }
    for (int column = 0; column < count; column++) {
      kernels.gather(rows, column, blockRows, width, block, column * width);
    }
    MemorySegment.copy(block, 0, panels, FLOAT, panelOffset(panel, columnStart), count * width);
  }

  /// Widens one block of columns. Rows that fill up the last tile keep what an earlier block left
  /// there: their products are not read.
  private void widen(Matrix w, int rowStart, int rows, int column, int count, float[] wide) {
    for (int row = 0; row < rows; row++) {
      long at = w.rowOffset(rowStart + row) + w.type().numBytes(column);
      kernels.widen(w.type(), w.segment(), at, count, wide, row * WIDE_STRIDE);
    }
  }

  private void multiplyPanels(int task, int worker) {
    Projection projection = tasks.projection(task);
    Matrix w = projection.weight();
    int rowStart = tasks.rowStart(task);
    int rows = tasks.rowEnd(task) - rowStart;
    int tiles = Math.ceilDiv(rows, TILE_ROWS);
    int numPanels = numPanels();
    if (numPanels == 1) {
      multiplyOnePanel(projection, rowStart, rows, scratch[worker]);
      return;
    }
    float[] products = scratch[worker].products;
    for (int column = 0; column < w.columns(); column += WIDE_COLUMNS) {
      int count = Math.min(WIDE_COLUMNS, w.columns() - column);
      widen(w, rowStart, rows, column, count, scratch[worker].wide);
      // Each panel's products are cleared before their first use and moved after their last one,
      // while they are in a cache.
      int panelSize = tiles * TILE_ROWS * panelTokens;
      for (int panel = 0; panel < numPanels; panel++) {
        if (column == 0) {
          Arrays.fill(products, panel * panelSize, (panel + 1) * panelSize, 0);
        }
        multiplyPanel(panel, tiles, column, count, scratch[worker]);
        if (column + count == w.columns()) {
          storePanel(projection, panel, rowStart, rows, scratch[worker]);
        }
      }
    }
  }

  /// As few tokens as one panel holds: a tile of rows at a time goes through all columns, so that
  /// widened weights, which are used only once, are still in the nearest caches.
  private void multiplyOnePanel(Projection projection, int rowStart, int rows, Scratch scratch) {
    Matrix w = projection.weight();
    int tileSize = TILE_ROWS * panelVectors(0) * lanes;
    int tiles = Math.ceilDiv(rows, TILE_ROWS);
    Arrays.fill(scratch.products, 0, tiles * tileSize, 0);
    for (int tile = 0; tile < tiles; tile++) {
      int row = tile * TILE_ROWS;
      int tileRows = Math.min(TILE_ROWS, rows - row);
      int nextRows = Math.min(TILE_ROWS, rows - row - tileRows);
      for (int column = 0; column < w.columns(); column += WIDE_COLUMNS) {
        int count = Math.min(WIDE_COLUMNS, w.columns() - column);
        widen(w, rowStart + row, tileRows, column, count, scratch.wide);
        multiplyTile(
            w, rowStart + row + tileRows, nextRows, column, count, tile * tileSize, scratch);
      }
    }
    storePanel(projection, 0, rowStart, rows, scratch);
  }

  /// The tile in [Scratch#wide]. Meanwhile this block's share of the next tile's weights comes from
  /// memory, if there is one.
  private void multiplyTile(
      Matrix w, int nextRow, int nextRows, int column, int count, int products, Scratch scratch) {
    int vectors = panelVectors(0);
    long panelAt = panelOffset(0, column);
    if (vectors > 1 || nextRows == 0) {
      kernels.multiplyPanel(
          scratch.wide, 0, panels, panelAt, vectors, count, scratch.products, products);
      return;
    }
    long bytes = nextRows * w.rowBytes();
    scratch.touched[0] +=
        kernels.multiplyPanelAhead(
            scratch.wide,
            0,
            panels,
            panelAt,
            count,
            scratch.products,
            products,
            w.segment(),
            w.rowOffset(nextRow) + bytes * column / w.columns(),
            bytes * count / w.columns());
  }

  private void multiplyPanel(int panel, int tiles, int column, int count, Scratch scratch) {
    int vectors = panelVectors(panel);
    long panelAt = panelOffset(panel, column);
    for (int tile = 0; tile < tiles; tile++) {
      kernels.multiplyPanel(
          scratch.wide,
          tile * TILE_ROWS * WIDE_STRIDE,
          panels,
          panelAt,
          vectors,
          count,
          scratch.products,
          panel * tiles * TILE_ROWS * panelTokens + tile * TILE_ROWS * vectors * lanes);
    }
  }

  /// Moves a panel's products to the rows of its tokens.
  private void storePanel(
      Projection projection, int panel, int rowStart, int rows, Scratch scratch) {
    int[] multiples = panelVectors(panel) == 1 ? vectorRows : panelRows;
    int from = panel * Math.ceilDiv(rows, TILE_ROWS) * TILE_ROWS * panelTokens;
    int tokens = Math.min(panelTokens, numTokens - panel * panelTokens);
    for (int token = 0; token < tokens; token++) {
      kernels.gather(scratch.products, from + token, multiples, rows, scratch.writer.row, 0);
      scratch.writer.store(projection, panel * panelTokens + token, rowStart, rows);
    }
  }

  private void multiplyFew(int task, int worker) {
    Projection projection = tasks.projection(task);
    int rowStart = tasks.rowStart(task);
    int rowEnd = tasks.rowEnd(task);
    if (kernels.multipliesRows(projection.weight(), numTokens)) {
      multiplyRows(projection, rowStart, rowEnd, scratch[worker]);
      return;
    }
    for (int row = rowStart; row < rowEnd; row += TILE_ROWS) {
      multiplyFewRows(projection, row, Math.min(TILE_ROWS, rowEnd - row), scratch[worker]);
    }
  }

  private void multiplyRows(Projection projection, int rowStart, int rowEnd, Scratch scratch) {
    Matrix w = projection.weight();
    float[] products = scratch.products; // [token][MAX_ROWS]
    kernels.multiplyRows(
        w, rowStart, rowEnd, x, xStride, numTokens, products, MAX_ROWS, scratch.sums);
    for (int token = 0; token < numTokens; token++) {
      System.arraycopy(products, token * MAX_ROWS, scratch.writer.row, 0, rowEnd - rowStart);
      scratch.writer.store(projection, token, rowStart, rowEnd - rowStart);
    }
  }

  /// One tile of rows with all tokens, two at a time. An odd token is multiplied twice: a kernel
  /// for one would save little and be one more to compile before the first answer.
  private void multiplyFewRows(Projection projection, int rowStart, int rows, Scratch scratch) {
    Matrix w = projection.weight();
    int pair = kernels.panelVectors();
    float[] sums = scratch.products; // [pair][row][token of the pair][lane]
    int pairSums = TILE_ROWS * pair * lanes;
    Arrays.fill(sums, 0, Math.ceilDiv(numTokens, pair) * pairSums, 0);
    for (int column = 0; column < w.columns(); column += WIDE_COLUMNS) {
      int count = Math.min(WIDE_COLUMNS, w.columns() - column);
      widen(w, rowStart, rows, column, count, scratch.wide);
      for (int token = 0; token < numTokens; token += pair) {
        kernels.multiplyTokens(
            scratch.wide,
            0,
            x,
            token * xStride + (long) column * Float.BYTES,
            token + pair <= numTokens ? xStride : 0,
            pair,
            count,
            sums,
            token / pair * pairSums);
      }
    }
    for (int token = 0; token < numTokens; token++) {
      int from = token / pair * pairSums + token % pair * lanes;
      for (int row = 0; row < rows; row++) {
        scratch.writer.row[row] = kernels.sumLanes(sums, from + row * pair * lanes);
      }
      scratch.writer.store(projection, token, rowStart, rows);
    }
  }
}
