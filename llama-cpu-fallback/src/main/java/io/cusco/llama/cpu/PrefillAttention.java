package io.cusco.llama.cpu;

import static io.cusco.llama.cpu.kernels.Kernels.TILE_ROWS;
import static io.cusco.llama.cpu.kernels.Kernels.WIDE_COLUMNS;
import static io.cusco.llama.cpu.kernels.Kernels.WIDE_STRIDE;

import io.cusco.llama.config.LlamaConfig;
import io.cusco.llama.cpu.kernels.Kernels;
import io.cusco.llama.cpu.kernels.KvTile;
import io.cusco.llama.memory.NativeMemory;
import io.cusco.llama.model.StepInput;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;

/// Attention of a run of tokens of one sequence: two matrix products for each tile of positions,
/// with the register tiles of the weights' products, and a running softmax between them.
///
/// All query heads that share a key/value head, of all tokens of the run, are rows; keys and values
/// are read from the cache and widened once for all of them:
///
/// ```
///   for each tile of about POSITIONS positions
///     keys [headDim][positions], values [positions][headDim]     widened, 64 KB for 64 dimensions
///     scores  = queries [rows][headDim] * keys                   lanes are positions
///     weights = exp(scores - maximum so far)                     0 where a token may not look
///     output  = output * exp(old maximum - new) + weights * values   lanes are dimensions
///   output / sum of weights
/// ```
///
/// Source: "FlashAttention-2", Dao, 2023, section 3.1, without its split of the keys.
final class PrefillAttention {
  private static final int MAX_ROWS = 8 * TILE_ROWS;

  /// Positions whose keys and values stay in the second-level cache while all rows pass.
  private static final int POSITIONS = 128;

  private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT;

  private final CpuKvCache cache;
  private final Kernels kernels;
  private final int group;
  private final int headDim;
  private final int numKeyValueHeads;
  private final int valueStride;
  private final int blockSize;
  private final int tilePositions;

  /// Floats in a panel's row.
  private final int width;

  private final int valuePanels;
  private final float scale;
  private final Scratch[] scratch;

  PrefillAttention(
      LlamaConfig config,
      CpuKvCache cache,
      int blockSize,
      Kernels kernels,
      int numThreads,
      Arena arena) {
    this.cache = cache;
    this.kernels = kernels;
    this.blockSize = blockSize;
    group = config.groupSize();
    headDim = config.headDim();
    numKeyValueHeads = config.numKeyValueHeads();
    valueStride = cache.layer(0).valueStride();
    width = kernels.panelVectors() * kernels.lanes();
    valuePanels = Math.ceilDiv(valueStride, width);
    scale = (float) (1 / Math.sqrt(headDim));
    tilePositions = Math.max(1, POSITIONS / blockSize) * blockSize;
    scratch = new Scratch[canRun() ? numThreads : 0];
    for (int i = 0; i < scratch.length; i++) {
      scratch[i] = new Scratch(arena);
    }
  }

  /// Whether blocks fill whole vectors and everything fits a widened row.
  private boolean canRun() {
    return blockSize % kernels.lanes() == 0
        && headDim <= WIDE_COLUMNS
        && tilePositions <= WIDE_COLUMNS
        && group <= MAX_ROWS;
  }

  /// Whether a run of so many tokens is faster here than token by token. It fills a tile of rows,
  /// and the products of its step use the same tile: a few tokens would wait for its compilation
  /// longer than it saves them.
  boolean takes(int tokens) {
    return scratch.length > 0
        && tokens * group >= TILE_ROWS
        && tokens >= BatchMatMul.minPanelTokens(kernels.lanes());
  }

  /// The longest run that [#attend] takes at once.
  int maxTokens() {
    return MAX_ROWS / group;
  }

  /// One worker's memory.
  private final class Scratch {
    /// `[rows][WIDE_STRIDE]`: the first `headDim` of each row are its query.
    final float[] queries = new float[MAX_ROWS * WIDE_STRIDE];

    /// `[rows][WIDE_STRIDE]`: the first `tilePositions` of each row.
    final float[] weights = new float[MAX_ROWS * WIDE_STRIDE];

    /// `[tile of rows][panel][row][width]`.
    final float[] scores = new float[MAX_ROWS * Math.ceilDiv(tilePositions, width) * width];

    /// `[tile of rows][panel][row][width]`.
    final float[] output = new float[MAX_ROWS * valuePanels * width];

    final float[] maximum = new float[MAX_ROWS];
    final float[] sum = new float[MAX_ROWS];
    final float[] head = new float[valuePanels * width];

    /// `[panel of positions][headDim][width]`.
    final MemorySegment keys;

    /// `[panel of dimensions][tilePositions][width]`.
    final MemorySegment values;

    Scratch(Arena arena) {
      long keyPanels = Math.ceilDiv(tilePositions, width);
      keys = NativeMemory.allocateZeroed(keyPanels * headDim * width * Float.BYTES, arena);
      values =
          NativeMemory.allocateZeroed(
              (long) valuePanels * tilePositions * width * Float.BYTES, arena);
    }
  }

