package io.cusco.llama.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.cusco.llama.checkpoint.BlockFormats;
import io.cusco.llama.checkpoint.BlockQuantizer;
import io.cusco.llama.checkpoint.DType;
import io.cusco.llama.cuda.GemvKernels.Matrix;
import io.cusco.llama.cuda.GemvKernels.Store;
import io.cusco.llama.cuda.driver.DeviceBuffer;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/// The products of few rows against float64 sums over the very weights that the bytes stand for.
abstract class AbstractGemvKernelTest extends AbstractKernelTest {

  static Stream<Arguments> formats() {
    List<Arguments> formats = new ArrayList<>();
    for (ActivationType type : ActivationType.values()) {
      formats.add(Arguments.of(type, DType.valueOf(type.name())));
    }
    for (ActivationType type : ActivationType.values()) {
      DequantizeKernels.FORMATS.forEach(format -> formats.add(Arguments.of(type, format)));
    }
    return formats.stream();
  }

  /// Matrices that end within a warp's pair and within a block, rows shorter and longer than what a
  /// warp has in flight, rows of no whole vector.
  @ParameterizedTest
  @MethodSource("formats")
  void productsAreThoseOfFloat64(ActivationType type, DType format) {
    int block = format.blockSize();
    int odd = block == 1 ? 264 : block;
    for (int numRows = 1; numRows <= GemvKernels.MAX_ROWS; numRows++) {
      check(type, format, 7, odd, numRows);
    }
    for (int numRows : new int[] {1, 3, 8}) {
      check(type, format, 1, 32 * Math.max(block / 32, 1), numRows);
      check(type, format, 50, block == 256 ? 768 : 1312, numRows);
      if (block == 1) {
        check(type, format, 7, 101, numRows);
      }
    }
    check(type, format, 17, 4096, 3);
    check(type, format, 4096, odd, 1);
  }

  private void check(
      ActivationType type, DType format, int outFeatures, int inFeatures, int numRows) {
    Case one = new Case(type, format, outFeatures, inFeatures, numRows);
    for (Store store : Store.values()) {
      one.check(store);
      device.free();
    }
  }

  @ParameterizedTest
  @EnumSource(ActivationType.class)
  void aRowsBitsDoNotDependOnTheNumberOfRows(ActivationType type) {
    GemvKernels kernels = new GemvKernels(device.modules(), type);
    for (DType format : kernels.formats()) {
      Case all = new Case(type, format, 9, 2048, GemvKernels.MAX_ROWS);
      float[] expected = all.compute(Store.FLOAT, null);
      for (int numRows = 1; numRows < GemvKernels.MAX_ROWS; numRows++) {
        float[] actual = all.firstRows(numRows).compute(Store.FLOAT, null);
        assertThat(actual)
            .as("%d rows of %s", numRows, format)
            .isEqualTo(Arrays.copyOf(expected, numRows * 9));
        device.free();
      }
    }
  }

  @Test
  void noRowsAreNoWork() {
    GemvKernels kernels = new GemvKernels(device.modules(), ActivationType.F32);
    Matrix matrix = new Matrix(DType.F32, device.output(64).address(), 4, 4);
    DeviceBuffer out = device.upload(new int[] {42});
    kernels.multiply(
        device.stream(), matrix, device.output(16).address(), 0, out.address(), 4, Store.ROUNDED);
    assertThat(device.downloadInts(out)).containsExactly(42);
  }

  @Test
  void whatThereIsNoKernelForIsRefused() {
    GemvKernels kernels = new GemvKernels(device.modules(), ActivationType.F16);
    long address = device.output(4096).address();
    Matrix half = new Matrix(DType.F16, address, 8, 8);
    Matrix blocks = new Matrix(DType.Q2_K, address, 8, 256);
    assertThat(kernels.formats()).contains(DType.F16, DType.Q8_0).doesNotContain(DType.BF16);
    assertThatThrownBy(
            () -> kernels.multiply(device.stream(), half, address, 9, address, 8, Store.ROUNDED))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("9");
    assertThatThrownBy(
            () -> kernels.multiply(device.stream(), blocks, address, 1, address, 8, Store.ROUNDED))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("Q2_K");
    GemvKernels floats = new GemvKernels(device.modules(), ActivationType.F32);
    Matrix broken = new Matrix(DType.Q8_0, address, 8, 33);
    assertThatThrownBy(
            () -> floats.multiply(device.stream(), broken, address, 1, address, 8, Store.ROUNDED))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("33");
  }

