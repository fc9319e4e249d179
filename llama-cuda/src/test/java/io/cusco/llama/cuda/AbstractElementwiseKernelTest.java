package io.cusco.llama.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.cusco.llama.cuda.driver.DeviceBuffer;
import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// embed_gather, silu_mul and add_bias against plain Java.
abstract class AbstractElementwiseKernelTest extends AbstractKernelTest {
  /// No vector; no vector divides; vectors; tails; more than one run of 2,048; Llama's.
  private static final int[] WIDTHS = {1, 13, 50, 207, 64, 2056, 4096, 4101};

  @ParameterizedTest
  @EnumSource
  void embedGatherCopiesRowsAndGivesZerosForIdsOutsideTheVocabulary(ActivationType type) {
    int vocab = 11;
    int[] drawn = {7, -1, 11, 2};
    for (int width : new int[] {1, 13, 50, 207, 2051, 64, 4096, 8200}) {
      float[] table = randomValues(type, vocab * width);
      int[] ids = {3, -4, 0, 10, -1, 3, -2, -3, -5, 11, Integer.MAX_VALUE, Integer.MIN_VALUE};
      int[] known = {3, 2, 0, 10, 7, 3, -1, 11, -1, 11, -1, -1};
      DeviceBuffer out = device.output(ActivationType.F32, (long) ids.length * width);
      kernels(type, KernelDevice.config(width, 1, 1, 1, 2, vocab))
          .embedGather(
              device.stream(),
              device.upload(type, table).address(),
              device.upload(ids).address(),
              new DrawnIds(device.upload(drawn).address(), drawn.length),
              out.address(),
              ids.length);
      assertThat(device.download(ActivationType.F32, out))
          .as("width %d", width)
          .isEqualTo(gathered(table, known, vocab, width));
      device.free();
    }
  }

  @Test
  void gatherRowsTakesTheRowsWhoseLogitsAreWanted() {
    ActivationType type = ActivationType.F32;
    int width = 64;
    float[] rows = randomValues(type, 13 * width);
    int[] wanted = {0, 5, 12};
    DeviceBuffer out = device.output(type, (long) wanted.length * width);
    kernels(type, KernelDevice.config(width, 1, 1, 1, 2, 1))
        .gatherRows(
            device.stream(),
            device.upload(type, rows).address(),
            13,
            device.upload(wanted).address(),
            out.address(),
            wanted.length);
    assertThat(device.download(type, out)).isEqualTo(gathered(rows, wanted, 13, width));
  }

  private static float[] gathered(float[] table, int[] ids, int numRows, int width) {
    float[] out = new float[ids.length * width];
    for (int i = 0; i < ids.length; i++) {
      if (ids[i] >= 0 && ids[i] < numRows) {
        System.arraycopy(table, ids[i] * width, out, i * width, width);
      }
    }
    return out;
  }

  @ParameterizedTest
  @EnumSource
  void siluMulMatchesFloat64(ActivationType type) {
    for (int width : WIDTHS) {
      int tokens = 3;
      float[] gateUp = randomValues(type, tokens * 2 * width);
      DeviceBuffer out = device.output(type, (long) tokens * width);
      kernels(type, KernelDevice.config(1, width, 1, 1, 2, 1))
          .siluMul(device.stream(), device.upload(type, gateUp).address(), out.address(), tokens);
      double[] expected = new double[tokens * width];
      for (int i = 0; i < expected.length; i++) {
        double gate = gateUp[i / width * 2 * width + i % width];
        double up = gateUp[i / width * 2 * width + width + i % width];
        expected[i] = gate / (1 + Math.exp(-gate)) * up;
      }
      // f32: 2 ulp for ex2, a quotient, a few products and sums. 16 bits: the product with log2(e)
      // is rounded once, which at |gate| = 100 is worth 100 roundings of the exponential. Beyond 87
      // the exponential overflows, or the approximate quotient gives up: what is left is below
      // 1e-34. A subnormal f16 has an absolute error.
      assertClose(
          "silu_mul " + width,
          expected,
          device.download(type, out),
          tolerance(type, type == ActivationType.F32 ? 10 : 110),
          type == ActivationType.F16 ? 0x1p-25 : 1e-34);
      device.free();
    }
  }

