package io.cusco.llama.cpu.kernels;

import io.cusco.llama.checkpoint.DType;
import java.lang.foreign.MemorySegment;

/// The arithmetic written for reading, and for JVMs without the Vector API.
public final class ScalarKernels implements Kernels {
  private static final long F = Float.BYTES;

  /// Creates the kernels; they hold no state.
  public ScalarKernels() {}

  @Override
  public String description() {
    return "scalar";
  }

  @Override
  public int lanes() {
    return 4; // short inner loops over neighbouring tokens that the compiler can unroll
  }

  @Override
  public int panelVectors() {
    return 2;
  }

  @Override
  public void widen(
      DType type, MemorySegment weights, long offset, int count, float[] out, int outIndex) {
    Widening.widen(type, weights, offset, count, out, outIndex);
  }

  @Override
  public void gemv(
      Matrix w,
      int rowStart,
      int rowEnd,
      MemorySegment x,
      long xOffset,
      MemorySegment out,
      long outOffset,
      boolean add,
      float[] scratch) {
    for (int row = rowStart; row < rowEnd; row++) {
      float dot = dotRow(w, row, x, xOffset, scratch);
      long at = outOffset + row * F;
      out.set(Layouts.FLOAT, at, add ? out.get(Layouts.FLOAT, at) + dot : dot);
    }
  }

  private float dotRow(Matrix w, int row, MemorySegment x, long xOffset, float[] scratch) {
    float dot = 0;
    for (int column = 0; column < w.columns(); column += GEMV_SCRATCH) {
      int count = Math.min(GEMV_SCRATCH, w.columns() - column);
      widen(w.type(), w.segment(), w.rowOffset(row) + w.type().numBytes(column), count, scratch, 0);
      dot += dot(scratch, 0, x, xOffset + column * F, count);
    }
    return dot;
  }

  /// Four partial sums, as a vector would keep them: a single running sum over thousands of terms
  /// loses more digits.
  private static float dot(float[] w, int wIndex, MemorySegment x, long xOffset, int count) {
    float sum0 = 0;
    float sum1 = 0;
    float sum2 = 0;
    float sum3 = 0;
    int i = 0;
    for (; i + 3 < count; i += 4) {
      sum0 += w[wIndex + i] * x.get(Layouts.FLOAT, xOffset + i * F);
      sum1 += w[wIndex + i + 1] * x.get(Layouts.FLOAT, xOffset + (i + 1) * F);
      sum2 += w[wIndex + i + 2] * x.get(Layouts.FLOAT, xOffset + (i + 2) * F);
      sum3 += w[wIndex + i + 3] * x.get(Layouts.FLOAT, xOffset + (i + 3) * F);
    }
    for (; i < count; i++) {
      sum0 += w[wIndex + i] * x.get(Layouts.FLOAT, xOffset + i * F);
    }
    return sum0 + sum1 + (sum2 + sum3);
  }

  @Override
  public boolean multipliesRows(Matrix w, int tokens) {
    return false; // decoding weights once for all tokens saves more
  }

  @Override
  public void multiplyRows(
      Matrix w,
      int rowStart,
      int rowEnd,
      MemorySegment x,
      long xStride,
      int tokens,
      float[] out,
      int outStride,
      float[] scratch) {
    for (int row = rowStart; row < rowEnd; row++) {
      for (int token = 0; token < tokens; token++) {
        out[token * outStride + row - rowStart] = dotRow(w, row, x, token * xStride, scratch);
      }
    }
  }

  @Override
  public boolean decodesFasterFromCopy(DType type) {
    return false; // one column at a time, the order makes no difference
  }

  @Override
  public void quantize(MemorySegment x, long xOffset, int columns, QuantizedActivations out) {
    ScalarPacked.quantize(x, xOffset, columns, out);
  }

