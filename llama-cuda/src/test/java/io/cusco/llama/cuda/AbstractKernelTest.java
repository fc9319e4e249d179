package io.cusco.llama.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import io.cusco.llama.checkpoint.DType;
import io.cusco.llama.checkpoint.LlamaWeights.RotaryLayout;
import io.cusco.llama.config.LlamaConfig;
import io.cusco.llama.cuda.driver.CudaContext;
import io.cusco.llama.model.KvCacheSpec;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.SplittableRandom;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.TestInstance;

/// What the tests of one kernel family share: a device, random inputs whose seed is printed, and
/// comparison with float64. Subclasses say which device, by annotation.
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
abstract class AbstractKernelTest {
  private static final KvCacheSpec NO_CACHE = new KvCacheSpec(1, 1);

  private static final long SEED = Long.getLong("llama.kernel.seed", 20261121);

  final SplittableRandom random = new SplittableRandom(SEED);
  KernelDevice device;

  @BeforeAll
  void printSeed() {
    System.out.printf("%s: inputs of -Dllama.kernel.seed=%d%n", getClass().getSimpleName(), SEED);
  }

  @BeforeEach
  void open(CudaContext context) {
    device = new KernelDevice(context);
  }

  @AfterEach
  void close() {
    device.close();
  }

  CudaKernels kernels(ActivationType type, LlamaConfig config) {
    return new CudaKernels(
        device.modules(), KvFormat.plain(type), config, RotaryLayout.ROTATE_HALF, NO_CACHE);
  }

  /// Values as a network has them, a few of them large, rounded to `type`.
  float[] randomValues(ActivationType type, int count) {
    float[] values = new float[count];
    for (int i = 0; i < count; i++) {
      double scale = random.nextInt(16) == 0 ? 20 : 1;
      values[i] = (float) (scale * random.nextGaussian());
    }
    return KernelDevice.rounded(type, values);
  }

  /// Any bytes are a block; only the scales are chosen, so that nothing is infinite. Zero,
  /// subnormal and negative scales are among them.
  byte[] randomBlocks(DType format, int numBlocks) {
    byte[] bytes =
        new byte[Math.toIntExact(format.numBytes((long) numBlocks * format.blockSize()))];
    random.nextBytes(bytes);
    MemorySegment blocks = MemorySegment.ofArray(bytes);
    for (int block = 0; block < numBlocks; block++) {
      long at = (long) block * format.blockBytes();
      switch (format) {
        case Q4_K -> {
          setScale(blocks, at, block);
          setScale(blocks, at + 2, block + 1);
        }
        case Q6_K -> setScale(blocks, at + 208, block);
        default -> setScale(blocks, at, block);
      }
    }
    return bytes;
  }

  private void setScale(MemorySegment blocks, long at, int which) {
    float scale =
        switch (which % 8) {
          case 3 -> 0;
          case 5 -> 0x1p-23f;
          default -> (float) random.nextGaussian();
        };
    blocks.set(ValueLayout.JAVA_SHORT_UNALIGNED, at, Float.floatToFloat16(scale));
  }

  /// The relative error of one rounding to `type`, with `floatRoundings` roundings of float32
  /// arithmetic before it.
  static double tolerance(ActivationType type, int floatRoundings) {
    double last =
        switch (type) {
          case BF16 -> 0x1p-8;
          case F16 -> 0x1p-11;
          case F32 -> 0;
        };
    return last + floatRoundings * 0x1p-24;
  }

  /// Every value within `relative` of what is expected, plus `absolute`.
  static void assertClose(
      String what, double[] expected, float[] actual, double relative, double absolute) {
    assertThat(actual.length).as("length of " + what).isEqualTo(expected.length);
    for (int i = 0; i < expected.length; i++) {
      double allowed = absolute + relative * Math.abs(expected[i]);
      double error = Math.abs(actual[i] - expected[i]);
      if (!(error <= allowed)) {
        throw new AssertionError(
            "%s: element %d of %d is %s, expected %s within %s"
                .formatted(what, i, expected.length, actual[i], expected[i], allowed));
      }
    }
  }
}
