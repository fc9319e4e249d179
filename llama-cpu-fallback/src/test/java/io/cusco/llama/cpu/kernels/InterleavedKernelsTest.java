package io.cusco.llama.cpu.kernels;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.data.Offset.offset;

import io.cusco.llama.checkpoint.BlockFormats;
import io.cusco.llama.checkpoint.DType;
import io.cusco.llama.memory.NativeMemory;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// Both implementations of products with interleaved weights against the reference decoder's
/// weights.
class InterleavedKernelsTest {
  private static final long SEED = 20261122;
  private static final int ROWS = 96;

  /// Sums of up to 2080 products of numbers around one, relative to the largest sum.
  private static final float TOLERANCE = 2e-5f;

  private final Arena arena = Arena.ofShared();
  private final Random random = new Random(SEED);
  private final float[] scratch = new float[Kernels.GEMV_SCRATCH];
  private final Kernels[] implementations = {new ScalarKernels(), new VectorKernels()};

  @AfterEach
  void free() {
    arena.close();
  }

  private Matrix matrix(int columns) {
    byte[] bytes = new byte[Math.toIntExact(DType.Q8_0.numBytes((long) ROWS * columns))];
    RandomBlocks.fill(DType.Q8_0, bytes, random);
    MemorySegment segment = NativeMemory.allocateZeroed(bytes.length, arena);
    segment.copyFrom(MemorySegment.ofArray(bytes));
    return new Matrix(DType.Q8_0, segment, ROWS, columns, DType.Q8_0.numBytes(columns));
  }

  private InterleavedMatrix interleaved(Matrix matrix) {
    long numBytes = InterleavedMatrix.numBytes(matrix);
    InterleavedMatrix copy =
        new InterleavedMatrix(matrix, NativeMemory.allocateZeroed(numBytes, arena));
    copy.fill(3, copy.numGroups());
    copy.fill(0, 3);
    return copy;
  }

  private static float[] decoded(Matrix matrix) {
    float[] wide = new float[matrix.rows() * matrix.columns()];
    BlockFormats.dequantize(matrix.type(), matrix.segment(), 0, wide, 0, wide.length);
    return wide;
  }

  private float[] randomArray(int count) {
    float[] floats = new float[count];
    for (int i = 0; i < count; i++) {
      floats[i] = (float) random.nextGaussian();
    }
    return floats;
  }

  private MemorySegment offHeap(float[] values) {
    MemorySegment segment = NativeMemory.allocateZeroed(values.length * 4L, arena);
    segment.copyFrom(MemorySegment.ofArray(values));
    return segment;
  }

