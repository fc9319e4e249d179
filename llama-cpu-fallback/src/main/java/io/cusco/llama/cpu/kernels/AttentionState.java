package io.cusco.llama.cpu.kernels;

import io.cusco.llama.memory.NativeMemory;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;

/// The running softmax of one token's query heads that share a key/value head. After each tile,
/// over the positions seen so far:
///
/// ```
/// sum(g)    = sum over p of exp(score(g, p) - maximum(g))
/// output(g) = sum over p of exp(score(g, p) - maximum(g)) * value(p)
/// ```
///
/// Source: "Online normalizer calculation for softmax", Milakov and Gimelshein, 2018. Scratch of
/// one worker, reused for every task.
public final class AttentionState {
  final int group;
  final int headDim;
  final int positions;
  final int valueStride;

  /// What scores are multiplied by: `1 / sqrt(headDim)`.
  final float scale;

  final float[] maximum;
  final float[] sum;

  /// `[group, positions]`, scores and then weights of the current tile.
  final float[] weights;

  /// `[group, headDim]`, rotated.
  final float[] query;

  /// `[group, valueStride]`.
  final float[] output;

  /// The current tile widened to float32, where the cache holds float16.
  final MemorySegment wideKeys;

  final MemorySegment wideValues;

  public AttentionState(int group, int headDim, int positions, int valueStride, Arena arena) {
    this.group = group;
    this.headDim = headDim;
    this.positions = positions;
    this.valueStride = valueStride;
    scale = (float) (1 / Math.sqrt(headDim));
    maximum = new float[group];
    sum = new float[group];
    weights = new float[group * positions];
    query = new float[group * headDim];
    output = new float[group * valueStride];
    wideKeys = floats((long) headDim * positions, arena);
    wideValues = floats((long) positions * valueStride, arena);
  }

  private static MemorySegment floats(long count, Arena arena) {
    return NativeMemory.allocateZeroed(count * Float.BYTES, arena);
  }

  /// Forgets the last token and takes the next one's query heads, `[group, headDim]`.
  public void begin(MemorySegment queries, long offset) {
    MemorySegment.copy(queries, Layouts.FLOAT, offset, query, 0, query.length);
    Arrays.fill(maximum, Float.NEGATIVE_INFINITY);
    Arrays.fill(sum, 0);
    Arrays.fill(output, 0);
  }

  /// Writes the normalised result of head `g` of the group, `[headDim]`.
  public void writeOutput(int g, MemorySegment out, long outOffset) {
    float scale = 1 / sum[g];
    int at = g * valueStride;
    for (int i = at; i < at + headDim; i++) {
      output[i] *= scale;
    }
    MemorySegment.copy(output, at, out, Layouts.FLOAT, outOffset, headDim);
  }
}