  @Override
  public void gemvPacked(
      PackedMatrix w,
      int groupStart,
      int groupEnd,
      QuantizedActivations x,
      MemorySegment out,
      boolean add,
      float[] scratch) {
    for (int row = groupStart * PackedMatrix.GROUP; row < groupEnd * PackedMatrix.GROUP; row++) {
      float dot = ScalarPacked.dot(w, row, x);
      out.set(Layouts.FLOAT, row * F, add ? out.get(Layouts.FLOAT, row * F) + dot : dot);
    }
  }

  @Override
  public boolean interleaves(Matrix w) {
    return false; // one column at a time, the order makes no difference
  }

  @Override
  public void gemvInterleaved(
      InterleavedMatrix w,
      int rowStart,
      int rowEnd,
      MemorySegment x,
      MemorySegment out,
      boolean add,
      float[] scratch) {
    ScalarInterleaved.multiplyOne(w, rowStart, rowEnd, x, out, add);
  }

  @Override
  public boolean multipliesInterleaved(int tokens) {
    return false; // widening each weight once for all tokens saves more
  }

  @Override
  public void multiplyInterleaved(
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
      float[] scratch) {
    ScalarInterleaved.multiply(w, row, column, count, x, xIndex, tokens, c, cIndex, cStride);
  }

  @Override
  public void widenInterleaved(
      InterleavedMatrix w,
      int row,
      int column,
      int count,
      MemorySegment panels,
      long offset,
      float[] scratch) {
    int width = panelVectors() * lanes();
    ScalarInterleaved.widen(w, row, column, count, width, panels, offset);
  }

  @Override
  public void multiplyPanel(
      float[] w,
      int wIndex,
      MemorySegment x,
      long xOffset,
      int vectors,
      int count,
      float[] c,
      int cIndex) {
    int tokens = vectors * lanes();
    for (int row = 0; row < TILE_ROWS; row++) {
      for (int k = 0; k < count; k++) {
        float weight = w[wIndex + row * WIDE_STRIDE + k];
        long xRow = xOffset + (long) k * tokens * F;
        for (int token = 0; token < tokens; token++) {
          c[cIndex + row * tokens + token] += weight * x.get(Layouts.FLOAT, xRow + token * F);
        }
      }
    }
  }

  @Override
  public int multiplyPanelAhead(
      float[] w,
      int wIndex,
      MemorySegment x,
      long xOffset,
      int count,
      float[] c,
      int cIndex,
      MemorySegment next,
      long nextOffset,
      long nextBytes) {
    multiplyPanel(w, wIndex, x, xOffset, 1, count, c, cIndex);
    return 0; // one multiplication at a time never waits for memory
  }

  @Override
  public void multiplyTokens(
      float[] w,
      int wIndex,
      MemorySegment x,
      long xOffset,
      long xStride,
      int tokens,
      int count,
      float[] c,
      int cIndex) {
    for (int row = 0; row < TILE_ROWS; row++) {
      for (int token = 0; token < tokens; token++) {
        int sums = cIndex + (row * tokens + token) * lanes();
        for (int k = 0; k < count; k++) {
          c[sums + k % lanes()] +=
              w[wIndex + row * WIDE_STRIDE + k]
                  * x.get(Layouts.FLOAT, xOffset + token * xStride + k * F);
        }
      }
    }
  }

  @Override
  public void gather(
      float[] from, int fromIndex, int[] multiples, int count, float[] to, int toIndex) {
    for (int i = 0; i < count; i++) {
      to[toIndex + i] = from[fromIndex + i * multiples[1]];
    }
  }

  @Override
  public float sumLanes(float[] c, int index) {
    float sum = 0;
    for (int lane = 0; lane < lanes(); lane++) {
      sum += c[index + lane];
    }
    return sum;
  }