  /// One product with its operands.
  private final class Case {
    private final ActivationType type;
    private final DType format;
    private final int outFeatures;
    private final int inFeatures;
    private final int numRows;
    private final float[] x;
    private final byte[] bytes;
    private final float[] weights;

    Case(ActivationType type, DType format, int outFeatures, int inFeatures, int numRows) {
      this(
          type,
          format,
          outFeatures,
          inFeatures,
          numRows,
          randomValues(type, numRows * inFeatures),
          randomBytes(format, outFeatures * inFeatures));
    }

    private Case(
        ActivationType type,
        DType format,
        int outFeatures,
        int inFeatures,
        int numRows,
        float[] x,
        byte[] bytes) {
      this.type = type;
      this.format = format;
      this.outFeatures = outFeatures;
      this.inFeatures = inFeatures;
      this.numRows = numRows;
      this.x = x;
      this.bytes = bytes;
      weights = new float[outFeatures * inFeatures];
      BlockFormats.dequantize(
          format, MemorySegment.ofArray(bytes), 0, weights, 0, outFeatures * inFeatures);
    }

    Case firstRows(int count) {
      return new Case(type, format, outFeatures, inFeatures, count, x, bytes);
    }

    float[] compute(Store store, float[] before) {
      ActivationType stored = store == Store.ROUNDED ? type : ActivationType.F32;
      int count = numRows * outFeatures;
      DeviceBuffer out =
          store == Store.ADDED ? device.upload(stored, before) : device.output(stored, count);
      Matrix matrix = new Matrix(format, device.upload(bytes).address(), outFeatures, inFeatures);
      long rows = device.upload(type, Arrays.copyOf(x, numRows * inFeatures)).address();
      new GemvKernels(device.modules(), type)
          .multiply(device.stream(), matrix, rows, numRows, out.address(), outFeatures, store);
      return device.download(stored, out);
    }

    void check(Store store) {
      float[] before = randomValues(ActivationType.F32, numRows * outFeatures);
      float[] actual = compute(store, before);
      // One chain of inFeatures / 32 products in each lane, then five additions.
      double roundings = inFeatures / 32 + 8;
      for (int row = 0; row < numRows; row++) {
        for (int column = 0; column < outFeatures; column++) {
          int at = row * outFeatures + column;
          double sum = store == Store.ADDED ? before[at] : 0;
          double magnitude = Math.abs(sum);
          for (int i = 0; i < inFeatures; i++) {
            double product = (double) x[row * inFeatures + i] * weights[column * inFeatures + i];
            sum += product;
            magnitude += Math.abs(product);
          }
          if (store == Store.ROUNDED && type == ActivationType.F16 && Math.abs(sum) > 65_000) {
            continue; // beyond its range, or so near that a rounding decides
          }
          double rounding = store == Store.ROUNDED ? tolerance(type, 0) * Math.abs(sum) : 0;
          double allowed = rounding + 1.01 * roundings * 0x1p-24 * magnitude + 1e-7;
          assertThat(Math.abs(actual[at] - sum))
              .as("%s x %s, %s, [%d][%d] = %s", type, format, store, row, column, sum)
              .isLessThanOrEqualTo(allowed);
        }
      }
    }
  }

  private byte[] randomBytes(DType format, int count) {
    if (format.blockSize() > 1) {
      return randomBlocks(format, count / format.blockSize());
    }
    byte[] bytes = new byte[Math.toIntExact(format.numBytes(count))];
    float[] values = randomValues(ActivationType.F32, count);
    BlockQuantizer.quantize(format, values, 0, count, MemorySegment.ofArray(bytes), 0);
    return bytes;
  }
}
