package io.cusco.llama.cpu.kernels;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.data.Offset.offset;

import io.cusco.llama.memory.NativeMemory;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// The kernels of attention against their scalar twins.
class AttentionKernelsTest extends KernelTwins {
  @ParameterizedTest
  @ValueSource(ints = {1, 2, 3, 4, 5, 8})
  void attentionMatchesTheScalarTwin(int group) {
    for (boolean half : new boolean[] {false, true}) {
      for (int headDim : new int[] {18, 64}) {
        compareAttention(group, headDim, half);
      }
    }
  }

  private void compareAttention(int group, int headDim, boolean half) {
    int lanes = vector.lanes();
    int blockSize = 16;
    int positions = Math.ceilDiv(blockSize, lanes) * lanes;
    int valueStride = Math.ceilDiv(headDim, lanes) * lanes;
    int blocks = 4;
    KvTile tile =
        new KvTile(
            randomCache(blocks * headDim * positions, half),
            randomCache(blocks * positions * valueStride, half),
            half,
            headDim,
            positions,
            valueStride);
    MemorySegment q = randomFloats(group * headDim);
    int[] visible = {16, 16, 16, 5};
    MemorySegment expected = attend(scalar, tile, q, group, visible);
    MemorySegment actual = attend(vector, tile, q, group, visible);
    assertClose(
        "group %d, headDim %d, half %s".formatted(group, headDim, half), actual, expected, 2e-6f);
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 1, 13, 37, 64, 70})
  void rowWeightsMatchTheScalarTwin(int visible) {
    int width = vector.panelVectors() * vector.lanes();
    int panels = Math.ceilDiv(70, width);
    int panelStep = 3 * width;
    float[] scores = randomArray(5 + panels * panelStep);
    float[][] weights = new float[2][3 + panels * width];
    float[][] maximum = new float[2][2];
    float[][] sum = new float[2][2];
    float[] rescale = new float[2];
    Kernels[] both = {scalar, vector};
    for (int i = 0; i < 2; i++) {
      Arrays.fill(maximum[i], 0.25f);
      Arrays.fill(sum[i], 2);
      rescale[i] =
          both[i].weighRow(
              scores, 5, width, panelStep, 0.7f, visible, 70, maximum[i], sum[i], 1, weights[i], 3);
    }
    assertThat(rescale[1]).isCloseTo(rescale[0], offset(2e-6f));
    assertThat(maximum[1]).containsExactly(maximum[0], offset(2e-6f));
    assertThat(sum[1]).containsExactly(sum[0], offset(1e-4f));
    assertThat(Arrays.copyOf(weights[1], 73))
        .as("seed %d", SEED)
        .containsExactly(Arrays.copyOf(weights[0], 73), offset(2e-6f));
  }

  @Test
  void cacheRowsWidenAsTheScalarTwinDoes() {
    int columns = 2 * vector.lanes();
    for (boolean half : new boolean[] {false, true}) {
      MemorySegment from = randomCache(5 * 3 * columns, half);
      long element = half ? 2 : 4;
      MemorySegment expected = NativeMemory.allocateZeroed(5L * 2 * columns * 4, arena);
      MemorySegment actual = NativeMemory.allocateZeroed(5L * 2 * columns * 4, arena);
      long fromStep = 3L * columns * element;
      scalar.widenRows(from, half, element, fromStep, 5, columns, expected, 8, 8L * columns);
      vector.widenRows(from, half, element, fromStep, 5, columns, actual, 8, 8L * columns);
      assertThat(actual.mismatch(expected)).as("half %s, seed %d", half, SEED).isEqualTo(-1);
    }
  }

  private MemorySegment attend(
      Kernels kernels, KvTile tile, MemorySegment q, int group, int[] visible) {
    AttentionState state =
        new AttentionState(group, tile.headDim(), tile.positions(), tile.valueStride(), arena);
    state.begin(q, 0);
    for (int block = 0; block < visible.length; block++) {
      kernels.attendTile(
          tile, block * tile.keyTileBytes(), block * tile.valueTileBytes(), visible[block], state);
    }
    MemorySegment out = NativeMemory.allocateZeroed(4L * group * tile.headDim(), arena);
    for (int g = 0; g < group; g++) {
      state.writeOutput(g, out, 4L * g * tile.headDim());
    }
    return out;
  }

  private MemorySegment randomCache(int count, boolean half) {
    MemorySegment cache = NativeMemory.allocateZeroed(count * (half ? 2L : 4L), arena);
    for (int i = 0; i < count; i++) {
      float value = (float) random.nextGaussian();
      if (half) {
        cache.setAtIndex(ValueLayout.JAVA_SHORT, i, Float.floatToFloat16(value));
      } else {
        cache.setAtIndex(ValueLayout.JAVA_FLOAT, i, value);
      }
    }
    return cache;
  }
}
