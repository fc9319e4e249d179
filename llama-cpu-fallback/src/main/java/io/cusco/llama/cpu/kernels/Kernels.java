package io.cusco.llama.cpu.kernels;

import io.cusco.llama.checkpoint.DType;
import java.lang.foreign.MemorySegment;

/// The arithmetic of the CPU backend. Two implementations: [ScalarKernels], slow and obvious, and
/// [VectorKernels], fast; tests hold them against each other.
///
/// Activations are float32 in off-heap segments, addressed by byte offset. Weights are read in
/// place from their packed blocks. Implementations are stateless and safe for use by several
/// threads; each caller brings its own scratch.
public interface Kernels {
  /// What runs, in a few words: "512-bit vectors", "scalar".
  String description();

  /// Floats in one vector: the granularity of token panels and of KV tiles.
  int lanes();

  /// Vectors of tokens in one register tile of [#multiplyPanel]: 2 where there are 32 vector
  /// registers, 1 where there are 16.
  int panelVectors();

  /// Widens `count` consecutive weights, whole blocks of one row, to float32.
  void widen(DType type, MemorySegment weights, long offset, int count, float[] out, int outIndex);

  /// `out[row] = w[row] . x` for `rowStart <= row < rowEnd`, or `out[row] += ...`.
  ///
  /// @param x `[columns]`
  /// @param out `[rows]`, indexed by row
  /// @param scratch at least [#GEMV_SCRATCH] floats
  void gemv(
      Matrix w,
      int rowStart,
      int rowEnd,
      MemorySegment x,
      long xOffset,
      MemorySegment out,
      long outOffset,
      boolean add,
      float[] scratch);

  /// Whether [#multiplyRows] is the fastest way to multiply so many tokens.
  boolean multipliesRows(Matrix w, int tokens);

  /// `out[token * outStride + row - rowStart] = w[row] . x[token]` for `rowStart <= row < rowEnd`,
  /// straight from the packed blocks.
  ///
  /// @param x `[tokens, columns]`, `xStride` bytes apart
  /// @param scratch at least [#GEMV_SCRATCH] floats
  void multiplyRows(
      Matrix w,
      int rowStart,
      int rowEnd,
      MemorySegment x,
      long xStride,
      int tokens,
      float[] out,
      int outStride,
      float[] scratch);

  /// Whether one token is multiplied so much faster with a [PackedMatrix] of this type that the
  /// copy is worth its memory.
  boolean decodesFasterFromCopy(DType type);

  /// Brings activations into the form that [#gemvPacked] takes.
  ///
  /// @param x `[columns]`, a multiple of 32
  void quantize(MemorySegment x, long xOffset, int columns, QuantizedActivations out);

  /// As [#gemv] with a reordered copy of the weights and quantised activations, for the groups
  /// `groupStart .. groupEnd - 1` of [PackedMatrix#GROUP] rows, which are filled.
  ///
  /// @param out `[rows]`, indexed by row
  /// @param scratch at least [PackedMatrix#GROUP] floats
  void gemvPacked(
      PackedMatrix w,
      int groupStart,
      int groupEnd,
      QuantizedActivations x,
      MemorySegment out,
      boolean add,
      float[] scratch);

  /// Whether every product with this matrix is as fast or faster once it is an [InterleavedMatrix].
  boolean interleaves(Matrix w);

  /// As [#gemv] with an interleaved matrix, for the rows `rowStart .. rowEnd - 1`, both multiples
  /// of 16.
  ///
  /// @param x `[columns]`
  /// @param out `[rows]`, indexed by row
  /// @param scratch at least [#GEMV_SCRATCH] floats
  void gemvInterleaved(
      InterleavedMatrix w,
      int rowStart,
      int rowEnd,
      MemorySegment x,
      MemorySegment out,
      boolean add,
      float[] scratch);

  /// Whether [#multiplyInterleaved] is the fastest way to multiply so many tokens; otherwise
  /// weights are widened first ([#widenInterleaved]) and multiplied with [#multiplyPanel], where
  /// rows and tokens change places.
  boolean multipliesInterleaved(int tokens);

  /// `c[token][i] += sum_k w[row + i][column + k] * x[token][k]` for the [InterleavedMatrix#PAIR]
  /// rows from `row`, a multiple of that, on.
  ///
  /// @param column a multiple of 32, as is `count`, at most [#WIDE_COLUMNS]
  /// @param x `[tokens][WIDE_STRIDE]`, up to [#TILE_ROWS] more of them than `tokens`; the others'
  ///   products are not to be read
  /// @param c `[tokens][cStride]`, as many as `x` has
  /// @param scratch at least [#GEMV_SCRATCH] floats
  void multiplyInterleaved(
      InterleavedMatrix w,
      int row,
      int column,
      int count,
      float[] x,
      int xIndex,
      int tokens,
      float[] c,
      int cIndex,
      int cStride,
      float[] scratch);

