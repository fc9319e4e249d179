package io.cusco.llama.cpu.kernels;

import static io.cusco.llama.cpu.kernels.Lanes.F;
import static io.cusco.llama.cpu.kernels.Lanes.L;
import static io.cusco.llama.cpu.kernels.Lanes.LE;
import static io.cusco.llama.cpu.kernels.Lanes.S;

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

  private static FloatVector load(MemorySegment segment, long offset) {
    return FloatVector.fromMemorySegment(F, segment, offset, LE);
  }

  /// Widens a float16 tile, `count` a multiple of the lanes.
  static void widen(
      MemorySegment half, long offset, int count, MemorySegment wide, long wideOffset) {
    for (int i = 0; i < count; i += L) {
      ShortVector bits = ShortVector.fromMemorySegment(S, half, offset + i * 2L, LE);
      Lanes.f16ToFloat(bits).intoMemorySegment(wide, wideOffset + i * 4L, LE);
    }
  }

  /// Scores of four heads against `L` positions.
  static void scores4(
      MemorySegment q,
      long qOffset,
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
    long head = headDim * 4L;
    long step = positions * 4L;
    // headDim is even: rotary embedding works on pairs.
    for (int d = 0; d < headDim; d += 2) {
      FloatVector key0 = load(keys, keyOffset + d * step);
      FloatVector key1 = load(keys, keyOffset + d * step + step);
      long at = qOffset + d * 4L;
      sum0 = FloatVector.broadcast(F, q.get(Layouts.FLOAT, at)).fma(key0, sum0);
      sum1 = FloatVector.broadcast(F, q.get(Layouts.FLOAT, at + head)).fma(key0, sum1);
      sum2 = FloatVector.broadcast(F, q.get(Layouts.FLOAT, at + 2 * head)).fma(key0, sum2);
      sum3 = FloatVector.broadcast(F, q.get(Layouts.FLOAT, at + 3 * head)).fma(key0, sum3);
      at += 4;
      sum0 = FloatVector.broadcast(F, q.get(Layouts.FLOAT, at)).fma(key1, sum0);
      sum1 = FloatVector.broadcast(F, q.get(Layouts.FLOAT, at + head)).fma(key1, sum1);
      sum2 = FloatVector.broadcast(F, q.get(Layouts.FLOAT, at + 2 * head)).fma(key1, sum2);
      sum3 = FloatVector.broadcast(F, q.get(Layouts.FLOAT, at + 3 * head)).fma(key1, sum3);
    }
    sum0.intoArray(scores, index);
    sum1.intoArray(scores, index + positions);
    sum2.intoArray(scores, index + 2 * positions);
    sum3.intoArray(scores, index + 3 * positions);
  }

  /// Scores of one head against `L` positions.
  static void scores1(
      MemorySegment q,
      long qOffset,
      int headDim,
      MemorySegment keys,
      long keyOffset,
      int positions,
      float[] scores,
      int index) {
    FloatVector sum = FloatVector.zero(F);
    for (int d = 0; d < headDim; d++) {
      FloatVector key = load(keys, keyOffset + (long) d * positions * 4);
      sum = FloatVector.broadcast(F, q.get(Layouts.FLOAT, qOffset + d * 4L)).fma(key, sum);
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
      MemorySegment output,
      long outOffset) {
    long head = valueStride * 4L;
    FloatVector out0 = load(output, outOffset);
    FloatVector out1 = load(output, outOffset + head);
    FloatVector out2 = load(output, outOffset + 2 * head);
    FloatVector out3 = load(output, outOffset + 3 * head);
    int index1 = index + tilePositions;
    int index2 = index1 + tilePositions;
    int index3 = index2 + tilePositions;
    int p = 0;
    for (; p < positions - 1; p += 2) {
      FloatVector value0 = load(values, valueOffset + p * head);
      FloatVector value1 = load(values, valueOffset + p * head + head);
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
      FloatVector value = load(values, valueOffset + p * head);
      out0 = FloatVector.broadcast(F, weights[index + p]).fma(value, out0);
      out1 = FloatVector.broadcast(F, weights[index1 + p]).fma(value, out1);
      out2 = FloatVector.broadcast(F, weights[index2 + p]).fma(value, out2);
      out3 = FloatVector.broadcast(F, weights[index3 + p]).fma(value, out3);
    }
    out0.intoMemorySegment(output, outOffset, LE);
    out1.intoMemorySegment(output, outOffset + head, LE);
    out2.intoMemorySegment(output, outOffset + 2 * head, LE);
    out3.intoMemorySegment(output, outOffset + 3 * head, LE);
  }

  /// Adds the tile's weighted values to the output of one head, `L` of its elements.
  static void addValues1(
      float[] weights,
      int index,
      int positions,
      MemorySegment values,
      long valueOffset,
      int valueStride,
      MemorySegment output,
      long outOffset) {
    FloatVector out = load(output, outOffset);
    for (int p = 0; p < positions; p++) {
      FloatVector value = load(values, valueOffset + p * (valueStride * 4L));
      out = FloatVector.broadcast(F, weights[index + p]).fma(value, out);
    }
    out.intoMemorySegment(output, outOffset, LE);
  }

  static void scale(MemorySegment output, long offset, int size, float factor) {
    for (int i = 0; i < size; i += L) {
      load(output, offset + i * 4L).mul(factor).intoMemorySegment(output, offset + i * 4L, LE);
    }
  }
}
