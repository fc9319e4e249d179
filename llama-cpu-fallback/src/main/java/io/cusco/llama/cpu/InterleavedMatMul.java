package io.cusco.llama.cpu;

import static io.cusco.llama.cpu.kernels.Kernels.TILE_ROWS;
import static io.cusco.llama.cpu.kernels.Kernels.WIDE_COLUMNS;
import static io.cusco.llama.cpu.kernels.Kernels.WIDE_STRIDE;

import io.cusco.llama.cpu.MatMul.Projection;
import io.cusco.llama.cpu.kernels.InterleavedMatrix;
import io.cusco.llama.cpu.kernels.Kernels;
import io.cusco.llama.memory.NativeMemory;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;

/// Products of several tokens with interleaved weights ([InterleavedMatrix]), whose rows are the
/// lanes. The input is copied once:
///
/// ```
///   x: [tokens][columns]  ->  [block of WIDE_COLUMNS columns][token][WIDE_STRIDE]
/// ```
///
/// Few tokens are multiplied straight from the copy of the weights ([Kernels#multiplyInterleaved]).
/// For many, weights are widened first:
///
/// ```
///   for each block of up to MAX_ROWS rows (one task)
///     for each block of WIDE_COLUMNS columns
///       widen to panels: [panel][column][rows]     second-level cache, 768 KB
///       for each twelve tokens, for each panel     Kernels.multiplyPanel, adds to
///                                                  products: [twelve tokens][panel][token][row]
///     products -> out: [tokens][rows]
/// ```
///
/// Tokens are to `multiplyPanel` what rows are elsewhere, so neither the input nor the products
/// have to be transposed.
///
/// Owned by the thread that runs the forward pass.
final class InterleavedMatMul {
  private static final int MAX_ROWS = 6 * InterleavedMatrix.PAIR;

  /// Few tokens: as many rows as still leave tasks enough for threads of unequal speed.
  private static final int MAX_FEW_ROWS = 512;

  private static final int TASKS_PER_THREAD = 4;
  private static final int TOKENS_PER_TASK = 4;
  private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT;

  private final WorkerPool pool;
  private final Kernels kernels;
  private final int width;
  private final Arena arena;
  private final RowTasks tasks = new RowTasks();
  private final Scratch[] scratch;
  private final WorkerPool.Phase copyPhase = this::copyTokens;
  private final WorkerPool.Phase fewPhase = this::multiplyFew;
  private final WorkerPool.Phase manyPhase = this::multiplyMany;

  /// The copied input; grows with the largest batch so far.
  private float[] copied = new float[0];

  private MemorySegment x;
  private long xStride;
  private int numTokens;
  private int columns;

  InterleavedMatMul(WorkerPool pool, Kernels kernels, Arena arena) {
    this.pool = pool;
    this.kernels = kernels;
    this.arena = arena;
    width = kernels.panelVectors() * kernels.lanes();
    scratch = new Scratch[pool.numThreads()];
    Arrays.setAll(scratch, i -> new Scratch());
  }

  /// One worker's memory.
  private static final class Scratch {
    final float[] scales = new float[Kernels.GEMV_SCRATCH];
    final RowWriter writer = new RowWriter(MAX_FEW_ROWS);
    float[] products = new float[0];
    MemorySegment panels;
  }

  /// Multiplies `numTokens` rows of `x`, `xStride` bytes apart, with every projection's interleaved
  /// weight.
  void run(MemorySegment x, long xStride, int numTokens, Projection[] projections) {
    this.x = x;
    this.xStride = xStride;
    this.numTokens = numTokens;
    columns = projections[0].weight().columns();
    boolean few = kernels.multipliesInterleaved(numTokens);
    tasks.set(projections, rowsPerTask(projections, few ? MAX_FEW_ROWS : MAX_ROWS));
    reserve(few);
    pool.run(copyPhase, Math.ceilDiv(numTokens, TOKENS_PER_TASK));
    pool.run(few ? fewPhase : manyPhase, tasks.count());
  }

  private int rowsPerTask(Projection[] projections, int maxRows) {
    int rows = RowTasks.totalRows(projections);
    int threads = pool.numThreads();
    int wanted = Math.max(Math.ceilDiv(rows, maxRows), TASKS_PER_THREAD * threads);
    int balanced = Math.ceilDiv(wanted, threads) * threads;
    int pairs = Math.ceilDiv(rows, balanced * InterleavedMatrix.PAIR);
    return Math.clamp((long) pairs * InterleavedMatrix.PAIR, InterleavedMatrix.PAIR, maxRows);
  }

