package io.cusco.llama.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.cusco.llama.cuda.Fp8Kernels.Fp8Matrix;
import io.cusco.llama.cuda.GemvKernels.Store;
import io.cusco.llama.cuda.driver.CublasLt;
import io.cusco.llama.cuda.driver.DeviceBuffer;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;

/// Products with e4m3 weights against float64 over the very numbers that weights and activations
/// become: single rows, few, many, and more than are put down at a time.
abstract class AbstractFp8ProductsTest extends AbstractKernelTest {
  private static final ActivationType BF16 = ActivationType.BF16;
  private static final ActivationType F32 = ActivationType.F32;
  private static final int INPUTS = 208;
  private static final int OUTPUTS = 48;
  private static final int[] ROWS = {1, 8, 9, 16, 37};
  private static final int MOST_ROWS = 37;

  /// Room for 13 rows.
  private static final long RAW_BYTES = 13L * OUTPUTS * Float.BYTES;

  /// How the products should say that they are scaled; empty for any way.
  String expectedWay() {
    return "";
  }

  /// What the device's FP8 products drop of an addend, relative to the largest of those that they
  /// add at one time. Sums of float32 drop nothing that the tolerance does not have anyway.
  double droppedOfLargest() {
    return 0;
  }

  @Test
  void everyNumberOfRowsGivesTheProduct() {
    assumeTrue(device.context().device().hasCompute(8, 9), "FP8 needs compute capability 8.9");
    Fp8Row[] weights = new Fp8Row[OUTPUTS];
    byte[] codes = new byte[OUTPUTS * INPUTS];
    float[] scales = new float[OUTPUTS];
    for (int row = 0; row < OUTPUTS; row++) {
      weights[row] = Fp8Row.of(randomValues(BF16, INPUTS));
      System.arraycopy(weights[row].codes(), 0, codes, row * INPUTS, INPUTS);
      scales[row] = weights[row].scale();
    }
    Fp8Matrix matrix =
        new Fp8Matrix(
            device.upload(codes).address(), device.upload(F32, scales).address(), OUTPUTS, INPUTS);
    float[] x = randomValues(BF16, MOST_ROWS * INPUTS);
    float[] before = randomValues(F32, MOST_ROWS * OUTPUTS);
    for (boolean sameResults : new boolean[] {false, true}) {
      check(weights, matrix, x, before, sameResults);
    }
  }

  private void check(
      Fp8Row[] weights, Fp8Matrix matrix, float[] x, float[] before, boolean sameResults) {
    try (DeviceBuffer workspace = DeviceBuffer.allocate(device.context(), "workspace", 1 << 20);
        CublasLt cublasLt = CublasLt.create(device.context(), workspace);
        Fp8Products products =
            new Fp8Products(
                device.context(),
                device.stream(),
                cublasLt,
                device.modules(),
                List.of(matrix),
                MOST_ROWS,
                RAW_BYTES,
                sameResults)) {
      assertThat(products.way()).startsWith(expectedWay());
      System.out.println(products.way());
      for (Store store : Store.values()) {
        float[] all = run(products, matrix, x, before, MOST_ROWS, store);
        for (int rows : ROWS) {
          float[] actual = run(products, matrix, x, before, rows, store);
          boolean quantised = sameResults || rows > GemvKernels.MAX_ROWS;
          check(weights, x, store == Store.ADDED ? before : null, actual, quantised, store);
          if (sameResults) {
            assertThat(actual)
                .as("%s, %d rows", store, rows)
                .isEqualTo(Arrays.copyOf(all, rows * OUTPUTS));
          }
        }
      }
    }
  }

  private float[] run(
      Fp8Products products, Fp8Matrix matrix, float[] x, float[] before, int rows, Store store) {
    ActivationType stored = store == Store.ROUNDED ? BF16 : F32;
    DeviceBuffer out =
        store == Store.ADDED
            ? device.upload(F32, Arrays.copyOf(before, rows * OUTPUTS))
            : device.output(stored, (long) rows * OUTPUTS);
    long from = device.upload(BF16, Arrays.copyOf(x, rows * INPUTS)).address();
    products.run(matrix, from, out.address(), rows, store);
    return device.download(stored, out);
  }

  /// @param before null for nothing
  private void check(
      Fp8Row[] weights, float[] x, float[] before, float[] actual, boolean quantised, Store store) {
    for (int row = 0; row < actual.length / OUTPUTS; row++) {
      float[] values = Arrays.copyOfRange(x, row * INPUTS, (row + 1) * INPUTS);
      Fp8Row codes = Fp8Row.of(values);
      for (int column = 0; column < OUTPUTS; column++) {
        int at = row * OUTPUTS + column;
        double sum = before == null ? 0 : before[at];
        double magnitude = Math.abs(sum);
        double product = 0;
        double largest = 0;
        for (int i = 0; i < INPUTS; i++) {
          double term = (quantised ? codes.value(i) : values[i]) * weights[column].value(i);
          sum += term;
          product += term;
          magnitude += Math.abs(term);
          largest = Math.max(largest, Math.max(Math.abs(term), Math.abs(product)));
        }
        // float32 sums, two scales, and a rounding to bfloat16 where it is stored as one.
        double allowed = magnitude * (INPUTS + 4) * 0x1p-24 + 1e-7;
        // Every term is an addend, and what is summed up so far once for 32 of them.
        int addends = INPUTS + Math.ceilDiv(INPUTS, 32);
        allowed += quantised ? addends * droppedOfLargest() * largest : 0;
        allowed += store == Store.ROUNDED ? tolerance(BF16, 0) * Math.abs(sum) : 0;
        assertThat(Math.abs(actual[at] - sum))
            .as("%s, [%d][%d] = %s, got %s", store, row, column, sum, actual[at])
            .isLessThanOrEqualTo(1.01 * allowed);
      }
    }
  }
}
