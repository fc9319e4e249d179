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
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/// Each vector kernel against its scalar twin, at sizes that leave tails.
class VectorKernelsTest {
  private static final long SEED = 20261121;

  private final Arena arena = Arena.ofShared();
  private final Random random = new Random(SEED);
  private final Kernels scalar = new ScalarKernels();
  private final Kernels vector = new VectorKernels();

  @AfterEach
  void free() {
    arena.close();
  }

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
  @MethodSource("reordered")
  void packedGemvMatchesTheScalarTwinAndTheReferenceDecoder(DType type) {
    for (int columns : type.blockSize() == 32 ? new int[] {32, 96, 1376} : new int[] {256, 2304}) {
      int rows = 48;
      Matrix matrix =
          new Matrix(
              type, randomBlocks(type, rows * columns), rows, columns, type.numBytes(columns));
      PackedMatrix packed = new PackedMatrix(matrix, arena);
      packed.fill(0, 1);
      packed.fill(0, 3);
      MemorySegment x = randomFloats(columns);
      QuantizedActivations quantized = new QuantizedActivations(columns);
      MemorySegment expected = randomFloats(rows);
      MemorySegment actual = NativeMemory.allocateZeroed(rows * 4L, arena);
      actual.copyFrom(expected);
      scalar.quantize(x, 0, columns, quantized);
      scalar.gemvPacked(packed, 1, 3, quantized, expected, true, new float[Kernels.GEMV_SCRATCH]);
      assertDotsOfDecodedRows(matrix, quantized, packed);
      vector.quantize(x, 0, columns, quantized);
      vector.gemvPacked(packed, 1, 3, quantized, actual, true, new float[Kernels.GEMV_SCRATCH]);
      assertClose(type + " x " + columns, actual, expected, 2e-5f);
    }
  }

  static List<DType> reordered() {
    return KernelCases.REORDERED;
  }

  /// The copy is exact, so the product with the rounded activations is that of the decoded rows.
  private void assertDotsOfDecodedRows(
      Matrix matrix, QuantizedActivations quantized, PackedMatrix packed) {
    int rows = matrix.rows();
    int columns = matrix.columns();
    float[] wide = new float[rows * columns];
    BlockFormats.dequantize(matrix.type(), matrix.segment(), 0, wide, 0, wide.length);
    MemorySegment expected = NativeMemory.allocateZeroed(rows * 4L, arena);
    for (int row = 0; row < rows; row++) {
      double sum = 0;
      for (int c = 0; c < columns; c++) {
        sum += wide[row * columns + c] * (double) quantized.scales[c / 32] * quantized.value(c);
      }
      expected.setAtIndex(ValueLayout.JAVA_FLOAT, row, (float) sum);
    }
    MemorySegment actual = NativeMemory.allocateZeroed(rows * 4L, arena);
    scalar.gemvPacked(
        packed, 0, rows / 16, quantized, actual, false, new float[Kernels.GEMV_SCRATCH]);
    assertClose(matrix.type() + " decoded x " + columns, actual, expected, 2e-5f);
  }

  @Test
  void packedSumsOfTheLargestNumbersDoNotOverflow() {
    for (DType type : KernelCases.REORDERED) {
      for (int sign = -1; sign <= 1; sign += 2) {
        byte[] ones = new byte[Math.toIntExact(type.numBytes(16 * 256))];
        java.util.Arrays.fill(ones, (byte) (sign < 0 ? 0 : 0xff));
        for (int block = 0; block < ones.length; block += type.blockBytes()) {
          RandomBlocks.putHalf(ones, block + (type == DType.Q6_K ? 208 : 0), 1);
          if (type != DType.Q4_0 && type != DType.Q5_0 && type != DType.Q6_K) {
            RandomBlocks.putHalf(ones, block + 2, 1);
          }
        }
        if (type == DType.Q6_K) {
          for (int block = 0; block < ones.length; block += 210) {
            java.util.Arrays.fill(ones, block + 192, block + 208, (byte) 1);
          }
        }
        MemorySegment blocks = NativeMemory.allocateZeroed(ones.length, arena);
        blocks.copyFrom(MemorySegment.ofArray(ones));
        PackedMatrix packed =
            new PackedMatrix(new Matrix(type, blocks, 16, 256, type.numBytes(256)), arena);
        packed.fill(0, 1);
        MemorySegment x = NativeMemory.allocateZeroed(256 * 4L, arena);
        for (int i = 0; i < 256; i++) {
          x.setAtIndex(ValueLayout.JAVA_FLOAT, i, sign);
        }
        QuantizedActivations quantized = new QuantizedActivations(256);
        vector.quantize(x, 0, 256, quantized);
        MemorySegment expected = NativeMemory.allocateZeroed(64, arena);
        MemorySegment actual = NativeMemory.allocateZeroed(64, arena);
        scalar.gemvPacked(
            packed, 0, 1, quantized, expected, false, new float[Kernels.GEMV_SCRATCH]);
        vector.gemvPacked(packed, 0, 1, quantized, actual, false, new float[Kernels.GEMV_SCRATCH]);
        assertClose(type + " at its largest", actual, expected, 1e-6f);
      }
    }
  }

  @Test
  void quantizedActivationsMatchTheScalarTwin() {
    MemorySegment x = randomFloats(224);
    x.asSlice(0, 128).fill((byte) 0);
    QuantizedActivations expected = new QuantizedActivations(224);
    QuantizedActivations actual = new QuantizedActivations(224);
    scalar.quantize(x, 0, 224, expected);
    vector.quantize(x, 0, 224, actual);
    assertThat(actual.pairs).as("seed %d", SEED).isEqualTo(expected.pairs);
    assertThat(actual.scales).isEqualTo(expected.scales);
    assertThat(actual.sums).isEqualTo(expected.sums);
    assertThat(actual.minus16).isEqualTo(expected.minus16);
    assertThat(actual.minus32).isEqualTo(expected.minus32);
    assertThat(actual.negativeSums).isEqualTo(expected.negativeSums);
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

  private float[] randomArray(int count) {
    float[] floats = new float[count];
    for (int i = 0; i < count; i++) {
      floats[i] = (float) random.nextGaussian();
    }
    return floats;
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

  private MemorySegment randomFloats(int count) {
    MemorySegment floats = NativeMemory.allocateZeroed(count * 4L, arena);
    for (int i = 0; i < count; i++) {
      floats.setAtIndex(ValueLayout.JAVA_FLOAT, i, (float) random.nextGaussian());
    }
    return floats;
  }

  private MemorySegment randomBlocks(DType type, int count) {
    byte[] bytes = new byte[Math.toIntExact(type.numBytes(count))];
    RandomBlocks.fill(type, bytes, random);
    MemorySegment segment = NativeMemory.allocateZeroed(bytes.length, arena);
    segment.copyFrom(MemorySegment.ofArray(bytes));
    return segment;
  }

  /// Relative to the largest expected value.
  private static void assertClose(
      String what, MemorySegment actual, MemorySegment expected, float tolerance) {
    float[] want = expected.toArray(ValueLayout.JAVA_FLOAT);
    float[] got = actual.toArray(ValueLayout.JAVA_FLOAT);
    float largest = 0;
    for (float value : want) {
      largest = Math.max(largest, Math.abs(value));
    }
    for (int i = 0; i < want.length; i++) {
      assertThat(got[i])
          .as("%s, seed %d, element %d", what, SEED, i)
          .isCloseTo(want[i], offset(tolerance * largest));
    }
  }
}
