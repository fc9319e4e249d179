package io.cusco.llama.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.cusco.llama.cuda.Fp8Kernels.Fp8Matrix;
import io.cusco.llama.cuda.GemvKernels.Store;
import io.cusco.llama.cuda.driver.DeviceBuffer;
import io.cusco.llama.cuda.emulator.E4m3;
import java.util.Arrays;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/// What surrounds FP8 products: conversions bit for bit as Java makes them, products of few rows
/// against float64.
abstract class AbstractFp8KernelTest extends AbstractKernelTest {
  private static final ActivationType BF16 = ActivationType.BF16;
  private static final ActivationType F32 = ActivationType.F32;

  private Fp8Kernels kernels;

  @BeforeEach
  void loadKernels() {
    assumeTrue(device.context().device().hasCompute(8, 9), "FP8 needs compute capability 8.9");
    kernels = new Fp8Kernels(device.modules());
  }

  /// One vector, threads with and without one, more than a block takes at once.
  @Test
  void rowsBecomeE4m3WithTheirLargestAt448() {
    for (int width : new int[] {16, 208, 4112}) {
      int rows = 9;
      float[] x = randomValues(BF16, rows * width);
      Arrays.fill(x, width, 2 * width, 0);
      Arrays.fill(x, 2 * width, 3 * width, 1e-31f);
      x[3 * width + 5] = Float.NaN;
      x[4 * width + 7] = Float.NEGATIVE_INFINITY;
      Arrays.fill(x, 5 * width, 6 * width, -1e30f);
      x = KernelDevice.rounded(BF16, x);
      DeviceBuffer values = device.output((long) rows * width);
      DeviceBuffer scales = device.output(F32, rows);
      kernels.quantizeRows(
          device.stream(),
          device.upload(BF16, x).address(),
          values.address(),
          scales.address(),
          rows,
          width);
      byte[] actual = device.download(values);
      float[] actualScales = device.download(F32, scales);
      for (int row = 0; row < rows; row++) {
        Fp8Row expected = Fp8Row.of(Arrays.copyOfRange(x, row * width, (row + 1) * width));
        assertThat(actualScales[row]).as("scale of row %d", row).isEqualTo(expected.scale());
        assertThat(Arrays.copyOfRange(actual, row * width, (row + 1) * width))
            .as("row %d of width %d", row, width)
            .isEqualTo(expected.codes());
      }
      device.free();
    }
  }

  @Test
  void sumsAreScaledByRowAndColumn() {
    for (Store store : Store.values()) {
      checkScales(store);
    }
  }

  private void checkScales(Store store) {
    for (int width : new int[] {16, 1040}) {
      int rows = 3;
      float[] raw = randomValues(F32, rows * width);
      float[] rowScales = randomValues(F32, rows);
      float[] columnScales = randomValues(F32, width);
      float[] before = randomValues(F32, rows * width);
      ActivationType stored = store == Store.ROUNDED ? BF16 : F32;
      DeviceBuffer out =
          store == Store.ADDED
              ? device.upload(F32, before)
              : device.output(stored, (long) rows * width);
      kernels.scaleProduct(
          device.stream(),
          device.upload(F32, raw).address(),
          device.upload(F32, rowScales).address(),
          device.upload(F32, columnScales).address(),
          out.address(),
          rows,
          width,
          store);
      double[] expected = new double[rows * width];
      for (int i = 0; i < expected.length; i++) {
        double product = (double) raw[i] * rowScales[i / width] * columnScales[i % width];
        expected[i] = product + (store == Store.ADDED ? before[i] : 0);
      }
      // Two products and a sum that may cancel: of values below 100,000, to the last bit of those.
      assertClose(
          store.name(),
          expected,
          device.download(stored, out),
          tolerance(stored, 4),
          1e5 * 0x1p-22);
      device.free();
    }
  }

  /// Matrices that end within a block, rows shorter and longer than what a warp has in flight.
  @Test
  void productsOfFewRowsAreThoseOfFloat64() {
    for (int rows = 1; rows <= GemvKernels.MAX_ROWS; rows++) {
      check(16, 272, rows);
    }
    check(48, 16, 3);
    check(16, 4624, 1);
    check(16, 4624, 5);
    check(2064, 32, 2);
  }

  @Test
  void aRowsBitsDoNotDependOnTheNumberOfRows() {
    int inputs = 2064;
    Fp8Weights weights = new Fp8Weights(16, inputs);
    float[] x = randomValues(BF16, GemvKernels.MAX_ROWS * inputs);
    float[] all = multiply(weights, x, GemvKernels.MAX_ROWS, Store.FLOAT, null);
    for (int rows = 1; rows < GemvKernels.MAX_ROWS; rows++) {
      assertThat(multiply(weights, x, rows, Store.FLOAT, null))
          .as("%d rows", rows)
          .isEqualTo(Arrays.copyOf(all, rows * 16));
    }
  }

  private void check(int outputs, int inputs, int rows) {
    Fp8Weights weights = new Fp8Weights(outputs, inputs);
    float[] x = randomValues(BF16, rows * inputs);
    float[] before = randomValues(F32, rows * outputs);
    for (Store store : Store.values()) {
      float[] actual = multiply(weights, x, rows, store, before);
      for (int at = 0; at < actual.length; at++) {
        double sum = store == Store.ADDED ? before[at] : 0;
        double magnitude = Math.abs(sum);
        for (int i = 0; i < inputs; i++) {
          double product =
              (double) x[at / outputs * inputs + i] * weights.value(at % outputs * inputs + i);
          sum += product;
          magnitude += Math.abs(product);
        }
        // One chain of inputs / 32 products in each lane, the scale, then five additions.
        double chain = (inputs / 32 + 9) * 0x1p-24 * magnitude;
        double rounding = store == Store.ROUNDED ? tolerance(BF16, 0) * Math.abs(sum) : 0;
        assertThat(Math.abs(actual[at] - sum))
            .as("%d x %d, %d rows, %s, element %d = %s", outputs, inputs, rows, store, at, sum)
            .isLessThanOrEqualTo(1.01 * (chain + rounding) + 1e-7);
      }
    }
    device.free();
  }

  private float[] multiply(Fp8Weights weights, float[] x, int rows, Store store, float[] before) {
    ActivationType stored = store == Store.ROUNDED ? BF16 : F32;
    DeviceBuffer out =
        store == Store.ADDED
            ? device.upload(F32, before)
            : device.output(stored, (long) rows * weights.outputs);
    long from = device.upload(BF16, Arrays.copyOf(x, rows * weights.inputs)).address();
    kernels.multiply(device.stream(), weights.matrix, from, rows, out.address(), store);
    return device.download(stored, out);
  }

  /// A matrix of any codes but NaN.
  private final class Fp8Weights {
    final int outputs;
    final int inputs;
    final Fp8Matrix matrix;
    private final byte[] codes;
    private final float[] scales;

    Fp8Weights(int outputs, int inputs) {
      this.outputs = outputs;
      this.inputs = inputs;
      codes = new byte[outputs * inputs];
      for (int i = 0; i < codes.length; i++) {
        codes[i] = (byte) (random.nextInt(0x7f) | random.nextInt(2) << 7);
      }
      scales = randomValues(F32, outputs);
      matrix =
          new Fp8Matrix(
              device.upload(codes).address(),
              device.upload(F32, scales).address(),
              outputs,
              inputs);
    }

    double value(int at) {
      return (double) E4m3.toFloat(codes[at]) * scales[at / inputs];
    }
  }
}