  /// Attends from `tokens` consecutive tokens of one sequence, with the heads of one group.
  ///
  /// @param queries `[numTokens, heads * headDim]`, rotated
  /// @param out like `queries`
  void attend(
      StepInput step,
      int layer,
      int sequence,
      int firstToken,
      int tokens,
      int head,
      MemorySegment queries,
      MemorySegment out,
      int worker) {
    Scratch s = scratch[worker];
    int rows = tokens * group;
    int tiles = Math.ceilDiv(rows, TILE_ROWS);
    for (int row = 0; row < rows; row++) {
      MemorySegment.copy(
          queries, FLOAT, rowOffset(firstToken, head, row), s.queries, row * WIDE_STRIDE, headDim);
    }
    Arrays.fill(s.output, 0, tiles * TILE_ROWS * valuePanels * width, 0);
    Arrays.fill(s.maximum, Float.NEGATIVE_INFINITY);
    Arrays.fill(s.sum, 0);
    int firstVisible = step.positions()[firstToken] + 1;
    int visible = firstVisible + tokens - 1;
    for (int start = 0; start < visible; start += tilePositions) {
      int positions = Math.min(tilePositions, visible - start);
      widen(step, layer, sequence, head, start, positions, s);
      score(tiles, positions, s);
      for (int row = 0; row < rows; row++) {
        weigh(row, Math.clamp(firstVisible + row / group - start, 0, positions), positions, s);
      }
      addValues(tiles, positions, s);
    }
    for (int row = 0; row < rows; row++) {
      write(row, out, rowOffset(firstToken, head, row), s);
    }
  }

  /// Byte offset of row `token * group + g` in queries and output.
  private long rowOffset(int firstToken, int head, int row) {
    long token = (long) firstToken + row / group;
    long queryHead = (token * numKeyValueHeads + head) * group + row % group;
    return queryHead * headDim * Float.BYTES;
  }

  private void widen(
      StepInput step, int layer, int sequence, int head, int start, int positions, Scratch s) {
    KvTile tile = cache.layer(layer);
    int bytes = tile.elementBytes();
    int table = sequence * step.blockTableStride() + start / blockSize;
    for (int from = 0; from < positions; from += blockSize) {
      int block = step.blockTables()[table + from / blockSize];
      long keyAt = cache.keyOffset(tile, block, head);
      long valueAt = cache.valueOffset(tile, block, head);
      int count = Math.min(blockSize, positions - from);
      int done = 0;
      while (done < blockSize) {
        int position = from + done;
        int columns = Math.min(blockSize - done, width - position % width);
        long to = ((long) position / width * headDim * width + position % width) * Float.BYTES;
        kernels.widenRows(
            tile.keys(),
            tile.half(),
            keyAt + (long) done * bytes,
            (long) tile.positions() * bytes,
            headDim,
            columns,
            s.keys,
            to,
            (long) width * Float.BYTES);
        done += columns;
      }
      for (int panel = 0; panel < valuePanels; panel++) {
        int columns = valueColumns(panel);
        long to = ((long) panel * tilePositions * width + (long) from * columns) * Float.BYTES;
        kernels.widenRows(
            tile.values(),
            tile.half(),
            valueAt + (long) panel * width * bytes,
            (long) valueStride * bytes,
            count,
            columns,
            s.values,
            to,
            (long) columns * Float.BYTES);
      }
    }
  }

  private int valueColumns(int panel) {
    return Math.min(width, valueStride - panel * width);
  }

  private void score(int tiles, int positions, Scratch s) {
    int panels = Math.ceilDiv(positions, width);
    Arrays.fill(s.scores, 0, tiles * panels * TILE_ROWS * width, 0);
    for (int panel = 0; panel < panels; panel++) {
      for (int tile = 0; tile < tiles; tile++) {
        kernels.multiplyPanel(
            s.queries,
            tile * TILE_ROWS * WIDE_STRIDE,
            s.keys,
            (long) panel * headDim * width * Float.BYTES,
            kernels.panelVectors(),
            headDim,
            s.scores,
            (tile * panels + panel) * TILE_ROWS * width);
      }
    }
  }

  private void weigh(int row, int visible, int positions, Scratch s) {
    int tile = row / TILE_ROWS;
    int inTile = row % TILE_ROWS;
    int panels = Math.ceilDiv(positions, width);
    float rescale =
        kernels.weighRow(
            s.scores,
            (tile * panels * TILE_ROWS + inTile) * width,
            width,
            TILE_ROWS * width,
            scale,
            visible,
            positions,
            s.maximum,
            s.sum,
            row,
            s.weights,
            row * WIDE_STRIDE);
    if (rescale == 1) {
      return;
    }
    for (int panel = 0; panel < valuePanels; panel++) {
      int columns = valueColumns(panel);
      int at = (tile * valuePanels + panel) * TILE_ROWS * width + inTile * columns;
      for (int i = at; i < at + columns; i++) {
        s.output[i] *= rescale;
      }
    }
  }

  private void addValues(int tiles, int positions, Scratch s) {
    for (int panel = 0; panel < valuePanels; panel++) {
      for (int tile = 0; tile < tiles; tile++) {
        kernels.multiplyPanel(
            s.weights,
            tile * TILE_ROWS * WIDE_STRIDE,
            s.values,
            (long) panel * tilePositions * width * Float.BYTES,
            valueColumns(panel) / kernels.lanes(),
            positions,
            s.output,
            (tile * valuePanels + panel) * TILE_ROWS * width);
      }
    }
  }

  private void write(int row, MemorySegment out, long outOffset, Scratch s) {
    float scale = 1 / s.sum[row];
    for (int panel = 0; panel < valuePanels; panel++) {
      int columns = valueColumns(panel);
      int at =
          (row / TILE_ROWS * valuePanels + panel) * TILE_ROWS * width + row % TILE_ROWS * columns;
      for (int i = 0; i < columns; i++) {
        s.head[panel * width + i] = s.output[at + i] * scale;
      }
    }
    MemorySegment.copy(s.head, 0, out, FLOAT, outOffset, headDim);
  }
}
