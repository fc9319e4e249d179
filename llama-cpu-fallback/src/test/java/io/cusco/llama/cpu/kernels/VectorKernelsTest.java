package io.cusco.llama.cpu.kernels;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.data.Offset.offset;

import io.cusco.llama.checkpoint.BlockFormats;
import io.cusco.llama.checkpoint.DType;
import io.cusco.llama.memory.NativeMemory;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/// Each vector kernel against its scalar twin, at sizes that leave tails: products of weights,
/// norms.
class VectorKernelsTest extends KernelTwins {
  @ParameterizedTest
  @EnumSource(DType.class)
  void widenGivesTheReferenceDecodersFloats(DType type) {
    int count = type.isFloat() ? 1037 : 1280;
    MemorySegment weights = randomBlocks(type, count);
    float[] expected = new float[count];
    BlockFormats.dequantize(type, weights, 0, expected, 0, count);
    float[] actual = new float[count + 3];
    vector.widen(type, weights, 0, count, actual, 3);
    float largest = 0;
    for (float value : expected) {
      largest = Math.max(largest, Math.abs(value));
    }
    for (int i = 0; i < count; i++) {
      // a fused multiply-add rounds once where the decoder rounds twice
      assertThat(actual[3 + i])
          .as("%s, seed %d, weight %d", type, SEED, i)
          .isCloseTo(expected[i], offset(1e-6f * largest));
    }
  }

  @Test
  void halfPrecisionWidensExactlyForEveryBitPattern() {
    MemorySegment weights = arena.allocate(65536 * 2L, 64);
    for (int bits = 0; bits < 65536; bits++) {
      weights.setAtIndex(ValueLayout.JAVA_SHORT, bits, (short) bits);
    }
    float[] wide = new float[65536];
    vector.widen(DType.F16, weights, 0, 65536, wide, 0);
    for (int bits = 0; bits < 65536; bits++) {
      float expected = Float.float16ToFloat((short) bits);
      // As bits: zeros keep their sign. All NaNs are one.
      assertThat(Float.floatToIntBits(wide[bits]))
          .as("float16 bits %x: %s", bits, wide[bits])
          .isEqualTo(Float.floatToIntBits(expected));
    }
  }

  @ParameterizedTest
  @EnumSource(DType.class)
  void gemvMatchesTheScalarTwin(DType type) {
    for (int columns : type.isFloat() ? new int[] {1, 13, 207, 1300} : new int[] {256, 1280}) {
      int rows = 5;
      Matrix matrix =
          new Matrix(
              type, randomBlocks(type, rows * columns), rows, columns, type.numBytes(columns));
      MemorySegment x = randomFloats(columns);
      float[] scratch = new float[Kernels.GEMV_SCRATCH];
      MemorySegment expected = randomFloats(rows);
      MemorySegment actual = NativeMemory.allocateZeroed(rows * 4L, arena);
      actual.copyFrom(expected);
      scalar.gemv(matrix, 1, rows, x, 0, expected, 0, true, scratch);
      vector.gemv(matrix, 1, rows, x, 0, actual, 0, true, scratch);
      assertClose(type + " x " + columns, actual, expected, 2e-5f);
    }
  }

  @ParameterizedTest
  @EnumSource(DType.class)
  void rowsTimesTokensMatchTheScalarTwin(DType type) {
    for (int columns : type.isFloat() ? new int[] {13, 96, 1312} : new int[] {256, 1280}) {
      for (int tokens : new int[] {2, 3, 4, 7, 13, 16}) {
        int rows = 71; // more than a group of rows of any type, and no multiple of a tile
        Matrix matrix =
            new Matrix(
                type, randomBlocks(type, rows * columns), rows, columns, type.numBytes(columns));
        int stride = columns + 3;
        MemorySegment x = randomFloats(tokens * stride);
        float[] expected = new float[tokens * 80];
        float[] actual = new float[tokens * 80];
        float[] scratch = new float[Kernels.GEMV_SCRATCH];
        scalar.multiplyRows(matrix, 2, rows, x, stride * 4L, tokens, expected, 80, scratch);
        vector.multiplyRows(matrix, 2, rows, x, stride * 4L, tokens, actual, 80, scratch);
        assertClose(
            "%s x %d x %d tokens".formatted(type, columns, tokens),
            MemorySegment.ofArray(actual),
            MemorySegment.ofArray(expected),
            2e-5f);
      }
    }
  }

