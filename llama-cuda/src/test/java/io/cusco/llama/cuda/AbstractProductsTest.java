package io.cusco.llama.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import io.cusco.llama.checkpoint.BlockFormats;
import io.cusco.llama.checkpoint.DType;
import io.cusco.llama.cuda.CudaWeights.Linear;
import io.cusco.llama.cuda.GemvKernels.Matrix;
import io.cusco.llama.cuda.driver.Cublas;
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

  enum Kept {
    DENSE,
    BLOCKS,
    BOTH
  }

  static Stream<Arguments> ways() {
    List<Arguments> ways = new ArrayList<>();
    for (ActivationType type : ActivationType.values()) {
      for (Kept kept : Kept.values()) {
        ways.add(Arguments.of(type, kept));
      }
    }
    return ways.stream();
  }

  @ParameterizedTest
  @MethodSource("ways")
  void everyWayGivesTheProduct(ActivationType type, Kept kept) {
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
            0);
    try (DeviceBuffer workspace = DeviceBuffer.allocate(device.context(), "workspace", 1 << 20);
        Cublas cublas = Cublas.create(device.stream(), workspace);
        Products products =
            new Products(
                device.context(),
                device.stream(),
                cublas,
                device.modules(),
                type,
                List.of(linear),
                // Pieces of 16 rows.
                17L * INPUTS * type.numBytes())) {
      for (int rows : ROWS) {
        check(products, linear, type, weights, rows);
      }
    }
  }

  private void check(
      Products products, Linear linear, ActivationType type, float[] weights, int rows) {
    int outputs = linear.outFeatures();
    float[] x = randomValues(type, rows * INPUTS);
    long from = device.upload(type, x).address();
    float[] before = randomValues(ActivationType.F32, rows * outputs);
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
        // Weights are rounded to T where they are widened; sums have a rounding per term at most.
        double error = magnitude * (tolerance(type, 0) + INPUTS * 0x1p-24) + 1e-7;
        String what = "%d rows, [%d][%d]".formatted(rows, row, column);
        int at = row * outputs + column;
        assertNear(what, product, unrounded[at], error);
        assertNear(what + ", added", before[at] + product, sums[at], error + 1e-6);
        if (type != ActivationType.F16 || Math.abs(product) < 60_000) {
          double rounding = tolerance(type, 0) * (Math.abs(product) + error);
          assertNear(what + ", rounded", product, stored[at], error + rounding);
        }
      }
    }
  }

  private static void assertNear(String what, double expected, float actual, double allowed) {
    assertThat(Math.abs(actual - expected))
        .as("%s = %s, got %s", what, expected, actual)
        .isLessThanOrEqualTo(allowed);
  }
}
