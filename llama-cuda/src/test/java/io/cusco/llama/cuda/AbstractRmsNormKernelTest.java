package io.cusco.llama.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import io.cusco.llama.cuda.driver.DeviceBuffer;
import java.util.Arrays;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/// rms_norm and add_rms_norm against float64.
abstract class AbstractRmsNormKernelTest extends AbstractKernelTest {
  /// Widths: no vector; no vector divides; one vector; tails in the last warp; Llama's; two vectors
  /// a thread; more than a block keeps in registers.
  private static final String WIDTHS = "1, 13, 50, 64, 207, 2048, 4096, 8200, 16392";

  private static final float EPS = 1e-5f;

  @ParameterizedTest
  @EnumSource
  void rmsNormMatchesFloat64(ActivationType type) {
    for (int width : widths()) {
      int tokens = width > 1000 ? 2 : 5;
      CudaKernels kernels = kernels(type, config(width));
      float[] x = randomValues(ActivationType.F32, tokens * width);
      float[] weight = randomValues(ActivationType.F32, width);
      DeviceBuffer out = device.output(type, x.length);
      kernels.rmsNorm(
          device.stream(),
          device.upload(ActivationType.F32, x).address(),
          device.upload(ActivationType.F32, weight).address(),
          out.address(),
          tokens);
      check("rms_norm " + width, type, x, weight, device.download(type, out));
      device.free();
    }
  }

  @ParameterizedTest
  @EnumSource
  void addRmsNormStoresTheSumAndNormalisesIt(ActivationType type) {
    for (int width : widths()) {
      int tokens = width > 1000 ? 2 : 5;
      CudaKernels kernels = kernels(type, config(width));
      float[] x = randomValues(type, tokens * width);
      float[] before = randomValues(ActivationType.F32, tokens * width);
      float[] weight = randomValues(ActivationType.F32, width);
      DeviceBuffer residual = device.upload(ActivationType.F32, before);
      DeviceBuffer out = device.output(type, x.length);
      kernels.addRmsNorm(
          device.stream(),
          device.upload(type, x).address(),
          residual.address(),
          device.upload(ActivationType.F32, weight).address(),
          out.address(),
          tokens);
      float[] sums = new float[x.length];
      for (int i = 0; i < sums.length; i++) {
        sums[i] = x[i] + before[i];
      }
      assertThat(device.download(ActivationType.F32, residual))
          .as("residual %d", width)
          .isEqualTo(sums);
      check("add_rms_norm " + width, type, sums, weight, device.download(type, out));
      device.free();
    }
  }

  @ParameterizedTest
  @CsvSource({"BF16, 50", "BF16, 4096", "F32, 2048"})
  void aTokensBitsDoNotDependOnItsBatch(ActivationType type, int width) {
    int tokens = 7;
    CudaKernels kernels = kernels(type, config(width));
    float[] x = randomValues(ActivationType.F32, tokens * width);
    long weight = device.upload(ActivationType.F32, randomValues(type, width)).address();
    DeviceBuffer together = device.output(type, x.length);
    kernels.rmsNorm(
        device.stream(),
        device.upload(ActivationType.F32, x).address(),
        weight,
        together.address(),
        tokens);
    byte[] expected = device.download(together);
    int rowBytes = width * type.numBytes();
    for (int token = 0; token < tokens; token++) {
      float[] row = Arrays.copyOfRange(x, token * width, (token + 1) * width);
      DeviceBuffer alone = device.output(type, width);
      kernels.rmsNorm(
          device.stream(),
          device.upload(ActivationType.F32, row).address(),
          weight,
          alone.address(),
          1);
      assertThat(device.download(alone))
          .as("token %d", token)
          .isEqualTo(Arrays.copyOfRange(expected, token * rowBytes, (token + 1) * rowBytes));
    }
  }

  private static int[] widths() {
    return Arrays.stream(WIDTHS.split(", ")).mapToInt(Integer::parseInt).toArray();
  }

  private static io.cusco.llama.config.LlamaConfig config(int hiddenSize) {
    return KernelDevice.config(hiddenSize, 1, 1, 1, 2, 1);
  }

  private static void check(
      String what, ActivationType type, float[] rows, float[] weight, float[] actual) {
    int width = weight.length;
    double[] expected = new double[rows.length];
    for (int start = 0; start < rows.length; start += width) {
      double sum = 0;
      for (int i = 0; i < width; i++) {
        sum += (double) rows[start + i] * rows[start + i];
      }
      double inverse = 1 / Math.sqrt(sum / width + EPS);
      for (int i = 0; i < width; i++) {
        expected[start + i] = rows[start + i] * inverse * weight[i];
      }
    }
    // Of a sum of squares a thread adds up to 32 by itself, and the tree has 10 levels; half of
    // their error survives the root. Mean, eps, root, reciprocal and two products follow.
    // A subnormal f16 has an absolute error.
    assertClose(
        what, expected, actual, tolerance(type, 28), type == ActivationType.F16 ? 0x1p-25 : 0);
  }
}