  /// Room for this batch. Once the largest batch has been seen nothing is allocated.
  private void reserve(boolean few) {
    int floats =
        Math.multiplyExact(Math.ceilDiv(columns, WIDE_COLUMNS) * WIDE_STRIDE, paddedTokens());
    if (copied.length < floats) {
      copied = new float[floats];
    }
    int products = paddedTokens() * (few ? MAX_FEW_ROWS : MAX_ROWS);
    for (Scratch s : scratch) {
      if (s.products.length < products) {
        s.products = new float[products];
      }
      if (!few && s.panels == null) {
        s.panels = NativeMemory.allocateZeroed((long) MAX_ROWS * WIDE_COLUMNS * Float.BYTES, arena);
      }
    }
  }

  private int paddedTokens() {
    return Math.ceilDiv(numTokens, TILE_ROWS) * TILE_ROWS;
  }

  /// Where a token's part of a block of columns lies.
  private int copiedIndex(int column, int token) {
    return (column / WIDE_COLUMNS * paddedTokens() + token) * WIDE_STRIDE;
  }

  private void copyTokens(int task, int worker) {
    int end = Math.min(numTokens, (task + 1) * TOKENS_PER_TASK);
    for (int token = task * TOKENS_PER_TASK; token < end; token++) {
      for (int column = 0; column < columns; column += WIDE_COLUMNS) {
        int count = Math.min(WIDE_COLUMNS, columns - column);
        long from = token * xStride + (long) column * Float.BYTES;
        MemorySegment.copy(x, FLOAT, from, copied, copiedIndex(column, token), count);
      }
    }
  }

  private void multiplyFew(int task, int worker) {
    Projection projection = tasks.projection(task);
    InterleavedMatrix w = projection.stored().interleaved();
    int rowStart = tasks.rowStart(task);
    int rows = tasks.rowEnd(task) - rowStart;
    Scratch s = scratch[worker];
    Arrays.fill(s.products, 0, paddedTokens() * MAX_FEW_ROWS, 0); // [token][MAX_FEW_ROWS]
    for (int row = 0; row < rows; row += InterleavedMatrix.PAIR) {
      for (int column = 0; column < columns; column += WIDE_COLUMNS) {
        kernels.multiplyInterleaved(
            w,
            rowStart + row,
            column,
            Math.min(WIDE_COLUMNS, columns - column),
            copied,
            copiedIndex(column, 0),
            numTokens,
            s.products,
            row,
            MAX_FEW_ROWS,
            s.scales);
      }
    }
    for (int token = 0; token < numTokens; token++) {
      System.arraycopy(s.products, token * MAX_FEW_ROWS, s.writer.row, 0, rows);
      s.writer.store(projection, token, rowStart, rows);
    }
  }

  private void multiplyMany(int task, int worker) {
    Projection projection = tasks.projection(task);
    int rowStart = tasks.rowStart(task);
    int rows = tasks.rowEnd(task) - rowStart;
    Scratch s = scratch[worker];
    int tileSize = TILE_ROWS * rows;
    for (int column = 0; column < columns; column += WIDE_COLUMNS) {
      int count = Math.min(WIDE_COLUMNS, columns - column);
      widen(projection.stored().interleaved(), rowStart, rows, column, count, s);
      for (int token = 0; token < numTokens; token += TILE_ROWS) {
        int tile = token / TILE_ROWS * tileSize;
        if (column == 0) {
          Arrays.fill(s.products, tile, tile + tileSize, 0);
        }
        for (int row = 0; row < rows; row += width) {
          kernels.multiplyPanel(
              copied,
              copiedIndex(column, token),
              s.panels,
              (long) row * count * Float.BYTES,
              kernels.panelVectors(),
              count,
              s.products,
              tile + row * TILE_ROWS);
        }
        if (column + count == columns) {
          storeTile(projection, token, rowStart, rows, tile, s);
        }
      }
    }
  }

  private void widen(
      InterleavedMatrix w, int rowStart, int rows, int column, int count, Scratch s) {
    for (int row = 0; row < rows; row += InterleavedMatrix.PAIR) {
      long at = (long) row * count * Float.BYTES;
      kernels.widenInterleaved(w, rowStart + row, column, count, s.panels, at, s.scales);
    }
  }

  /// `[panel][token][width rows]` of one tile to the rows of its tokens.
  private void storeTile(
      Projection projection, int firstToken, int rowStart, int rows, int tile, Scratch s) {
    int tokens = Math.min(TILE_ROWS, numTokens - firstToken);
    for (int token = 0; token < tokens; token++) {
      for (int row = 0; row < rows; row += width) {
        int from = tile + row * TILE_ROWS + token * width;
        System.arraycopy(s.products, from, s.writer.row, row, width);
      }
      s.writer.store(projection, firstToken + token, rowStart, rows);
    }
  }
}
