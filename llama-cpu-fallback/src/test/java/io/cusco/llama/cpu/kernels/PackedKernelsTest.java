package io.cusco.llama.cpu.kernels;

import static org.assertj.core.api.Assertions.assertThat;

import io.cusco.llama.checkpoint.BlockFormats;
import io.cusco.llama.checkpoint.DType;
import io.cusco.llama.memory.NativeMemory;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/// Products with repacked weights, against the scalar twin and the decoded rows.
class PackedKernelsTest extends KernelTwins {
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
        Arrays.fill(ones, (byte) (sign < 0 ? 0 : 0xff));
        for (int block = 0; block < ones.length; block += type.blockBytes()) {
          RandomBlocks.putHalf(ones, block + (type == DType.Q6_K ? 208 : 0), 1);
          if (type != DType.Q4_0 && type != DType.Q5_0 && type != DType.Q6_K) {
            RandomBlocks.putHalf(ones, block + 2, 1);
          }
        }
        if (type == DType.Q6_K) {
          for (int block = 0; block < ones.length; block += 210) {
            Arrays.fill(ones, block + 192, block + 208, (byte) 1);
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
}
