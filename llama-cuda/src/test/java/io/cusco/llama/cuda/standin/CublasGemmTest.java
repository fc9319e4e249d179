package io.cusco.llama.cuda.standin;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import io.cusco.llama.cuda.bindings.cublas.Cublas;
import io.cusco.llama.cuda.driver.CudaContext;
import io.cusco.llama.cuda.driver.CudaGraph;
import io.cusco.llama.cuda.driver.CudaGraphExec;
import io.cusco.llama.cuda.driver.CudaStream;
import io.cusco.llama.cuda.driver.DeviceBuffer;
import io.cusco.llama.cuda.driver.ElementType;
import io.cusco.llama.cuda.driver.Gemm;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// The stand-in's products against float64 sums over the same inputs.
@EmulatedGpu
class CublasGemmTest {
  private static final long SEED = 20261121;
  private static final int INVALID_VALUE = CublasStatus.CUBLAS_STATUS_INVALID_VALUE.code();

  private static final GemmCase CUBE =
      new GemmCase(false, false, 8, 8, 8, 0, ElementFormat.F32, ElementFormat.F32);

  /// A handle on the legacy default stream, which a blocking copy waits for.
  private static MemorySegment handle(Arena arena) {
    MemorySegment pointer = arena.allocate(ValueLayout.ADDRESS);
    assertThat(Cublas.cublasCreate_v2(pointer)).isZero();
    return pointer.get(ValueLayout.ADDRESS, 0);
  }