  @Override
  public void rmsNorm(
      MemorySegment x,
      long xOffset,
      MemorySegment weight,
      float eps,
      int size,
      MemorySegment out,
      long outOffset) {
    double sumOfSquares = 0;
    for (int i = 0; i < size; i++) {
      float value = x.get(Layouts.FLOAT, xOffset + i * F);
      sumOfSquares += (double) value * value;
    }
    float scale = (float) (1 / Math.sqrt(sumOfSquares / size + eps));
    for (int i = 0; i < size; i++) {
      float value = x.get(Layouts.FLOAT, xOffset + i * F) * scale;
      out.set(Layouts.FLOAT, outOffset + i * F, value * weight.get(Layouts.FLOAT, i * F));
    }
  }

  @Override
  public void siluMul(
      MemorySegment gate, long gateOffset, MemorySegment up, long upOffset, int size) {
    for (int i = 0; i < size; i++) {
      float g = gate.get(Layouts.FLOAT, gateOffset + i * F);
      float silu = (float) (g / (1 + Math.exp(-g)));
      gate.set(Layouts.FLOAT, gateOffset + i * F, silu * up.get(Layouts.FLOAT, upOffset + i * F));
    }
  }

  @Override
  public void attendTile(
      KvTile tile, long keyOffset, long valueOffset, int positions, AttentionState state) {
    for (int g = 0; g < state.group; g++) {
      int at = g * state.positions;
      float maximum = state.maximum[g];
      for (int p = 0; p < positions; p++) {
        float score = 0;
        for (int d = 0; d < tile.headDim(); d++) {
          score +=
              state.query[g * tile.headDim() + d]
                  * element(tile.keys(), keyOffset, d * tile.positions() + p, tile.half());
        }
        state.weights[at + p] = score * state.scale;
        maximum = Math.max(maximum, score * state.scale);
      }
      float rescale = (float) Math.exp(state.maximum[g] - maximum);
      float sum = state.sum[g] * rescale;
      for (int p = 0; p < positions; p++) {
        float weight = (float) Math.exp(state.weights[at + p] - maximum);
        state.weights[at + p] = weight;
        sum += weight;
      }
      for (int d = 0; d < tile.headDim(); d++) {
        int outAt = g * state.valueStride + d;
        float value = state.output[outAt] * rescale;
        for (int p = 0; p < positions; p++) {
          value +=
              state.weights[at + p]
                  * element(tile.values(), valueOffset, p * tile.valueStride() + d, tile.half());
        }
        state.output[outAt] = value;
      }
      state.maximum[g] = maximum;
      state.sum[g] = sum;
    }
  }

  @Override
  public void widenRows(
      MemorySegment from,
      boolean half,
      long fromOffset,
      long fromStep,
      int rows,
      int columns,
      MemorySegment to,
      long toOffset,
      long toStep) {
    for (int row = 0; row < rows; row++) {
      for (int i = 0; i < columns; i++) {
        float value = element(from, fromOffset + row * fromStep, i, half);
        to.set(Layouts.FLOAT, toOffset + row * toStep + i * F, value);
      }
    }
  }

  @Override
  public float weighRow(
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
      int at) {
    float newMaximum = maximum[row];
    for (int p = 0; p < visible; p++) {
      weights[at + p] = scores[index + p / width * panelStep + p % width] * scale;
      newMaximum = Math.max(newMaximum, weights[at + p]);
    }
    float newSum = 0;
    for (int p = 0; p < visible; p++) {
      weights[at + p] = (float) Math.exp(weights[at + p] - newMaximum);
      newSum += weights[at + p];
    }
    for (int p = visible; p < positions; p++) {
      weights[at + p] = 0;
    }
    float rescale = (float) Math.exp(maximum[row] - newMaximum);
    maximum[row] = newMaximum;
    sum[row] = sum[row] * rescale + newSum;
    return rescale;
  }

  private static float element(MemorySegment segment, long offset, int index, boolean half) {
    return half
        ? Float.float16ToFloat(segment.get(Layouts.SHORT, offset + index * (long) Short.BYTES))
        : segment.get(Layouts.FLOAT, offset + index * F);
  }
}
