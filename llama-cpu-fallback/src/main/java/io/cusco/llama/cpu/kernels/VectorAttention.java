package io.cusco.llama.cpu.kernels;

import static io.cusco.llama.cpu.kernels.Lanes.F;
import static io.cusco.llama.cpu.kernels.Lanes.L;
import static io.cusco.llama.cpu.kernels.Lanes.LE;
import static io.cusco.llama.cpu.kernels.Lanes.S;
import static io.cusco.llama.memory.OpenMemory.MEMORY;

import io.cusco.llama.memory.OpenMemory;
import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.ShortVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorOperators;

/// Attention over one KV tile. Four query heads go through a tile together, so that each key and
/// value is loaded once for them.
///
/// The loops over four heads are unrolled by hand, which also makes them too large to be inlined:
/// as methods of their own they stay below the size at which the compiler stops turning Vector API
/// calls into instructions.
final class VectorAttention {
  private VectorAttention() {}

  /// A part of attention over a tile. One call runs them all, so that the compiler compiles each by
  /// itself: of a call with three or more targets it inlines none, and together they pass the size
  /// above which it calls vector operations.
  private interface Step {
    void run(KvTile tile, long keyOffset, long valueOffset, int positions, AttentionState state);
  }

  private static final Step[] WIDE = {
    VectorAttention::scores, VectorAttention::weighAll, VectorAttention::addValues
  };

  private static final Step[] HALF = {
    VectorAttention::widen,
    VectorAttention::scores,
    VectorAttention::weighAll,
    VectorAttention::addValues
  };

  /// See [Kernels#attendTile].
  static void attend(
      KvTile tile, long keyOffset, long valueOffset, int positions, AttentionState state) {
    for (Step step : tile.half() ? HALF : WIDE) {
      step.run(tile, keyOffset, valueOffset, positions, state);
    }
  }

  private static void widen(
      KvTile tile, long keyOffset, long valueOffset, int positions, AttentionState state) {
    widen(tile.keys(), keyOffset, tile.headDim() * tile.positions(), state.wideKeys, 0);
    widen(tile.values(), valueOffset, positions * tile.valueStride(), state.wideValues, 0);
  }

  private static void scores(
      KvTile tile, long keyOffset, long valueOffset, int positions, AttentionState state) {
    MemorySegment keys = tile.half() ? state.wideKeys : tile.keys();
    long first = tile.half() ? 0 : keyOffset;
    int headDim = tile.headDim();
    int step = tile.positions();
    for (int p = 0; p < step; p += L) {
      long key = first + p * 4L;
      int g = 0;
      for (; g <= state.group - 4; g += 4) {
        int to = g * state.positions + p;
        scores4(state.query, g * headDim, headDim, keys, key, step, state.weights, to);
      }
      for (; g < state.group; g++) {
        int to = g * state.positions + p;
        scores1(state.query, g * headDim, headDim, keys, key, step, state.weights, to);
      }
    }
  }

  private static void weighAll(
      KvTile tile, long keyOffset, long valueOffset, int positions, AttentionState state) {
    for (int g = 0; g < state.group; g++) {
      float rescale = weigh(state, g, positions);
      if (rescale != 1) {
        scale(state.output, g * state.valueStride, state.valueStride, rescale);
      }
    }
  }

  private static void addValues(
      KvTile tile, long keyOffset, long valueOffset, int positions, AttentionState state) {
    MemorySegment values = tile.half() ? state.wideValues : tile.values();
    long first = tile.half() ? 0 : valueOffset;
    int stride = tile.valueStride();
    int step = state.positions;
    float[] weights = state.weights;
    for (int d = 0; d < stride; d += L) {
      long value = first + d * 4L;
      int g = 0;
      for (; g <= state.group - 4; g += 4) {
        int to = g * stride + d;
        addValues4(weights, g * step, step, positions, values, value, stride, state.output, to);
      }
      for (; g < state.group; g++) {
        int to = g * stride + d;
        addValues1(weights, g * step, positions, values, value, stride, state.output, to);
      }
    }
  }

  private static FloatVector load(long address) {
    return FloatVector.fromMemorySegment(F, MEMORY, address, LE);
  }

  /// Widens a float16 tile, `count` a multiple of the lanes.
  static void widen(
      MemorySegment half, long offset, int count, MemorySegment wide, long wideOffset) {
    long from = OpenMemory.address(half, offset, count * 2L);
    long to = OpenMemory.address(wide, wideOffset, count * 4L);
    for (int i = 0; i < count; i += L) {
      ShortVector bits = ShortVector.fromMemorySegment(S, MEMORY, from + i * 2L, LE);
      Lanes.f16ToFloat(bits).intoMemorySegment(MEMORY, to + i * 4L, LE);
    }
  }