  @Test
  void rowsAreMultipliedInPlaceAt512Bits() {
    for (DType type : new DType[] {DType.Q8_0, DType.Q4_0, DType.BF16}) {
      Matrix matrix = new Matrix(type, randomBlocks(type, 256), 1, 256, type.numBytes(256));
      assertThat(vector.multipliesRows(matrix, 8)).as("%s", type).isEqualTo(vector.lanes() == 16);
      assertThat(vector.multipliesRows(matrix, 17)).as("%s", type).isFalse();
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 37, 512})
  void panelTilesMultiply(int count) {
    float[] w = randomArray(2 + Kernels.TILE_ROWS * Kernels.WIDE_STRIDE);
    for (int vectors = 1; vectors <= vector.panelVectors(); vectors++) {
      int tokens = vectors * vector.lanes();
      MemorySegment x = randomFloats(3 + count * tokens);
      float[] c = new float[3 + Kernels.TILE_ROWS * tokens];
      Arrays.fill(c, 0.5f);
      vector.multiplyPanel(w, 2, x, 12, vectors, count, c, 3);
      for (int row = 0; row < Kernels.TILE_ROWS; row++) {
        for (int token = 0; token < tokens; token++) {
          double expected = 0.5;
          for (int k = 0; k < count; k++) {
            expected +=
                w[2 + row * Kernels.WIDE_STRIDE + k]
                    * x.getAtIndex(ValueLayout.JAVA_FLOAT, 3 + (long) k * tokens + token);
          }
          assertThat((double) c[3 + row * tokens + token])
              .as("seed %d, %d vectors: row %d, token %d", SEED, vectors, row, token)
              .isCloseTo(expected, offset(2e-6 * count + 1e-5));
        }
      }
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 37, 512})
  void aPanelTileThatReadsAheadGivesTheSameBits(int count) {
    float[] w = randomArray(2 + Kernels.TILE_ROWS * Kernels.WIDE_STRIDE);
    MemorySegment x = randomFloats(3 + count * vector.lanes());
    for (Kernels kernels : new Kernels[] {scalar, vector}) {
      float[] expected = new float[3 + Kernels.TILE_ROWS * kernels.lanes()];
      Arrays.fill(expected, 0.5f);
      float[] actual = expected.clone();
      kernels.multiplyPanel(w, 2, x, 12, 1, count, expected, 3);
      for (long nextBytes : new long[] {1, 3L * count, x.byteSize()}) {
        float[] c = actual.clone();
        int ignored =
            kernels.multiplyPanelAhead(
                w, 2, x, 12, count, c, 3, x, x.byteSize() - nextBytes, nextBytes);
        assertThat(c).as("seed %d, %d bytes ahead", SEED, nextBytes).isEqualTo(expected);
      }
    }
  }

  @Test
  void aPanelTileDoesNotReadBeyondWhatIsNext() {
    float[] w = randomArray(Kernels.TILE_ROWS * Kernels.WIDE_STRIDE);
    MemorySegment x = randomFloats(16 * vector.lanes());
    float[] c = new float[Kernels.TILE_ROWS * vector.lanes()];
    assertThatThrownBy(
            () -> vector.multiplyPanelAhead(w, 0, x, 0, 16, c, 0, x, x.byteSize() - 63, 64))
        .isInstanceOf(IndexOutOfBoundsException.class);
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 13, 32, 207})
  void gatherMakesAColumnARow(int count) {
    float[] from = randomArray(5 + 64 * count);
    for (int step : new int[] {1, vector.lanes(), 64}) {
      int[] multiples = new int[vector.lanes() + 1];
      Arrays.setAll(multiples, i -> i * step);
      float[] actual = new float[count + 3];
      vector.gather(from, 5, multiples, count, actual, 3);
      float[] expected = new float[count + 3];
      scalar.gather(from, 5, multiples, count, expected, 3);
      assertThat(actual).as("seed %d, step %d", SEED, step).isEqualTo(expected);
      for (int i = 0; i < count; i++) {
        assertThat(actual[3 + i]).isEqualTo(from[5 + i * step]);
      }
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 37, 512})
  void tokenTilesMatchTheScalarTwin(int count) {
    int stride = 515;
    float[] w = randomArray(2 + Kernels.TILE_ROWS * Kernels.WIDE_STRIDE);
    MemorySegment x = randomFloats(2 * stride);
    for (int tokens = 1; tokens <= vector.panelVectors(); tokens++) {
      float[] expected = tokenTile(scalar, w, x, stride, tokens, count);
      float[] actual = tokenTile(vector, w, x, stride, tokens, count);
      assertThat(actual)
          .as("seed %d, %d tokens", SEED, tokens)
          .containsExactly(expected, offset(2e-6f * count + 1e-5f));
    }
  }

  /// `[row][token]`, added to 0.5 in every lane.
  private static float[] tokenTile(
      Kernels kernels, float[] w, MemorySegment x, int stride, int tokens, int count) {
    float[] c = new float[1 + Kernels.TILE_ROWS * tokens * kernels.lanes()];
    Arrays.fill(c, 0.5f / kernels.lanes());
    kernels.multiplyTokens(w, 2, x, 4, stride * 4L, tokens, count, c, 1);
    float[] sums = new float[Kernels.TILE_ROWS * tokens];
    for (int i = 0; i < sums.length; i++) {
      sums[i] = kernels.sumLanes(c, 1 + i * kernels.lanes());
    }
    return sums;
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 13, 54, 207, 256})
  void rmsNormMatchesTheScalarTwin(int size) {
    MemorySegment x = randomFloats(size);
    MemorySegment weight = randomFloats(size);
    MemorySegment expected = randomFloats(size);
    MemorySegment actual = randomFloats(size);
    scalar.rmsNorm(x, 0, weight, 1e-5f, size, expected, 0);
    vector.rmsNorm(x, 0, weight, 1e-5f, size, actual, 0);
    assertClose("norm of " + size, actual, expected, 1e-6f);
  }

  @Test
  void siluMulMatchesTheScalarTwinFarBeyondUsualInputs() {
    int size = 207;
    MemorySegment gate = randomFloats(size);
    MemorySegment up = randomFloats(size);
    float[] extremes = {0, -0f, 1e-8f, -1e-8f, 30, -30, 80, -80, 200, -200, 1e30f, -1e30f};
    for (int i = 0; i < extremes.length; i++) {
      gate.setAtIndex(ValueLayout.JAVA_FLOAT, i, extremes[i]);
    }
    MemorySegment expected = NativeMemory.allocateZeroed(size * 4L, arena);
    expected.copyFrom(gate);
    scalar.siluMul(expected, 0, up, 0, size);
    vector.siluMul(gate, 0, up, 0, size);
    for (int i = 0; i < size; i++) {
      float want = expected.getAtIndex(ValueLayout.JAVA_FLOAT, i);
      float got = gate.getAtIndex(ValueLayout.JAVA_FLOAT, i);
      assertThat(got).as("element %d", i).isCloseTo(want, offset(1e-6f + 1e-6f * Math.abs(want)));
    }
  }
}
