package io.cusco.llama.cuda.driver;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;
import static org.junit.jupiter.api.Assumptions.assumeFalse;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// cuBLAS and cublasLt behind their row-major wrappers, in float32, against three loops in double.
abstract class MatrixProductTest {
  /// Relative to sums of a few dozen products of numbers below 1, in float32.
  private static final float TOLERANCE = 1e-4f;

  private static final int WORKSPACE_BYTES = 4 << 20;
  private static final long SEED = 20;

  private final SplittableRandom random = new SplittableRandom(SEED);

  /// Features in and out of a product whose rows are counted.
  protected abstract int features();

  /// Numbers of rows to multiply, ascending.
  protected abstract int[] numbersOfRows();

  private float[] random(int length) {
    float[] values = new float[length];
    for (int i = 0; i < length; i++) {
      values[i] = (float) random.nextDouble(-1, 1);
    }
    return values;
  }

  private static DeviceBuffer upload(CudaContext context, float[] values) {
    DeviceBuffer buffer = DeviceBuffer.allocate(context, "matrix", 4L * values.length);
    try (Arena arena = Arena.ofConfined()) {
      buffer.copyFrom(arena.allocateFrom(JAVA_FLOAT, values), 0);
    }
    return buffer;
  }

  private static float[] download(DeviceBuffer buffer) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment host = arena.allocate(buffer.numBytes(), 4);
      buffer.copyTo(host, 0);
      return host.toArray(JAVA_FLOAT);
    }
  }

  private static double dot(Gemm gemm, float[] a, float[] b, int row, int column) {
    double sum = 0;
    for (int i = 0; i < gemm.k(); i++) {
      int indexA = gemm.transposeA() ? i * gemm.strideA() + row : row * gemm.strideA() + i;
      int indexB = gemm.transposeB() ? column * gemm.strideB() + i : i * gemm.strideB() + column;
      sum += (double) a[indexA] * b[indexB];
    }
    return sum;
  }

  @ParameterizedTest
  @CsvSource({"false, false", "false, true", "true, false", "true, true"})
  void aProductIsRowMajorInAllItsMatrices(
      boolean transposeA, boolean transposeB, CudaContext context) {
    // Rows are further apart than they are long.
    Gemm gemm =
        new Gemm(
            transposeA,
            transposeB,
            5,
            7,
            13,
            ElementType.F32,
            ElementType.F32,
            transposeA ? 6 : 15,
            transposeB ? 14 : 9,
            8,
            false);
    float[] a = random((transposeA ? 13 : 5) * gemm.strideA());
    float[] b = random((transposeB ? 7 : 13) * gemm.strideB());
    float[] c = random(5 * 8);
    try (CudaStream stream = CudaStream.create(context);
        DeviceBuffer workspace = DeviceBuffer.allocate(context, "workspace", WORKSPACE_BYTES);
        Cublas cublas = Cublas.create(stream, workspace);
        DeviceBuffer deviceA = upload(context, a);
        DeviceBuffer deviceB = upload(context, b);
        DeviceBuffer deviceC = upload(context, c)) {
      cublas.gemm(gemm, 2, deviceA.address(), deviceB.address(), 0.5f, deviceC.address());
      float[] result = download(deviceC);
      for (int row = 0; row < 5; row++) {
        for (int column = 0; column < 7; column++) {
          double expected = 2 * dot(gemm, a, b, row, column) + 0.5 * c[row * 8 + column];
          assertThat(result[row * 8 + column])
              .as("seed %d, row %d, column %d", SEED, row, column)
              .isCloseTo((float) expected, within(TOLERANCE));
        }
        assertThat(result[row * 8 + 7]).as("between the rows").isEqualTo(c[row * 8 + 7]);
      }
    }
  }

  @Test
  void aBatchMayShareAMatrix(CudaContext context) {
    Gemm gemm = Gemm.linear(2, 3, 4, ElementType.F32, ElementType.F32);
    float[] a = random(3 * 8);
    float[] b = random(12);
    try (CudaStream stream = CudaStream.create(context);
        DeviceBuffer workspace = DeviceBuffer.allocate(context, "workspace", WORKSPACE_BYTES);
        Cublas cublas = Cublas.create(stream, workspace);
        DeviceBuffer deviceA = upload(context, a);
        DeviceBuffer deviceB = upload(context, b);
        DeviceBuffer deviceC = upload(context, new float[3 * 6])) {
      cublas.gemmStridedBatched(
          gemm,
          new Cublas.Batch(3, 8, 0, 6),
          1,
          deviceA.address(),
          deviceB.address(),
          0,
          deviceC.address());
      float[] result = download(deviceC);
      for (int i = 0; i < result.length; i++) {
        // Rows of all products follow each other, as one product of six rows would have them.
        assertThat(result[i]).isCloseTo((float) dot(gemm, a, b, i / 3, i % 3), within(TOLERANCE));
      }
    }
  }

  /// What the deterministic mode rests on, and cublasLt's documentation does not say.
  @ParameterizedTest
  @CsvSource({"BF16, F32", "BF16, BF16", "F16, F32", "F32, F32"})
  void rowsOfOneAlgorithmDoNotDependOnTheirNumber(
      ElementType in, ElementType out, CudaContext context) {
    int features = features();
    int[] numbers = numbersOfRows();
    int most = numbers[numbers.length - 1];
    LtMatmul matmul =
        LtMatmul.ofAnyRows(
            Gemm.linear(128, features, features, in, out),
            LtMatmul.Scaling.NONE,
            LtMatmul.Rows.ANY_WITH_SAME_RESULTS,
            LtMatmul.ALIGNMENT);
    try (CudaStream stream = CudaStream.create(context);
        DeviceBuffer workspace = DeviceBuffer.allocate(context, "workspace", WORKSPACE_BYTES);
        CublasLt lt = CublasLt.create(context, workspace);
        DeviceBuffer a = randomBits(context, in, most * features);
        DeviceBuffer b = randomBits(context, in, features * features);
        DeviceBuffer c =
            DeviceBuffer.allocate(context, "result", (long) out.numBytes() * most * features);
        Arena arena = Arena.ofConfined()) {
      MemorySegment first = arena.allocate((long) out.numBytes() * features, 16);
      MemorySegment all = arena.allocate(c.numBytes(), 16);
      for (int rows : numbers) {
        c.fill((byte) 0xff);
        lt.matmul(matmul, rows, a.address(), b.address(), 0, c.address(), stream);
        stream.synchronize();
        c.copyTo(all, 0);
        if (rows == numbers[0]) {
          first.copyFrom(all.asSlice(0, first.byteSize()));
        }
        assertThat(all.asSlice(0, first.byteSize()).mismatch(first))
            .as("seed %d, %s to %s, row 0 of %d", SEED, in, out, rows)
            .isEqualTo(-1);
      }
    }
  }

  @Test
  void moreRowsThanAnAlgorithmWasAskedForAreRefused(CudaContext context) {
    LtMatmul matmul =
        LtMatmul.ofAnyRows(
            Gemm.linear(16, 32, 32, ElementType.F32, ElementType.F32),
            LtMatmul.Scaling.NONE,
            LtMatmul.Rows.ANY,
            LtMatmul.ALIGNMENT);
    try (CudaStream stream = CudaStream.create(context);
        DeviceBuffer workspace = DeviceBuffer.allocate(context, "workspace", WORKSPACE_BYTES);
        CublasLt lt = CublasLt.create(context, workspace)) {
      long any = workspace.address();
      for (int rows : new int[] {0, 17}) {
        assertThatThrownBy(() -> lt.matmul(matmul, rows, any, any, 0, any, stream))
            .isInstanceOf(IllegalArgumentException.class)
            .hasMessageContaining("from 1 to 16 rows, got " + rows);
      }
    }
  }

  /// Numbers between -1 and 1.
  private DeviceBuffer randomBits(CudaContext context, ElementType type, int count) {
    DeviceBuffer buffer = DeviceBuffer.allocate(context, "matrix", (long) type.numBytes() * count);
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment host = arena.allocate(buffer.numBytes(), 16);
      for (int i = 0; i < count; i++) {
        float value = (float) random.nextDouble(-1, 1);
        switch (type) {
          case F32 -> host.setAtIndex(JAVA_FLOAT, i, value);
          case F16 -> host.setAtIndex(JAVA_SHORT, i, Float.floatToFloat16(value));
          case BF16 ->
              host.setAtIndex(JAVA_SHORT, i, (short) (Float.floatToRawIntBits(value) >>> 16));
          default -> throw new IllegalArgumentException(type + " is not filled here");
        }
      }
      buffer.copyFrom(host, 0);
    }
    return buffer;
  }

  @Test
  void cublasLtAddsTheBiasToEveryRow(CudaContext context) {
    Gemm gemm = Gemm.linear(4, 16, 32, ElementType.F32, ElementType.F32);
    LtMatmul matmul = new LtMatmul(gemm, true, LtMatmul.Scaling.NONE);
    float[] a = random(4 * 32);
    float[] b = random(16 * 32);
    float[] bias = random(16);
    try (CudaStream stream = CudaStream.create(context);
        DeviceBuffer workspace = DeviceBuffer.allocate(context, "workspace", WORKSPACE_BYTES);
        CublasLt lt = CublasLt.create(context, workspace);
        DeviceBuffer deviceA = upload(context, a);
        DeviceBuffer deviceB = upload(context, b);
        DeviceBuffer deviceC = upload(context, new float[4 * 16]);
        DeviceBuffer deviceBias = upload(context, bias)) {
      LtMatmul.Operands operands =
          new LtMatmul.Operands(
              deviceA.address(), deviceB.address(), deviceC.address(), deviceBias.address(), 0, 0);
      lt.prepare(matmul, operands);
      lt.matmul(matmul, 1, operands, 0, stream);
      float[] result = download(deviceC);
      for (int i = 0; i < result.length; i++) {
        assertThat(result[i])
            .isCloseTo((float) dot(gemm, a, b, i / 16, i % 16) + bias[i % 16], within(TOLERANCE));
      }
    }
  }

  private static final Gemm FP8 = Gemm.linear(16, 32, 64, ElementType.FP8_E4M3, ElementType.BF16);
  private static final LtMatmul FP8_BY_ROW = new LtMatmul(FP8, false, LtMatmul.Scaling.PER_ROW);

  @Test
  void fp8InputsAreScaledByRowAndByColumn(CudaContext context) {
    assumeTrue(context.device().computeMajor() == 9, "scales per row are for compute capability 9");
    byte[] a = randomSigns(16 * 64);
    byte[] b = randomSigns(32 * 64);
    // Powers of two, so that bfloat16 holds every result.
    float[] scaleA = powersOfTwo(16, 4);
    float[] scaleB = powersOfTwo(32, 3);
    try (CudaStream stream = CudaStream.create(context);
        DeviceBuffer workspace = DeviceBuffer.allocate(context, "workspace", WORKSPACE_BYTES);
        CublasLt lt = CublasLt.create(context, workspace);
        DeviceBuffer deviceA = uploadBytes(context, a);
        DeviceBuffer deviceB = uploadBytes(context, b);
        DeviceBuffer deviceC = DeviceBuffer.allocate(context, "product", 2 * 16 * 32);
        DeviceBuffer deviceScaleA = upload(context, scaleA);
        DeviceBuffer deviceScaleB = upload(context, scaleB)) {
      LtMatmul.Operands operands =
          new LtMatmul.Operands(
              deviceA.address(),
              deviceB.address(),
              deviceC.address(),
              0,
              deviceScaleA.address(),
              deviceScaleB.address());
      lt.matmul(FP8_BY_ROW, 1, operands, 0, stream);
      float[] result = downloadBf16(deviceC);
      for (int i = 0; i < result.length; i++) {
        int row = i / 32;
        int column = i % 32;
        int sum = 0;
        for (int j = 0; j < 64; j++) {
          sum += a[row * 64 + j] == b[column * 64 + j] ? 1 : -1;
        }
        assertThat(result[i]).isEqualTo(sum * scaleA[row] * scaleB[column]);
      }
    }
  }

  @Test
  void whatTheDeviceCannotDoIsSaid(CudaContext context) {
    assumeFalse(context.device().computeMajor() == 9, "this device scales FP8 per row");
    try (DeviceBuffer workspace = DeviceBuffer.allocate(context, "workspace", WORKSPACE_BYTES);
        CublasLt lt = CublasLt.create(context, workspace)) {
      LtMatmul.Operands operands = new LtMatmul.Operands(256, 512, 768, 0, 1024, 1280);
      assertThatThrownBy(() -> lt.prepare(FP8_BY_ROW, operands))
          .isInstanceOf(CudaException.class)
          .hasMessageContaining("cublasLt has no algorithm on device 0 (")
          .hasMessageContaining("inputType=FP8_E4M3");
    }
  }

  /// 1 and -1 as E4M3.
  private byte[] randomSigns(int length) {
    byte[] values = new byte[length];
    for (int i = 0; i < length; i++) {
      values[i] = (byte) (random.nextBoolean() ? 0x38 : 0xb8);
    }
    return values;
  }

  private static float[] powersOfTwo(int length, int period) {
    float[] values = new float[length];
    for (int i = 0; i < length; i++) {
      values[i] = Math.scalb(1f, i % period);
    }
    return values;
  }

  private static float[] downloadBf16(DeviceBuffer buffer) {
    float[] values = new float[(int) (buffer.numBytes() / 2)];
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment host = arena.allocate(buffer.numBytes(), 2);
      buffer.copyTo(host, 0);
      for (int i = 0; i < values.length; i++) {
        values[i] = Float.intBitsToFloat(host.getAtIndex(JAVA_SHORT, i) << 16);
      }
    }
    return values;
  }

  private static DeviceBuffer uploadBytes(CudaContext context, byte[] values) {
    DeviceBuffer buffer = DeviceBuffer.allocate(context, "FP8 matrix", values.length);
    try (Arena arena = Arena.ofConfined()) {
      buffer.copyFrom(arena.allocateFrom(JAVA_BYTE, values), 0);
    }
    return buffer;
  }

  @Test
  void aClosedHandleSaysSo(CudaContext context) {
    try (CudaStream stream = CudaStream.create(context);
        DeviceBuffer workspace = DeviceBuffer.allocate(context, "workspace", WORKSPACE_BYTES)) {
      Cublas cublas = Cublas.create(stream, workspace);
      CublasLt lt = CublasLt.create(context, workspace);
      for (int i = 0; i < 2; i++) {
        cublas.close();
        lt.close();
      }
      Gemm gemm = Gemm.linear(1, 1, 1, ElementType.F32, ElementType.F32);
      assertThatThrownBy(() -> cublas.gemm(gemm, 1, 0, 0, 0, 0))
          .isInstanceOf(IllegalStateException.class)
          .hasMessageStartingWith("cuBLAS handle of device 0");
      LtMatmul matmul = new LtMatmul(gemm, false, LtMatmul.Scaling.NONE);
      assertThatThrownBy(() -> lt.matmul(matmul, 1, LtMatmul.Operands.of(16, 16, 16), 0, stream))
          .isInstanceOf(IllegalStateException.class)
          .hasMessageStartingWith("cublasLt handle of device 0");
    }
  }
}
