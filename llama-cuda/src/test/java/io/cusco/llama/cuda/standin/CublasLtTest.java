package io.cusco.llama.cuda.standin;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import io.cusco.llama.cuda.bindings.driver.CudaDriver;
import io.cusco.llama.cuda.driver.CublasLt;
import io.cusco.llama.cuda.driver.CudaContext;
import io.cusco.llama.cuda.driver.CudaDevice;
import io.cusco.llama.cuda.driver.CudaStream;
import io.cusco.llama.cuda.driver.DeviceBuffer;
import io.cusco.llama.cuda.driver.ElementType;
import io.cusco.llama.cuda.driver.Gemm;
import io.cusco.llama.cuda.driver.LtMatmul;
import java.util.Optional;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// Products through cublasLt: bias and FP8 with its scales.
@EmulatedGpu
class CublasLtTest {
  private static final long SEED = 20261122;
  private static final int TOKENS = 5;
  private static final int IN = 48;
  private static final int OUT = 32;

  private static float[] random(Random random, int count, ElementFormat format) {
    return DeviceArrays.random(random, count, format);
  }

  @Test
  void aBiasIsAddedToEveryToken(CudaContext context) {
    Random random = new Random(SEED);
    ElementFormat bf16 = ElementFormat.BF16;
    float[] tokens = random(random, TOKENS * IN, bf16);
    float[] weights = random(random, OUT * IN, bf16);
    float[] biases = random(random, OUT, bf16);
    Gemm gemm = Gemm.linear(TOKENS, OUT, IN, ElementType.BF16, ElementType.BF16);
    LtMatmul matmul = new LtMatmul(gemm, true, LtMatmul.Scaling.NONE);
    try (CudaStream stream = CudaStream.create(context);
        DeviceBuffer workspace = DeviceBuffer.allocate(context, "workspace", 1 << 16);
        DeviceBuffer a = DeviceArrays.upload(context, tokens, bf16);
        DeviceBuffer b = DeviceArrays.upload(context, weights, bf16);
        DeviceBuffer bias = DeviceArrays.upload(context, biases, bf16);
        DeviceBuffer c = DeviceBuffer.allocate(context, "result", 2L * TOKENS * OUT);
        CublasLt lt = CublasLt.create(context, workspace)) {
      var operands =
          new LtMatmul.Operands(a.address(), b.address(), c.address(), bias.address(), 0, 0);
      lt.matmul(matmul, 2, operands, 0, stream);
      stream.synchronize();
      float[] result = DeviceArrays.download(c, bf16);
      for (int t = 0; t < TOKENS; t++) {
        for (int o = 0; o < OUT; o++) {
          double expected = 2 * dot(tokens, t, weights, o) + biases[o];
          assertThat((double) result[t * OUT + o])
              .as("seed %d, token %d, feature %d", SEED, t, o)
              .isCloseTo(expected, within(Math.abs(expected) * 0x1p-8 + 1e-5));
        }
      }
    }
  }

  private static double dot(float[] tokens, int t, float[] weights, int o) {
    double sum = 0;
    for (int p = 0; p < IN; p++) {
      sum += (double) tokens[t * IN + p] * weights[o * IN + p];
    }
    return sum;
  }