  private static void assertClose(String what, float[] actual, double[] expected) {
    double largest = 0;
    for (double value : expected) {
      largest = Math.max(largest, Math.abs(value));
    }
    for (int i = 0; i < expected.length; i++) {
      assertThat((double) actual[i])
          .as("%s, seed %d, element %d", what, SEED, i)
          .isCloseTo(expected[i], offset(TOLERANCE * largest));
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {32, 96, 1024, 2080})
  void oneTokenMultipliesLikeTheDecodedRows(int columns) {
    Matrix matrix = matrix(columns);
    InterleavedMatrix interleaved = interleaved(matrix);
    float[] wide = decoded(matrix);
    float[] x = randomArray(columns);
    float[] before = randomArray(ROWS);
    for (boolean add : new boolean[] {false, true}) {
      double[] expected = new double[ROWS];
      for (int row = 0; row < ROWS; row++) {
        boolean computed = row >= 16 && row < 80;
        expected[row] = add || !computed ? before[row] : 0;
        for (int k = 0; computed && k < columns; k++) {
          expected[row] += (double) wide[row * columns + k] * x[k];
        }
      }
      for (Kernels kernels : implementations) {
        MemorySegment out = offHeap(before);
        kernels.gemvInterleaved(interleaved, 16, 80, offHeap(x), out, add, scratch);
        String what = "%s, %d columns, add %s".formatted(kernels.description(), columns, add);
        assertClose(what, out.toArray(ValueLayout.JAVA_FLOAT), expected);
      }
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 4, 5, 8, 9, 12, 13, 17, 23, 32})
  void tokensMultiplyLikeTheDecodedRows(int tokens) {
    int columns = 1376;
    Matrix matrix = matrix(columns);
    InterleavedMatrix interleaved = interleaved(matrix);
    float[] wide = decoded(matrix);
    int padded = tokens + Kernels.TILE_ROWS;
    float[] x = randomArray(3 + padded * Kernels.WIDE_STRIDE);
    int stride = 45;
    for (int column : new int[] {0, 32, 1056}) {
      int count = Math.min(320, columns - column);
      double[] expected = new double[tokens * InterleavedMatrix.PAIR];
      for (int i = 0; i < expected.length; i++) {
        int token = i / InterleavedMatrix.PAIR;
        int row = 32 + i % InterleavedMatrix.PAIR;
        expected[i] = 0.5;
        for (int k = 0; k < count; k++) {
          expected[i] +=
              (double) wide[row * columns + column + k] * x[3 + token * Kernels.WIDE_STRIDE + k];
        }
      }
      for (Kernels kernels : implementations) {
        float[] c = new float[5 + padded * stride];
        java.util.Arrays.fill(c, 0.5f);
        kernels.multiplyInterleaved(
            interleaved, 32, column, count, x, 3, tokens, c, 5, stride, scratch);
        float[] actual = new float[expected.length];
        for (int i = 0; i < actual.length; i++) {
          int token = i / InterleavedMatrix.PAIR;
          actual[i] = c[5 + token * stride + i % InterleavedMatrix.PAIR];
        }
        String what = "%s, %d tokens from %d".formatted(kernels.description(), tokens, column);
        assertClose(what, actual, expected);
        for (int token = 0; token < tokens; token++) {
          assertThat(c[5 + token * stride + stride - 1]).as("between tokens").isEqualTo(0.5f);
        }
      }
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {32, 96, 1024})
  void panelsHaveTheDecodedWeights(int count) {
    int columns = 1376;
    Matrix matrix = matrix(columns);
    InterleavedMatrix interleaved = interleaved(matrix);
    float[] wide = decoded(matrix);
    for (Kernels kernels : implementations) {
      int width = kernels.panelVectors() * kernels.lanes();
      MemorySegment panels =
          NativeMemory.allocateZeroed(
              64 + (long) InterleavedMatrix.PAIR * count * Float.BYTES, arena);
      kernels.widenInterleaved(interleaved, 64, 352, count, panels, 64, scratch);
      for (int r = 0; r < InterleavedMatrix.PAIR; r++) {
        for (int k = 0; k < count; k++) {
          long index = 16 + (r / width * (long) count + k) * width + r % width;
          assertThat(panels.getAtIndex(ValueLayout.JAVA_FLOAT, index))
              .as("%s, seed %d, row %d, column %d", kernels.description(), SEED, r, k)
              .isEqualTo(wide[(64 + r) * columns + 352 + k]);
        }
      }
    }
  }

  @Test
  void onlyWholePairsOfGroupsOfQ8_0AreTaken() {
    Matrix matrix = matrix(64);
    Matrix odd = new Matrix(DType.Q8_0, matrix.segment(), ROWS - 16, 64, DType.Q8_0.numBytes(64));
    assertThat(InterleavedMatrix.takes(matrix)).isTrue();
    assertThat(InterleavedMatrix.takes(odd)).isFalse();
    MemorySegment memory = NativeMemory.allocateZeroed(80 * 68L, arena);
    assertThatThrownBy(() -> new InterleavedMatrix(odd, memory))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("[80, 64]")
        .hasMessageContaining("multiple of 32");
  }
}
