package io.cusco.llama.cpu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.data.Offset.offset;

import io.cusco.llama.checkpoint.BlockFormats;
import io.cusco.llama.checkpoint.BlockQuantizer;
import io.cusco.llama.checkpoint.DType;
import io.cusco.llama.cpu.MatMul.Projection;
import io.cusco.llama.cpu.kernels.InterleavedMatrix;
import io.cusco.llama.cpu.kernels.Kernels;
import io.cusco.llama.cpu.kernels.Matrix;
import io.cusco.llama.cpu.kernels.ScalarKernels;
import io.cusco.llama.cpu.kernels.VectorKernels;
import io.cusco.llama.memory.NativeMemory;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Random;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// Products with interleaved weights, at numbers of tokens on all sides of every choice of a
/// kernel.
class InterleavedMatMulTest {
  private static final long SEED = 20261123;
  private static final int MAX_TOKENS = 75;

  /// Sums of up to 2080 products, relative to the largest.
  private static final float TOLERANCE = 2e-5f;

  private final Random random = new Random(SEED);

  private float[] random(int count) {
    float[] values = new float[count];
    for (int i = 0; i < count; i++) {
      values[i] = (float) random.nextGaussian();
    }
    return values;
  }

  private WeightMatrix weight(int rows, int columns, boolean interleave, Arena arena) {
    long rowBytes = DType.Q8_0.numBytes(columns);
    MemorySegment blocks = NativeMemory.allocateZeroed(rows * rowBytes, arena);
    float[] values = random(rows * columns);
    for (int row = 0; row < rows; row++) {
      int from = row * columns;
      BlockQuantizer.quantize(DType.Q8_0, values, from, columns, blocks, row * rowBytes);
    }
    WeightMatrix weight = new WeightMatrix(new Matrix(DType.Q8_0, blocks, rows, columns, rowBytes));
    if (interleave) {
      long numBytes = InterleavedMatrix.numBytes(weight.source());
      MemorySegment memory = NativeMemory.allocateZeroed(numBytes, arena);
      InterleavedMatrix copy = new InterleavedMatrix(weight.source(), memory);
      copy.fill(0, copy.numGroups());
      weight.moveTo(copy);
    }
    return weight;
  }

  private Projection projection(
      int rows, int columns, boolean interleave, boolean add, Arena arena) {
    long outStride = (rows + 3) * 4L;
    MemorySegment out = NativeMemory.allocateZeroed(MAX_TOKENS * outStride, arena);
    float[] bias = add ? null : random(rows);
    return new Projection(
        weight(rows, columns, interleave, arena), null, bias, out, outStride, add);
  }

  @ParameterizedTest
  @ValueSource(ints = {96, 2080})
  void anyNumberOfTokensGivesTheProductsOfTheDecodedWeights(int columns) {
    for (Kernels kernels : new Kernels[] {new VectorKernels(), new ScalarKernels()}) {
      try (Arena arena = Arena.ofShared();
          WorkerPool pool = new WorkerPool(3)) {
        MatMul matMul = new MatMul(pool, kernels, MAX_TOKENS, columns, false, arena);
        Projection[] both = {
          projection(224, columns, true, false, arena), projection(32, columns, true, true, arena)
        };
        Projection[] mixed = {
          projection(64, columns, true, false, arena), projection(32, columns, false, true, arena)
        };
        for (int tokens : new int[] {1, 2, 5, 12, 16, 32, 33, MAX_TOKENS}) {
          check(matMul, both, tokens, columns, kernels, arena);
        }
        check(matMul, mixed, 1, columns, kernels, arena);
        check(matMul, mixed, 7, columns, kernels, arena);
      }
    }
  }

  private void check(
      MatMul matMul,
      Projection[] projections,
      int tokens,
      int columns,
      Kernels kernels,
      Arena arena) {
    long xStride = (columns + 5) * 4L;
    float[] x = random(tokens * (columns + 5));
    MemorySegment input = NativeMemory.allocateZeroed(x.length * 4L, arena);
    input.copyFrom(MemorySegment.ofArray(x));
    float[][] before = new float[projections.length][];
    for (int i = 0; i < projections.length; i++) {
      MemorySegment out = projections[i].out();
      before[i] = random((int) (out.byteSize() / 4));
      out.copyFrom(MemorySegment.ofArray(before[i]));
    }
    matMul.run(input, xStride, tokens, projections);
    for (int i = 0; i < projections.length; i++) {
      String what = "%s, seed %d, %d tokens".formatted(kernels.description(), SEED, tokens);
      assertProducts(what, projections[i], before[i], x, tokens, columns);
    }
  }

  private static void assertProducts(
      String what, Projection projection, float[] before, float[] x, int tokens, int columns) {
    Matrix source = projection.stored().source();
    float[] wide = new float[source.rows() * columns];
    BlockFormats.dequantize(source.type(), source.segment(), 0, wide, 0, wide.length);
    float[] actual = projection.out().toArray(ValueLayout.JAVA_FLOAT);
    int stride = (int) (projection.outStride() / 4);
    double scale = 4 * Math.sqrt(columns);
    for (int i = 0; i < actual.length; i++) {
      int token = i / stride;
      int row = i % stride;
      double expected = before[i];
      if (token < tokens && row < source.rows()) {
        expected = projection.add() ? before[i] : 0;
        expected += projection.bias() == null ? 0 : projection.bias()[row];
        for (int k = 0; k < columns; k++) {
          expected += (double) wide[row * columns + k] * x[token * (columns + 5) + k];
        }
      }
      assertThat((double) actual[i])
          .as("%s, token %d, row %d", what, token, row)
          .isCloseTo(expected, offset(TOLERANCE * scale));
    }
  }
}