  @ParameterizedTest
  @EnumSource(names = {"PER_TENSOR", "PER_ROW"})
  void fp8IsScaledBack(LtMatmul.Scaling scaling, StandIn standIn) {
    standIn.reset(StandInSettings.DEFAULT.withComputeCapability(9, 0), SEED);
    assertThat(CudaDriver.cuInit(0)).isZero();
    boolean perRow = scaling == LtMatmul.Scaling.PER_ROW;
    Random random = new Random(SEED);
    float[] tokens = random(random, TOKENS * IN, ElementFormat.E4M3);
    float[] weights = random(random, OUT * IN, ElementFormat.E4M3);
    float[] scalesA = random(random, perRow ? TOKENS : 1, ElementFormat.F32);
    float[] scalesB = random(random, perRow ? OUT : 1, ElementFormat.F32);
    Gemm gemm = Gemm.linear(TOKENS, OUT, IN, ElementType.FP8_E4M3, ElementType.BF16);
    LtMatmul matmul = new LtMatmul(gemm, false, scaling);
    try (CudaContext context = CudaContext.open(CudaDevice.all().getFirst());
        CudaStream stream = CudaStream.create(context);
        DeviceBuffer workspace = DeviceBuffer.allocate(context, "workspace", 1 << 16);
        DeviceBuffer a = DeviceArrays.upload(context, tokens, ElementFormat.E4M3);
        DeviceBuffer b = DeviceArrays.upload(context, weights, ElementFormat.E4M3);
        DeviceBuffer scaleA = DeviceArrays.upload(context, scalesA, ElementFormat.F32);
        DeviceBuffer scaleB = DeviceArrays.upload(context, scalesB, ElementFormat.F32);
        DeviceBuffer c = DeviceBuffer.allocate(context, "result", 2L * TOKENS * OUT);
        CublasLt lt = CublasLt.create(context, workspace)) {
      var operands =
          new LtMatmul.Operands(
              a.address(), b.address(), c.address(), 0, scaleA.address(), scaleB.address());
      lt.matmul(matmul, 1, operands, 0, stream);
      stream.synchronize();
      float[] result = DeviceArrays.download(c, ElementFormat.BF16);
      for (int t = 0; t < TOKENS; t++) {
        for (int o = 0; o < OUT; o++) {
          double expected =
              dot(tokens, t, weights, o) * scalesA[perRow ? t : 0] * scalesB[perRow ? o : 0];
          assertThat((double) result[t * OUT + o])
              .as("seed %d, token %d, feature %d", SEED, t, o)
              .isCloseTo(expected, within(Math.abs(expected) * 0x1p-8 + 1e-6));
        }
      }
    }
  }

  @Test
  void scalesPerRowAreRefusedWhereTheyAreNotKnown(StandIn standIn) {
    Gemm gemm = Gemm.linear(TOKENS, OUT, IN, ElementType.FP8_E4M3, ElementType.BF16);
    LtMatmul matmul =
        LtMatmul.ofAnyRows(gemm, LtMatmul.Scaling.PER_ROW, LtMatmul.Rows.ANY, LtMatmul.ALIGNMENT);
    StandInSettings hopper = StandInSettings.DEFAULT.withComputeCapability(9, 0);
    assertThat(refusal(standIn, hopper, matmul)).isEmpty();
    assertThat(refusal(standIn, hopper.withCublasVersion(120801), matmul).orElseThrow())
        .contains("no algorithm");
    assertThat(refusal(standIn, hopper.withCublasVersion(120603), matmul).orElseThrow())
        .contains("cublasLtMatmulDescSetAttribute");
    assertThat(refusal(standIn, hopper.withComputeCapability(10, 0), matmul).orElseThrow())
        .contains("compute capability 10.0");
  }

  private static Optional<String> refusal(
      StandIn standIn, StandInSettings settings, LtMatmul matmul) {
    standIn.reset(settings, SEED);
    assertThat(CudaDriver.cuInit(0)).isZero();
    try (CudaContext context = CudaContext.open(CudaDevice.all().getFirst());
        DeviceBuffer workspace = DeviceBuffer.allocate(context, "workspace", 1 << 16);
        CublasLt lt = CublasLt.create(context, workspace)) {
      return lt.refusal(matmul, workspace.address(), workspace.address());
    }
  }

  @Test
  void fp8IsRefusedBeforeComputeCapability89(CudaContext context, StandIn standIn) {
    Gemm gemm = Gemm.linear(TOKENS, OUT, IN, ElementType.FP8_E4M3, ElementType.BF16);
    LtMatmul matmul = new LtMatmul(gemm, false, LtMatmul.Scaling.NONE);
    try (DeviceBuffer workspace = DeviceBuffer.allocate(context, "workspace", 1 << 16);
        CublasLt lt = CublasLt.create(context, workspace)) {
      var operands =
          LtMatmul.Operands.of(workspace.address(), workspace.address(), workspace.address());
      assertThatThrownBy(() -> lt.prepare(matmul, operands)).hasMessageContaining("8.0");
      assertThat(standIn.lastFault()).contains("FP8 needs compute capability 8.9");
    }
  }
}