  /// Scores of four heads against `L` positions.
  static void scores4(
      float[] q,
      int qIndex,
      int headDim,
      MemorySegment keys,
      long keyOffset,
      int positions,
      float[] scores,
      int index) {
    FloatVector sum0 = FloatVector.zero(F);
    FloatVector sum1 = FloatVector.zero(F);
    FloatVector sum2 = FloatVector.zero(F);
    FloatVector sum3 = FloatVector.zero(F);
    long step = positions * 4L;
    long key = OpenMemory.address(keys, keyOffset, (headDim - 1) * step + 4L * L);
    int q1 = qIndex + headDim;
    int q2 = q1 + headDim;
    int q3 = q2 + headDim;
    // headDim is even: rotary embedding works on pairs.
    for (int d = 0; d < headDim; d += 2) {
      FloatVector key0 = load(OpenMemory.within(key + d * step));
      FloatVector key1 = load(OpenMemory.within(key + d * step + step));
      sum0 = FloatVector.broadcast(F, q[qIndex + d]).fma(key0, sum0);
      sum1 = FloatVector.broadcast(F, q[q1 + d]).fma(key0, sum1);
      sum2 = FloatVector.broadcast(F, q[q2 + d]).fma(key0, sum2);
      sum3 = FloatVector.broadcast(F, q[q3 + d]).fma(key0, sum3);
      sum0 = FloatVector.broadcast(F, q[qIndex + d + 1]).fma(key1, sum0);
      sum1 = FloatVector.broadcast(F, q[q1 + d + 1]).fma(key1, sum1);
      sum2 = FloatVector.broadcast(F, q[q2 + d + 1]).fma(key1, sum2);
      sum3 = FloatVector.broadcast(F, q[q3 + d + 1]).fma(key1, sum3);
    }
    sum0.intoArray(scores, index);
    sum1.intoArray(scores, index + positions);
    sum2.intoArray(scores, index + 2 * positions);
    sum3.intoArray(scores, index + 3 * positions);
  }

  /// Scores of one head against `L` positions.
  static void scores1(
      float[] q,
      int qIndex,
      int headDim,
      MemorySegment keys,
      long keyOffset,
      int positions,
      float[] scores,
      int index) {
    FloatVector sum = FloatVector.zero(F);
    long step = positions * 4L;
    long key = OpenMemory.address(keys, keyOffset, (headDim - 1) * step + 4L * L);
    for (int d = 0; d < headDim; d++) {
      sum =
          FloatVector.broadcast(F, q[qIndex + d]).fma(load(OpenMemory.within(key + d * step)), sum);
    }
    sum.intoArray(scores, index);
  }

  /// Turns one head's scores into weights relative to the new maximum, and brings its running sum
  /// up to date. Returns the factor that its earlier output has to be multiplied by.
  static float weigh(AttentionState state, int g, int positions) {
    float[] weights = state.weights;
    int at = g * state.positions;
    float maximum = state.maximum[g];
    for (int p = 0; p < state.positions; p += L) {
      VectorMask<Float> visible = F.indexInRange(p, positions);
      FloatVector scores = FloatVector.fromArray(F, weights, at + p).mul(state.scale);
      scores.intoArray(weights, at + p);
      maximum = Math.max(maximum, scores.reduceLanes(VectorOperators.MAX, visible));
    }
    float sum = 0;
    for (int p = 0; p < state.positions; p += L) {
      VectorMask<Float> visible = F.indexInRange(p, positions);
      FloatVector scores = FloatVector.fromArray(F, weights, at + p);
      FloatVector weight = FloatVector.zero(F).blend(VectorMath.exp(scores.sub(maximum)), visible);
      weight.intoArray(weights, at + p);
      sum += Lanes.sum(weight);
    }
    float rescale = (float) Math.exp(state.maximum[g] - maximum);
    state.maximum[g] = maximum;
    state.sum[g] = state.sum[g] * rescale + sum;
    return rescale;
  }

  /// The largest of `count` scores.
  static float maximum(float[] scores, int index, int count) {
    FloatVector maximum = FloatVector.broadcast(F, Float.NEGATIVE_INFINITY);
    for (int p = 0; p < count; p += L) {
      FloatVector panel = FloatVector.fromArray(F, scores, index + p);
      maximum = maximum.max(maximum.blend(panel, F.indexInRange(p, count)));
    }
    return maximum.reduceLanes(VectorOperators.MAX);
  }

