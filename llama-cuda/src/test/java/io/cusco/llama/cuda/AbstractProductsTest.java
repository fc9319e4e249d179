package io.cusco.llama.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import io.cusco.llama.checkpoint.BlockFormats;
import io.cusco.llama.checkpoint.DType;
import io.cusco.llama.cuda.CudaWeights.Linear;
import io.cusco.llama.cuda.GemvKernels.Matrix;
import io.cusco.llama.cuda.driver.Cublas;
import io.cusco.llama.cuda.driver.CublasLt;
import io.cusco.llama.cuda.driver.DeviceBuffer;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/// Every way that a product may take against float64: dense or in blocks of several formats, one
/// pass, several, widened whole or piece by piece.
abstract class AbstractProductsTest extends AbstractKernelTest {
  private static final int INPUTS = 256;

  /// Rows of one warp's pair more or less than whole pieces; the last is longer than a piece.
  private static final int[] PART_ROWS = {17, 8, 41};

  /// One row, one pass, two passes, more than are worth their passes.
  private static final int[] ROWS = {1, 8, 11, 30};

  private static final int MOST_ROWS = 30;

  enum Kept {
    DENSE,
    BLOCKS,
    BOTH
  }

  static Stream<Arguments> ways() {
    List<Arguments> ways = new ArrayList<>();
    for (ActivationType type : ActivationType.values()) {
      for (Kept kept : Kept.values()) {
        ways.add(Arguments.of(type, kept, false));
        ways.add(Arguments.of(type, kept, true));
      }
    }
    return ways.stream();
  }

  @ParameterizedTest
  @MethodSource("ways")
  void everyWayGivesTheProduct(ActivationType type, Kept kept, boolean oneAlgorithm) {
    DType[] formats = {DType.Q4_K, DType.Q8_0, DType.Q6_K};
    float[] weights = new float[0];
    List<Matrix> blocks = new ArrayList<>();
    for (int i = 0; i < formats.length; i++) {
      int count = PART_ROWS[i] * INPUTS;
      byte[] bytes = randomBlocks(formats[i], count / formats[i].blockSize());
      int at = weights.length;
      weights = Arrays.copyOf(weights, at + count);
      BlockFormats.dequantize(formats[i], MemorySegment.ofArray(bytes), 0, weights, at, count);
      long address = device.upload(bytes).address();
      blocks.add(new Matrix(formats[i], address, PART_ROWS[i], INPUTS));
    }
    int outputs = Arrays.stream(PART_ROWS).sum();
    long dense = device.upload(type, weights).address();
    Linear linear =
        new Linear(
            outputs,
            INPUTS,
            kept == Kept.BLOCKS
                ? Optional.empty()
                : Optional.of(new Matrix(type.dtype(), dense, outputs, INPUTS)),
            kept == Kept.DENSE ? List.of() : blocks,
            Optional.empty(),
            0);
    try (DeviceBuffer workspace = DeviceBuffer.allocate(device.context(), "workspace", 1 << 20);
        Cublas cublas = Cublas.create(device.stream(), workspace);
        CublasLt cublasLt = CublasLt.create(device.context(), workspace);
        Products products =
            new Products(
                device.context(),
                device.stream(),
                cublas,
                device.modules(),
                type,
                List.of(linear),
                // Pieces of 16 rows.
                17L * INPUTS * type.numBytes(),
                oneAlgorithm ? Optional.of(cublasLt) : Optional.empty(),
                Optional.empty())) {
      float[] x = randomValues(type, MOST_ROWS * INPUTS);
      float[] before = randomValues(ActivationType.F32, MOST_ROWS * outputs);
      Results all = null;
      for (int i = ROWS.length - 1; i >= 0; i--) {
        Inputs inputs =
            new Inputs(
                type,
                weights,
                Arrays.copyOf(x, ROWS[i] * INPUTS),
                Arrays.copyOf(before, ROWS[i] * outputs),
                ROWS[i]);
        Results results = check(products, linear, inputs);
        all = all == null ? results : all;
        if (oneAlgorithm) {
          // A row has the bits that it has among the most rows.
          results.assertEqualTo(all.first(ROWS[i] * outputs));
        }
      }
    }
  }

  private record Inputs(
      ActivationType type, float[] weights, float[] x, float[] before, int rows) {}

  private record Results(float[] added, float[] floats, float[] rounded) {
    Results first(int count) {
      return new Results(
          Arrays.copyOf(added, count), Arrays.copyOf(floats, count), Arrays.copyOf(rounded, count));
    }

    void assertEqualTo(Results other) {
      assertThat(added).isEqualTo(other.added);
      assertThat(floats).isEqualTo(other.floats);
      assertThat(rounded).isEqualTo(other.rounded);
    }
  }

  private Results check(Products products, Linear linear, Inputs inputs) {
    int outputs = linear.outFeatures();
    int rows = inputs.rows();
    ActivationType type = inputs.type();
    float[] weights = inputs.weights();
    float[] x = inputs.x();
    float[] before = inputs.before();
    long from = device.upload(type, x).address();
    DeviceBuffer added = device.upload(ActivationType.F32, before);
    DeviceBuffer floats = device.output(ActivationType.F32, (long) rows * outputs);
    DeviceBuffer rounded = device.output(type, (long) rows * outputs);
    products.addTo(added.address(), linear, from, rows);
    products.projectToFloat(linear, from, floats.address(), rows);
    products.project(linear, from, rounded.address(), rows);
    float[] sums = device.download(ActivationType.F32, added);
    float[] unrounded = device.download(ActivationType.F32, floats);
    float[] stored = device.download(type, rounded);
    for (int row = 0; row < rows; row++) {
      for (int column = 0; column < outputs; column++) {
        double product = 0;
        double magnitude = 0;
        for (int i = 0; i < INPUTS; i++) {
          double term = (double) x[row * INPUTS + i] * weights[column * INPUTS + i];
          product += term;
          magnitude += Math.abs(term);
        }
        // Weights are rounded to T where they are widened; sums have a rounding per term at most,
        // and one where they are added.
        double error = magnitude * (tolerance(type, 0) + INPUTS * 0x1p-24) + 1e-7;
        String what = "%d rows, [%d][%d]".formatted(rows, row, column);
        int at = row * outputs + column;
        assertNear(what, product, unrounded[at], error);
        double sum = before[at] + product;
        assertNear(what + ", added", sum, sums[at], error + Math.abs(sum) * 0x1p-24);
        if (type != ActivationType.F16 || Math.abs(product) < 60_000) {
          double rounding = tolerance(type, 0) * (Math.abs(product) + error);
          assertNear(what + ", rounded", product, stored[at], error + rounding);
        }
      }
    }
    return new Results(sums, unrounded, stored);
  }

  private static void assertNear(String what, double expected, float actual, double allowed) {
    assertThat(Math.abs(actual - expected))
        .as("%s = %s, got %s", what, expected, actual)
        .isLessThanOrEqualTo(allowed);
  }
}
