package io.cusco.llama.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.cusco.llama.checkpoint.BlockFormats;
import io.cusco.llama.checkpoint.DType;
import io.cusco.llama.cuda.driver.DeviceBuffer;
import java.lang.foreign.MemorySegment;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/// The dequantize kernels against core's [BlockFormats], bit for bit.
abstract class AbstractDequantizeKernelTest extends AbstractKernelTest {

  static Stream<Arguments> cases() {
    return Stream.of(ActivationType.values())
        .flatMap(target ->
            DequantizeKernels.FORMATS.stream().map(format -> Arguments.of(format, target)));
  }

  @ParameterizedTest
  @MethodSource("cases")
  void valuesHaveTheBitsOfTheReferenceDecoder(DType format, ActivationType target) {
    DequantizeKernels kernels = new DequantizeKernels(device.modules(), target);
    // Tiles hold 64 small blocks or 8 large ones; odd numbers end between two 16-byte loads.
    for (int numBlocks : new int[] {1, 2, 3, 7, 8, 9, 13, 64, 65, 207}) {
      int count = numBlocks * format.blockSize();
      byte[] blocks = randomBlocks(format, numBlocks);
      float[] expected = new float[count];
      BlockFormats.dequantize(format, MemorySegment.ofArray(blocks), 0, expected, 0, count);
      DeviceBuffer out = device.output(target, count);
      kernels.dequantize(
          device.stream(), format, device.upload(blocks).address(), out.address(), count);
      assertThat(positiveZeros(device.download(target, out)))
          .as("%d blocks of %s", numBlocks, format)
          .isEqualTo(positiveZeros(KernelDevice.rounded(target, expected)));
      device.free();
    }
  }

  /// The decoder adds a minimum of zero where a format has none, which makes -0 to +0.
  private static float[] positiveZeros(float[] values) {
    for (int i = 0; i < values.length; i++) {
      values[i] += 0f;
    }
    return values;
  }

  @Test
  void otherFormatsAndPartsOfBlocksAreRefused() {
    DequantizeKernels kernels = new DequantizeKernels(device.modules(), ActivationType.F32);
    long address = device.output(1024).address();
    assertThatThrownBy(() -> kernels.dequantize(device.stream(), DType.Q2_K, address, address, 256))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("Q2_K");
    assertThatThrownBy(() -> kernels.dequantize(device.stream(), DType.Q8_0, address, address, 33))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("33");
  }
}