  @ParameterizedTest
  @EnumSource
  void siluMulOfExtremesIsWhatItsFormulaGives(ActivationType type) {
    float infinity = Float.POSITIVE_INFINITY;
    float[] gate = {0, -0f, 60000, -60000, infinity, -infinity, Float.NaN, 100};
    float[] gateUp = new float[16];
    for (int i = 0; i < 8; i++) {
      gateUp[i] = gate[i];
      gateUp[8 + i] = 1;
    }
    DeviceBuffer out = device.output(type, 8);
    kernels(type, KernelDevice.config(1, 8, 1, 1, 2, 1))
        .siluMul(device.stream(), device.upload(type, gateUp).address(), out.address(), 1);
    float[] actual = device.download(type, out);
    assertThat(actual[0]).isEqualTo(0f);
    assertThat(Math.abs(actual[1])).isEqualTo(0f);
    assertThat(actual[2]).isEqualTo(KernelDevice.rounded(type, new float[] {60000})[0]);
    assertThat(Math.abs(actual[3])).isEqualTo(0f);
    assertThat(actual[4]).isEqualTo(infinity);
    assertThat(actual[5]).isNaN();
    assertThat(actual[6]).isNaN();
    assertThat(actual[7]).isEqualTo(100f);
  }

  @ParameterizedTest
  @EnumSource
  void addBiasAddsTheSameRowToEveryRow(ActivationType type) {
    for (int half : WIDTHS) {
      int width = 2 * half;
      int tokens = 3;
      float[] rows = randomValues(type, tokens * width);
      float[] bias = randomValues(ActivationType.F32, width);
      DeviceBuffer updated = device.upload(type, rows);
      kernels(type, KernelDevice.config(1, half, 1, 1, 2, 1))
          .addGateUpBias(
              device.stream(),
              updated.address(),
              device.upload(ActivationType.F32, bias).address(),
              tokens);
      assertThat(device.download(type, updated))
          .as("width %d", width)
          .isEqualTo(KernelDevice.rounded(type, sums(rows, bias)));
      device.free();
    }
  }

  @Test
  void theResidualStreamTakesItsBiasInFloat32() {
    for (int width : WIDTHS) {
      float[] rows = randomValues(ActivationType.F32, 3 * width);
      float[] bias = randomValues(ActivationType.F32, width);
      DeviceBuffer updated = device.upload(ActivationType.F32, rows);
      kernels(ActivationType.BF16, KernelDevice.config(width, 1, 1, 1, 2, 1))
          .addResidualBias(
              device.stream(),
              updated.address(),
              device.upload(ActivationType.F32, bias).address(),
              3);
      assertThat(device.download(ActivationType.F32, updated)).isEqualTo(sums(rows, bias));
      device.free();
    }
  }

  private static float[] sums(float[] rows, float[] bias) {
    float[] sums = new float[rows.length];
    for (int i = 0; i < sums.length; i++) {
      sums[i] = rows[i] + bias[i % bias.length];
    }
    return sums;
  }

  @Test
  void biasesOfFusedProjectionsHaveTheirWidths() {
    ActivationType type = ActivationType.BF16;
    CudaKernels kernels = kernels(type, KernelDevice.config(1, 2500, 6, 2, 4, 1));
    int qkvWidth = (6 + 2 * 2) * 4;
    for (int width : new int[] {qkvWidth, 2 * 2500}) {
      ActivationType stored = width == qkvWidth ? ActivationType.F32 : type;
      float[] bias = randomValues(stored, width);
      DeviceBuffer zeros = device.upload(stored, new float[2 * width]);
      long address = device.upload(ActivationType.F32, bias).address();
      if (width == qkvWidth) {
        kernels.addQkvBias(device.stream(), zeros.address(), address, 2);
      } else {
        kernels.addGateUpBias(device.stream(), zeros.address(), address, 2);
      }
      float[] actual = device.download(stored, zeros);
      assertThat(Arrays.copyOf(actual, width)).isEqualTo(bias);
      assertThat(Arrays.copyOfRange(actual, width, 2 * width)).isEqualTo(bias);
    }
  }

  @Test
  void noRowsLaunchNothing() {
    DeviceBuffer nothing = device.output(16);
    CudaKernels kernels = kernels(ActivationType.BF16, KernelDevice.config(8, 8, 1, 1, 2, 8));
    kernels.siluMul(device.stream(), nothing.address(), nothing.address(), 0);
    kernels.rmsNorm(device.stream(), nothing.address(), nothing.address(), nothing.address(), 0);
    device.stream().synchronize();
  }

  @Test
  void rowsThatStartBetweenMultiplesOf16BytesAreRefused() {
    long address = device.output(64).address() + 8;
    CudaKernels kernels = kernels(ActivationType.BF16, KernelDevice.config(8, 8, 1, 1, 2, 8));
    assertThatThrownBy(() -> kernels.siluMul(device.stream(), address, address, 1))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("silu_mul_bf16")
        .hasMessageContaining("multiple of 16");
  }
}
