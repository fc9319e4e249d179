package io.cusco.llama.cpu.kernels;

import static io.cusco.llama.cpu.kernels.Lanes.F;
import static io.cusco.llama.cpu.kernels.Lanes.L;
import static io.cusco.llama.cpu.kernels.Lanes.LE;
import static io.cusco.llama.memory.OpenMemory.MEMORY;

import io.cusco.llama.checkpoint.DType;
import io.cusco.llama.memory.OpenMemory;
import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;

/// The arithmetic with the Vector API, at whatever width the machine has.
public final class VectorKernels implements Kernels {
  /// Twenty-four sums fit the 32 registers of AVX-512 and NEON, twelve the 16 registers of AVX2.
  private static final int PANEL_VECTORS = L == 8 ? 1 : 2;

  /// Creates the kernels; they hold no state.
  public VectorKernels() {}

  private static FloatVector load(long address) {
    return FloatVector.fromMemorySegment(F, MEMORY, address, LE);
  }

  @Override
  public String description() {
    return F.vectorBitSize() + "-bit vectors";
  }

  @Override
  public int lanes() {
    return L;
  }

  @Override
  public int panelVectors() {
    return PANEL_VECTORS;
  }

  @Override
  public void widen(
      DType type, MemorySegment weights, long offset, int count, float[] out, int outIndex) {
    if (Lanes.HAS_BYTE_LANES || type.isFloat()) {
      VectorWidening.widen(type, weights, offset, count, out, outIndex);
    } else if (L == 4 && type == DType.Q8_0) {
      VectorWidening.widenQ8_0Quarter(weights, offset, count, out, outIndex);
    } else {
      Widening.widen(type, weights, offset, count, out, outIndex);
    }
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
      float dot = dotRow(w, w.rowOffset(row), x, xOffset, scratch);
      long at = outOffset + row * 4L;
      out.set(Layouts.FLOAT, at, add ? out.get(Layouts.FLOAT, at) + dot : dot);
    }
  }

  private float dotRow(Matrix w, long wOffset, MemorySegment x, long xOffset, float[] scratch) {
    MemorySegment weights = w.segment();
    int count = w.columns();
    return switch (w.type()) {
      case F32 -> VectorGemv.dotF32(weights, wOffset, x, xOffset, count);
      case F16 -> VectorGemv.dotF16(weights, wOffset, x, xOffset, count);
      case BF16 -> VectorGemv.dotBf16(weights, wOffset, x, xOffset, count);
      case Q8_0 -> {
        if (L == 16) {
          yield VectorGemv.dotQ8_0Wide(weights, wOffset, x, xOffset, count);
        }
        if (L == 8) {
          yield VectorGemv.dotQ8_0Narrow(weights, wOffset, x, xOffset, count);
        }
        if (L == 4) {
          yield VectorGemv.dotQ8_0Quarter(weights, wOffset, x, xOffset, count);
        }
        yield dotWidened(w, wOffset, x, xOffset, scratch);
      }
      case Q4_0, Q4_1, Q5_0, Q5_1, Q2_K, Q3_K, Q4_K, Q5_K, Q6_K, IQ4_NL, IQ4_XS ->
          dotWidened(w, wOffset, x, xOffset, scratch);
    };
  }

  /// Widens a piece of the row into the first-level cache and multiplies it from there.
  private float dotWidened(Matrix w, long wOffset, MemorySegment x, long xOffset, float[] scratch) {
    float dot = 0;
    for (int column = 0; column < w.columns(); column += GEMV_SCRATCH) {
      int count = Math.min(GEMV_SCRATCH, w.columns() - column);
      widen(w.type(), w.segment(), wOffset + w.type().numBytes(column), count, scratch, 0);
      dot += VectorGemv.dot(scratch, 0, x, xOffset + column * 4L, count);
    }
    return dot;
  }

  @Override
  public boolean multipliesRows(Matrix w, int tokens) {
    return VectorRows.takes(w, tokens);
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
    if (multipliesRows(w, tokens)) {
      VectorRows.multiply(w, rowStart, rowEnd, x, xStride, tokens, out, outStride, scratch);
      return;
    }
    for (int row = rowStart; row < rowEnd; row++) {
      for (int token = 0; token < tokens; token++) {
        out[token * outStride + row - rowStart] =
            dotRow(w, w.rowOffset(row), x, token * xStride, scratch);
      }
    }
  }

  @Override
  public boolean decodesFasterFromCopy(DType type) {
    return switch (type) {
      case Q4_0, Q4_1, Q5_0, Q5_1, Q4_K, Q5_K, Q6_K -> true;
      case F32, F16, BF16, Q8_0, Q2_K, Q3_K, IQ4_NL, IQ4_XS -> false;
    };
  }

  @Override
  public void quantize(MemorySegment x, long xOffset, int columns, QuantizedActivations out) {
    VectorPacked.quantize(x, xOffset, columns, out);
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
    for (int group = groupStart; group < groupEnd; group++) {
      VectorPacked.group(w, group, x, scratch);
      storeGroup(scratch, out, group * PackedMatrix.GROUP, add);
    }
  }

  @Override
  public boolean interleaves(Matrix w) {
    return L == 16 && InterleavedMatrix.takes(w); // few tokens would lose at narrower ones
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
    if (L != 16) {
      ScalarInterleaved.multiplyOne(w, rowStart, rowEnd, x, out, add);
      return;
    }
    for (int row = rowStart; row < rowEnd; row += InterleavedMatrix.GROUP) {
      VectorInterleaved.group(w, row / InterleavedMatrix.GROUP, x, scratch);
      storeGroup(scratch, out, row, add);
    }
  }

  /// Sums of sixteen rows.
  private static void storeGroup(float[] sums, MemorySegment out, int firstRow, boolean add) {
    int rows = PackedMatrix.GROUP;
    long at = OpenMemory.address(out, firstRow * 4L, rows * 4L);
    for (int row = 0; row < rows; row += L) {
      FloatVector v = FloatVector.fromArray(F, sums, row);
      FloatVector result = add ? v.add(load(at + row * 4L)) : v;
      result.intoMemorySegment(MEMORY, at + row * 4L, LE);
    }
  }

  @Override
  public boolean multipliesInterleaved(int tokens) {
    return L == 16 && tokens <= VectorInterleaved.MAX_TILED_TOKENS;
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
    if (L == 16) {
      VectorInterleaved.multiply(
          w, row, column, count, x, xIndex, tokens, c, cIndex, cStride, scratch);
    } else {
      ScalarInterleaved.multiply(w, row, column, count, x, xIndex, tokens, c, cIndex, cStride);
    }
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
    if (L == 16) {
      VectorInterleaved.widen(w, row, column, count, panels, offset, scratch);
    } else {
      ScalarInterleaved.widen(w, row, column, count, PANEL_VECTORS * L, panels, offset);
    }
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
    if (vectors == 2) {
      VectorGemm.tokens12x2(w, wIndex, x, xOffset, count, c, cIndex);
    } else {
      VectorGemm.tokens12x1(w, wIndex, x, xOffset, count, c, cIndex);
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
    long ahead = OpenMemory.address(next, nextOffset, nextBytes);
    long step = nextBytes / count;
    return VectorGemm.tokens12x1Ahead(w, wIndex, x, xOffset, count, c, cIndex, ahead, step);
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
    int whole = count / L * L;
    if (tokens == 2) {
      VectorGemm.columns12x2(w, wIndex, x, xOffset, xStride, whole, c, cIndex);
    } else {
      VectorGemm.columns12x1(w, wIndex, x, xOffset, whole, c, cIndex);
    }
    for (int k = whole; k < count; k++) {
      for (int row = 0; row < TILE_ROWS; row++) {
        for (int token = 0; token < tokens; token++) {
          c[cIndex + (row * tokens + token) * L + k - whole] +=
              w[wIndex + row * WIDE_STRIDE + k]
                  * x.get(Layouts.FLOAT, xOffset + token * xStride + k * 4L);
        }
      }
    }
  }

  /// NEON has no such load, and the API's substitute for it is slower than single floats.
  @Override
  public void gather(
      float[] from, int fromIndex, int[] multiples, int count, float[] to, int toIndex) {
    int i = 0;
    if (L > 4) {
      int step = multiples[L];
      for (int at = fromIndex; i <= count - L; i += L, at += step) {
        FloatVector.fromArray(F, from, at, multiples, 0).intoArray(to, toIndex + i);
      }
    }
    for (; i < count; i++) {
      to[toIndex + i] = from[fromIndex + i * multiples[1]];
    }
  }

  @Override
  public float sumLanes(float[] c, int index) {
    return Lanes.sum(FloatVector.fromArray(F, c, index));
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
    float sumOfSquares = VectorGemv.dotF32(x, xOffset, x, xOffset, size);
    float scale = (float) (1 / Math.sqrt(sumOfSquares / size + eps));
    long from = OpenMemory.address(x, xOffset, size * 4L);
    long weights = OpenMemory.address(weight, 0, size * 4L);
    long to = OpenMemory.address(out, outOffset, size * 4L);
    int i = 0;
    for (; i <= size - L; i += L) {
      FloatVector value = load(from + i * 4L).mul(scale).mul(load(weights + i * 4L));
      value.intoMemorySegment(MEMORY, to + i * 4L, LE);
    }
    for (; i < size; i++) {
      float value = MEMORY.get(Layouts.FLOAT, from + i * 4L) * scale;
      MEMORY.set(Layouts.FLOAT, to + i * 4L, value * MEMORY.get(Layouts.FLOAT, weights + i * 4L));
    }
  }

  @Override
  public void siluMul(
      MemorySegment gate, long gateOffset, MemorySegment up, long upOffset, int size) {
    long gates = OpenMemory.address(gate, gateOffset, size * 4L);
    long ups = OpenMemory.address(up, upOffset, size * 4L);
    int i = 0;
    for (; i <= size - L; i += L) {
      FloatVector g = load(gates + i * 4L);
      FloatVector e = VectorMath.exp(g.lanewise(VectorOperators.NEG));
      FloatVector value = g.div(e.add(1f)).mul(load(ups + i * 4L));
      value.intoMemorySegment(MEMORY, gates + i * 4L, LE);
    }
    for (; i < size; i++) {
      float g = MEMORY.get(Layouts.FLOAT, gates + i * 4L);
      float silu = (float) (g / (1 + Math.exp(-g)));
      MEMORY.set(Layouts.FLOAT, gates + i * 4L, silu * MEMORY.get(Layouts.FLOAT, ups + i * 4L));
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
      long fromRow = fromOffset + row * fromStep;
      long toRow = toOffset + row * toStep;
      if (half) {
        VectorAttention.widen(from, fromRow, columns, to, toRow);
      } else {
        MemorySegment.copy(from, fromRow, to, toRow, columns * 4L);
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
    for (int p = 0; p < visible; p += width) {
      int from = index + p / width * panelStep;
      float panelMaximum = VectorAttention.maximum(scores, from, Math.min(width, visible - p));
      newMaximum = Math.max(newMaximum, panelMaximum * scale);
    }
    float newSum = 0;
    for (int p = 0; p < positions; p += width) {
      int from = index + p / width * panelStep;
      newSum +=
          VectorAttention.weights(
              scores, from, width, scale, newMaximum, visible - p, weights, at + p);
    }
    float rescale = (float) Math.exp(maximum[row] - newMaximum);
    maximum[row] = newMaximum;
    sum[row] = sum[row] * rescale + newSum;
    return rescale;
  }

  @Override
  public void attendTile(
      KvTile tile, long keyOffset, long valueOffset, int positions, AttentionState state) {
    VectorAttention.attend(tile, keyOffset, valueOffset, positions, state);
  }
}