  /// Widens [InterleavedMatrix#PAIR] rows from `row`, a multiple of that, on to panels that
  /// [#multiplyPanel] takes: `[panel][count][panelVectors * lanes]`, rows side by side.
  ///
  /// @param column a multiple of 32, as is `count`, at most [#WIDE_COLUMNS]
  /// @param scratch at least [#GEMV_SCRATCH] floats
  void widenInterleaved(
      InterleavedMatrix w,
      int row,
      int column,
      int count,
      MemorySegment panels,
      long offset,
      float[] scratch);

  /// One register tile of a matrix product over a panel of tokens: `c[row][token] += sum_k
  /// w[row][k] * x[k][token]` for [#TILE_ROWS] rows.
  ///
  /// ```
  ///                      x: [count][tokens]              tokens = one or two vectors
  ///                      ....................
  ///  w: [12][WIDE_STRIDE]   c: [12][tokens]
  ///  --------------------   ====================
  /// ```
  ///
  /// @param vectors at most [#panelVectors()]: the panel's width in vectors
  void multiplyPanel(
      float[] w,
      int wIndex,
      MemorySegment x,
      long xOffset,
      int vectors,
      int count,
      float[] c,
      int cIndex);

  /// As [#multiplyPanel] with one vector of tokens, while memory that is needed next comes nearer:
  /// `nextBytes` from `nextOffset` are read here and there.
  ///
  /// @return a number without meaning, to be kept somewhere so that the reads are not dropped
  int multiplyPanelAhead(
      float[] w,
      int wIndex,
      MemorySegment x,
      long xOffset,
      int count,
      float[] c,
      int cIndex,
      MemorySegment next,
      long nextOffset,
      long nextBytes);

  /// The same product for a few tokens as they lie: `c[row][token][lane] += sum w[row][k] *
  /// x[token][k]` over the columns `k` of each lane.
  ///
  /// @param w `[12][WIDE_STRIDE]`
  /// @param x first token's column; tokens are `xStride` bytes apart
  /// @param tokens at most [#panelVectors()]
  void multiplyTokens(
      float[] w,
      int wIndex,
      MemorySegment x,
      long xOffset,
      long xStride,
      int tokens,
      int count,
      float[] c,
      int cIndex);

  /// `to[toIndex + i] = from[fromIndex + i * step]` for `i < count`: a column of a matrix becomes a
  /// row.
  ///
  /// @param multiples `0, step, 2 * step ...`, one for each lane, and `step` times the lanes last
  void gather(float[] from, int fromIndex, int[] multiples, int count, float[] to, int toIndex);

  /// The sum of the lanes at `c[index]`.
  float sumLanes(float[] c, int index);

  /// RMSNorm: `out[i] = x[i] / sqrt(mean(x^2) + eps) * weight[i]`.
  void rmsNorm(
      MemorySegment x,
      long xOffset,
      MemorySegment weight,
      float eps,
      int size,
      MemorySegment out,
      long outOffset);

  /// `gate[i] = gate[i] / (1 + exp(-gate[i])) * up[i]`.
  void siluMul(MemorySegment gate, long gateOffset, MemorySegment up, long upOffset, int size);

  /// Attention of the query heads that share one key/value head, for one token, folded into a
  /// running softmax one KV tile at a time.
  ///
  /// @param tile the keys and values of some positions, see [KvTile]
  /// @param positions how many of the tile's positions are visible
  /// @param state the query heads, running maximum, sum and weighted values
  void attendTile(
      KvTile tile, long keyOffset, long valueOffset, int positions, AttentionState state);

  /// Widens rows of the KV cache: `columns` elements each, a multiple of the lanes.
  ///
  /// @param half whether `from` holds float16 instead of float32
  /// @param fromStep bytes between two rows of `from`
  /// @param toStep bytes between two rows of `to`, float32
  void widenRows(
      MemorySegment from,
      boolean half,
      long fromOffset,
      long fromStep,
      int rows,
      int columns,
      MemorySegment to,
      long toOffset,
      long toStep);

  /// Turns one query's scores against a tile of positions into weights relative to the new maximum,
  /// brings its running sum up to date, and returns the factor for its earlier output.
  ///
  /// @param scores `[panel][width]` from `index`, panels `panelStep` floats apart, not yet scaled
  /// @param visible how many positions it sees; the others get weight 0
  /// @param positions how many weights are written, rounded up to whole panels
  /// @param maximum running maximum of `row`, negative infinity before the first tile
  /// @param sum running sum of weights of `row`
  /// @param weights `[positions]` from `at`
  float weighRow(
      float[] scores,
      int index,
      int width,
      int panelStep,
      float scale,
      int visible,
      int positions,
      float[] maximum,
      float[] sum,
      int row,
      float[] weights,
      int at);

  /// Floats of scratch that [#gemv] and [#multiplyRows] need: one row's worth of widened blocks at
  /// a time.
  int GEMV_SCRATCH = 1024;

  /// Rows of weights in one register tile.
  int TILE_ROWS = 12;

  /// Columns of a widened block: a multiple of every block size, and long enough pieces of a row to
  /// be fetched ahead from memory.
  int WIDE_COLUMNS = 1024;

  /// Floats from one row of a widened block to the next: a little apart from a power of two, or
  /// twelve of them would compete for the same lines of the first-level cache.
  int WIDE_STRIDE = WIDE_COLUMNS + 16;
}