  @ParameterizedTest
  @CsvSource({
    "BF16, BF16",
    "BF16, F32",
    "F16, F16",
    "F16, F32",
    "F32, F32",
  })
  void everyTransposeOfOddSizesIsRight(
      ElementFormat input, ElementFormat output, CudaContext context) {
    Random random = new Random(SEED);
    int[][] sizes = {{13, 7, 207}, {1, 1, 1}, {600, 3, 300}};
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment handle = handle(arena);
      for (int[] size : sizes) {
        for (int variant = 0; variant < 8; variant++) {
          boolean transposeA = (variant & 1) != 0;
          boolean transposeB = (variant & 2) != 0;
          int gap = (variant & 4) != 0 ? 3 : 0;
          check(
              context,
              handle,
              new GemmCase(transposeA, transposeB, size[0], size[1], size[2], gap, input, output),
              random);
        }
      }
      assertThat(Cublas.cublasDestroy_v2(handle)).isZero();
    }
  }

  private static void check(
      CudaContext context, MemorySegment handle, GemmCase gemm, Random random) {
    float[] a = DeviceArrays.random(random, gemm.sizeA(), gemm.input());
    float[] b = DeviceArrays.random(random, gemm.sizeB(), gemm.input());
    float[] c = DeviceArrays.random(random, gemm.sizeC(), gemm.output());
    float alpha = 0.75f;
    float beta = -0.5f;
    try (DeviceBuffer deviceA = DeviceArrays.upload(context, a, gemm.input());
        DeviceBuffer deviceB = DeviceArrays.upload(context, b, gemm.input());
        DeviceBuffer deviceC = DeviceArrays.upload(context, c, gemm.output())) {
      assertThat(gemm.call(handle, alpha, beta, deviceA, deviceB, deviceC)).isZero();
      float[] result = DeviceArrays.download(deviceC, gemm.output());
      gemm.check("seed " + SEED, alpha, beta, a, b, c, result);
    }
  }

  @Test
  void wrongLeadingDimensionsAndTypesAreRefused(CudaContext context, StandIn standIn) {
    try (Arena arena = Arena.ofConfined();
        DeviceBuffer buffer = DeviceBuffer.allocate(context, "matrices", 4096)) {
      MemorySegment handle = handle(arena);
      GemmCase narrow =
          new GemmCase(true, false, 4, 4, 8, -1, ElementFormat.BF16, ElementFormat.BF16);
      assertThat(narrow.call(handle, 0, 0, buffer, buffer, buffer)).isEqualTo(INVALID_VALUE);
      assertThat(standIn.lastFault()).contains("leading dimension is 7");
      GemmCase mixed = new GemmCase(true, false, 4, 4, 8, 0, ElementFormat.F32, ElementFormat.BF16);
      assertThat(mixed.call(handle, 0, 0, buffer, buffer, buffer))
          .isEqualTo(CublasStatus.CUBLAS_STATUS_NOT_SUPPORTED.code());
      assertThat(Cublas.cublasDestroy_v2(handle)).isZero();
      assertThat(Cublas.cublasDestroy_v2(handle))
          .isEqualTo(CublasStatus.CUBLAS_STATUS_NOT_INITIALIZED.code());
    }
  }

  @Test
  void aMatrixThatDoesNotFitItsBufferIsFoundWhenTheProductRuns(
      CudaContext context, StandIn standIn) {
    DeviceBuffer small = DeviceBuffer.allocate(context, "small", 64);
    small.fill((byte) 0);
    assertThat(CUBE.call(handle(Arena.ofAuto()), 1, 0, small, small, small)).isZero();
    assertThatThrownBy(context::synchronize).hasMessageContaining("CUDA_ERROR_ILLEGAL_ADDRESS");
    assertThat(standIn.lastFault()).contains("GEMM 8 x 8 x 8", "64 bytes");
  }

  @Test
  void aMatrixThatNothingWroteIsFound(CudaContext context, StandIn standIn) {
    DeviceBuffer fresh = DeviceBuffer.allocate(context, "fresh", 256);
    assertThat(CUBE.call(handle(Arena.ofAuto()), 1, 0, fresh, fresh, fresh)).isZero();
    assertThatThrownBy(context::synchronize).hasMessageContaining("CUDA_ERROR_LAUNCH_FAILED");
    assertThat(standIn.lastFault()).contains("matrix A of a GEMM", "nothing has written");
  }

  @Test
  void stridedBatchesAndBatchesOfPointersAgree(CudaContext context) {
    Random random = new Random(SEED);
    int m = 5;
    int n = 3;
    int k = 9;
    int batch = 4;
    float[] a = DeviceArrays.random(random, batch * m * k, ElementFormat.BF16);
    float[] b = DeviceArrays.random(random, batch * k * n, ElementFormat.BF16);
    try (Arena arena = Arena.ofConfined();
        DeviceBuffer deviceA = DeviceArrays.upload(context, a, ElementFormat.BF16);
        DeviceBuffer deviceB = DeviceArrays.upload(context, b, ElementFormat.BF16);
        DeviceBuffer strided = DeviceBuffer.allocate(context, "strided", 4L * batch * m * n);
        DeviceBuffer pointed = DeviceBuffer.allocate(context, "pointed", 4L * batch * m * n);
        DeviceBuffer pointers = DeviceBuffer.allocate(context, "pointers", 3 * 8L * batch)) {
      MemorySegment handle = handle(arena);
      MemorySegment one = arena.allocateFrom(ValueLayout.JAVA_FLOAT, 1f);
      MemorySegment zero = arena.allocateFrom(ValueLayout.JAVA_FLOAT, 0f);
      MemorySegment table = arena.allocate(pointers.numBytes());
      for (int i = 0; i < batch; i++) {
        table.setAtIndex(ValueLayout.JAVA_LONG, i, deviceA.address() + 2L * i * m * k);
        table.setAtIndex(ValueLayout.JAVA_LONG, batch + i, deviceB.address() + 2L * i * k * n);
        table.setAtIndex(ValueLayout.JAVA_LONG, 2 * batch + i, pointed.address() + 4L * i * m * n);
      }
      pointers.copyFrom(table, 0);
      int type = Cublas.CUDA_R_16BF();
      assertThat(
              Cublas.cublasGemmStridedBatchedEx(
                  handle,
                  0,
                  0,
                  m,
                  n,
                  k,
                  one,
                  MemorySegment.ofAddress(deviceA.address()),
                  type,
                  m,
                  (long) m * k,
                  MemorySegment.ofAddress(deviceB.address()),
                  type,
                  k,
                  (long) k * n,
                  zero,
                  MemorySegment.ofAddress(strided.address()),
                  Cublas.CUDA_R_32F(),
                  m,
                  (long) m * n,
                  batch,
                  Cublas.CUBLAS_COMPUTE_32F(),
                  Cublas.CUBLAS_GEMM_DEFAULT()))
          .isZero();
      assertThat(
              Cublas.cublasGemmBatchedEx(
                  handle,
                  0,
                  0,
                  m,
                  n,
                  k,
                  one,
                  MemorySegment.ofAddress(pointers.address()),
                  type,
                  m,
                  MemorySegment.ofAddress(pointers.address() + 8L * batch),
                  type,
                  k,
                  zero,
                  MemorySegment.ofAddress(pointers.address() + 16L * batch),
                  Cublas.CUDA_R_32F(),
                  m,
                  batch,
                  Cublas.CUBLAS_COMPUTE_32F(),
                  Cublas.CUBLAS_GEMM_DEFAULT()))
          .isZero();
      float[] result = DeviceArrays.download(strided, ElementFormat.F32);
      assertThat(DeviceArrays.download(pointed, ElementFormat.F32)).isEqualTo(result);
      double expected = 0;
      for (int p = 0; p < k; p++) {
        expected += (double) a[(batch - 1) * m * k + p * m] * b[(batch - 1) * k * n + p];
      }
      assertThat((double) result[(batch - 1) * m * n]).isCloseTo(expected, within(1e-5));
      assertThat(Cublas.cublasDestroy_v2(handle)).isZero();
    }
  }

  @Test
  void headsSideBySideAreABatchAndOverlappingResultsAreNot(CudaContext context) {
    int heads = 3;
    int headDim = 4;
    int tokens = 5;
    float[] ones = new float[heads * headDim * tokens];
    Arrays.fill(ones, 1);
    try (Arena arena = Arena.ofConfined();
        DeviceBuffer a = DeviceArrays.upload(context, ones, ElementFormat.F32);
        DeviceBuffer c = DeviceBuffer.allocate(context, "heads", 4L * ones.length)) {
      MemorySegment handle = handle(arena);
      MemorySegment one = arena.allocateFrom(ValueLayout.JAVA_FLOAT, 1f);
      MemorySegment zero = arena.allocateFrom(ValueLayout.JAVA_FLOAT, 0f);
      MemorySegment in = MemorySegment.ofAddress(a.address());
      MemorySegment result = MemorySegment.ofAddress(c.address());
      int type = Cublas.CUDA_R_32F();
      for (int stride : new int[] {headDim, headDim - 1}) {
        int status =
            Cublas.cublasGemmStridedBatchedEx(
                handle,
                0,
                0,
                headDim,
                tokens,
                1,
                one,
                in,
                type,
                headDim,
                0,
                in,
                type,
                1,
                0,
                zero,
                result,
                type,
                heads * headDim,
                stride,
                heads,
                Cublas.CUBLAS_COMPUTE_32F(),
                -1);
        assertThat(status).isEqualTo(stride == headDim ? 0 : INVALID_VALUE);
      }
      assertThat(DeviceArrays.download(c, ElementFormat.F32)).containsOnly(1f);
      assertThat(Cublas.cublasDestroy_v2(handle)).isZero();
    }
  }

  @Test
  void aCapturedProductNeedsAWorkspaceAndReplays(CudaContext context, StandIn standIn) {
    Gemm gemm = Gemm.linear(3, 5, 16, ElementType.BF16, ElementType.F32);
    Random random = new Random(SEED);
    float[] tokens = DeviceArrays.random(random, 3 * 16, ElementFormat.BF16);
    float[] weights = DeviceArrays.random(random, 5 * 16, ElementFormat.BF16);
    try (CudaStream stream = CudaStream.create(context);
        DeviceBuffer workspace = DeviceBuffer.allocate(context, "workspace", 1 << 16);
        DeviceBuffer a = DeviceArrays.upload(context, tokens, ElementFormat.BF16);
        DeviceBuffer b = DeviceArrays.upload(context, weights, ElementFormat.BF16);
        DeviceBuffer c = DeviceBuffer.allocate(context, "result", 4 * 15);
        var cublas = io.cusco.llama.cuda.driver.Cublas.create(stream, workspace)) {
      c.fill((byte) 0);
      try (CudaGraph graph =
              CudaGraph.capture(
                  stream, () -> cublas.gemm(gemm, 1, a.address(), b.address(), 1, c.address()));
          CudaGraphExec exec = graph.instantiate()) {
        exec.launch(stream);
        exec.launch(stream);
        stream.synchronize();
      }
      float[] result = DeviceArrays.download(c, ElementFormat.F32);
      for (int token = 0; token < 3; token++) {
        for (int feature = 0; feature < 5; feature++) {
          double sum = 0;
          for (int p = 0; p < 16; p++) {
            sum += 2.0 * tokens[token * 16 + p] * weights[feature * 16 + p];
          }
          assertThat((double) result[token * 5 + feature]).isCloseTo(sum, within(1e-5));
        }
      }
      assertThat(standIn.lastFault()).isEmpty();
    }
  }
}
