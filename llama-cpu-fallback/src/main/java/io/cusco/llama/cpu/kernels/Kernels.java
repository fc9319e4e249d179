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

  /// Rows of weights in one register tile of [#tile].
  int tileRows();

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
  void gemvPacked(
      PackedMatrix w,
      int groupStart,
      int groupEnd,
      QuantizedActivations x,
      MemorySegment out,
      boolean add,
      PackedScratch scratch);

  /// `sums[token] += w . x[token]` over `count` columns, for a few tokens.
  ///
  /// @param w widened weights
  /// @param x first token's column; tokens are `xStride` bytes apart
  void dots(
      float[] w,
      int wIndex,
      int count,
      MemorySegment x,
      long xOffset,
      long xStride,
      int numTokens,
      float[] sums);

  /// One register tile of a matrix product over a panel of tokens: `c[row][token] += sum_k
  /// w[row][k] * x[k][token]`.
  ///
  /// ```
  ///            x: [count][tokens]              tokens = one or two vectors
  ///            ....................
  ///  w: [rows][wStride]   c: [rows][cStride]
  ///  ----------------     ====================
  /// ```
  ///
  /// @param rows rows in this tile, at most [#tileRows()]
  /// @param vectors 1 or 2: the panel's width in vectors
  /// @param part scratch of one tile: `tileRows() * 2 * lanes()` floats
  void tile(
      float[] w,
      int wIndex,
      int wStride,
      int rows,
      MemorySegment x,
      long xOffset,
      int vectors,
      int count,
      float[] c,
      int cIndex,
      int cStride,
      float[] part);

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
  /// @param q `[group, headDim]`, rotated
  /// @param state running maximum, sum and weighted values
  void attendTile(
      KvTile tile,
      long keyOffset,
      long valueOffset,
      int positions,
      MemorySegment q,
      long qOffset,
      AttentionState state);

  /// Floats of scratch that [#gemv] needs: one row's worth of widened blocks at a time.
  int GEMV_SCRATCH = 1024;
}