  /// `exp(score * scale - maximum)` for the first `visible` of `count` scores and 0 for the rest;
  /// returns their sum.
  static float weights(
      float[] scores,
      int index,
      int count,
      float scale,
      float maximum,
      int visible,
      float[] weights,
      int at) {
    FloatVector sum = FloatVector.zero(F);
    FloatVector minusMaximum = FloatVector.broadcast(F, -maximum);
    for (int p = 0; p < count; p += L) {
      FloatVector score = FloatVector.fromArray(F, scores, index + p);
      FloatVector weight = VectorMath.exp(score.fma(FloatVector.broadcast(F, scale), minusMaximum));
      weight = FloatVector.zero(F).blend(weight, F.indexInRange(p, visible));
      weight.intoArray(weights, at + p);
      sum = sum.add(weight);
    }
    return Lanes.sum(sum);
  }

  /// Adds the tile's weighted values to the output of four heads, `L` of their elements.
  static void addValues4(
      float[] weights,
      int index,
      int tilePositions,
      int positions,
      MemorySegment values,
      long valueOffset,
      int valueStride,
      float[] output,
      int out) {
    long step = valueStride * 4L;
    long value = OpenMemory.address(values, valueOffset, (positions - 1) * step + 4L * L);
    FloatVector out0 = FloatVector.fromArray(F, output, out);
    FloatVector out1 = FloatVector.fromArray(F, output, out + valueStride);
    FloatVector out2 = FloatVector.fromArray(F, output, out + 2 * valueStride);
    FloatVector out3 = FloatVector.fromArray(F, output, out + 3 * valueStride);
    int index1 = index + tilePositions;
    int index2 = index1 + tilePositions;
    int index3 = index2 + tilePositions;
    int p = 0;
    for (; p < positions - 1; p += 2) {
      FloatVector value0 = load(OpenMemory.within(value + p * step));
      FloatVector value1 = load(OpenMemory.within(value + p * step + step));
      out0 = FloatVector.broadcast(F, weights[index + p]).fma(value0, out0);
      out1 = FloatVector.broadcast(F, weights[index1 + p]).fma(value0, out1);
      out2 = FloatVector.broadcast(F, weights[index2 + p]).fma(value0, out2);
      out3 = FloatVector.broadcast(F, weights[index3 + p]).fma(value0, out3);
      out0 = FloatVector.broadcast(F, weights[index + p + 1]).fma(value1, out0);
      out1 = FloatVector.broadcast(F, weights[index1 + p + 1]).fma(value1, out1);
      out2 = FloatVector.broadcast(F, weights[index2 + p + 1]).fma(value1, out2);
      out3 = FloatVector.broadcast(F, weights[index3 + p + 1]).fma(value1, out3);
    }
    if (p < positions) {
      FloatVector last = load(OpenMemory.within(value + p * step));
      out0 = FloatVector.broadcast(F, weights[index + p]).fma(last, out0);
      out1 = FloatVector.broadcast(F, weights[index1 + p]).fma(last, out1);
      out2 = FloatVector.broadcast(F, weights[index2 + p]).fma(last, out2);
      out3 = FloatVector.broadcast(F, weights[index3 + p]).fma(last, out3);
    }
    out0.intoArray(output, out);
    out1.intoArray(output, out + valueStride);
    out2.intoArray(output, out + 2 * valueStride);
    out3.intoArray(output, out + 3 * valueStride);
  }

  /// Adds the tile's weighted values to the output of one head, `L` of its elements.
  static void addValues1(
      float[] weights,
      int index,
      int positions,
      MemorySegment values,
      long valueOffset,
      int valueStride,
      float[] output,
      int out) {
    long step = valueStride * 4L;
    long value = OpenMemory.address(values, valueOffset, (positions - 1) * step + 4L * L);
    FloatVector sum = FloatVector.fromArray(F, output, out);
    for (int p = 0; p < positions; p++) {
      sum =
          FloatVector.broadcast(F, weights[index + p])
              .fma(load(OpenMemory.within(value + p * step)), sum);
    }
    sum.intoArray(output, out);
  }

  static void scale(float[] output, int index, int size, float factor) {
    for (int i = index; i < index + size; i += L) {
      FloatVector.fromArray(F, output, i).mul(factor).intoArray(output, i);
    }
  }
}
