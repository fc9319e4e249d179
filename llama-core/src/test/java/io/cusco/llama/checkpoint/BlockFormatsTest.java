package io.cusco.llama.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.within;

import io.cusco.llama.testkit.TestData;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Random;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

final class BlockFormatsTest {

  /// Expected values: gguf-py, as the reference data's index says.
  @Test
  void everyReferenceBlockWidensToTheReferenceValues() throws IOException {
    Path folder = TestData.require("dequant");
    JsonObject index = JsonObject.read(folder.resolve("index.json"));
    assertThat(index.keys()).isNotEmpty();
    for (String name : new TreeSet<>(index.keys())) {
      DType dtype = DType.valueOf(name);
      JsonObject facts = index.requireObject(name);
      assertThat(dtype.ggmlId()).isEqualTo(facts.requireInt("ggml_type_id"));
      assertThat(dtype.blockSize()).isEqualTo(facts.requireInt("block_values"));
      assertThat(dtype.blockBytes()).isEqualTo(facts.requireInt("block_bytes"));
      float[] expected = readFloats(folder.resolve(name + ".f32"));
      float[] actual = new float[expected.length];
      try (Arena arena = Arena.ofConfined()) {
        MemorySegment blocks = MappedCheckpoint.map(folder.resolve(name + ".blocks"), arena);
        BlockFormats.dequantize(dtype, blocks, 0, actual, 0, actual.length);
      }
      assertBlocksAgree(dtype, actual, expected, 1e-6);
    }
  }

  @ParameterizedTest
  @EnumSource(
      value = DType.class,
      names = {"F32", "F16", "BF16", "Q8_0", "Q4_0"})
  void quantisedValuesComeBackWithinHalfAStep(DType dtype) {
    long seed = 20261121;
    System.out.println("quantisedValuesComeBackWithinHalfAStep seed " + seed);
    Random random = new Random(seed);
    float[] values = new float[7 * 32];
    for (int i = 32; i < values.length; i++) { // the first block stays zero
      values[i] = (float) random.nextGaussian();
    }
    float[] actual = new float[values.length];
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment blocks = arena.allocate(dtype.numBytes(values.length));
      BlockQuantizer.quantize(dtype, values, 0, values.length, blocks, 0);
      BlockFormats.dequantize(dtype, blocks, 0, actual, 0, actual.length);
    }
    // Half a step of the largest magnitude; Q4_0 clips the far end by up to a whole step; each plus
    // the rounding of the float16 scale.
    double step =
        switch (dtype) {
          case F32 -> 0;
          case F16 -> 0x1p-11;
          case BF16 -> 0x1p-8;
          case Q8_0 -> 0.5 / 127 + 0x1p-10;
          default -> 1.0 / 8 + 0x1p-10;
        };
    assertBlocksAgree(dtype, actual, values, step);
  }

  /// Expected bits: IEEE 754 rounding worked by hand on the 16 bits that are cut off.
  @Test
  void bfloat16RoundsToNearestEven() {
    assertThat(bfloat16Bits(0x3F80_8000)).isEqualTo(0x3F80); // tie, even stays
    assertThat(bfloat16Bits(0x3F81_8000)).isEqualTo(0x3F82); // tie, odd goes up
    assertThat(bfloat16Bits(0x3F80_8001)).isEqualTo(0x3F81);
    assertThat(bfloat16Bits(0x3F80_7FFF)).isEqualTo(0x3F80);
    assertThat(bfloat16Bits(0x7F7F_FFFF)).isEqualTo(0x7F80); // above the largest: infinity
    assertThat(bfloat16Bits(0x8000_0001)).isEqualTo(0x8000);
    assertThat(bfloat16Bits(0x7F80_0001)).isEqualTo(0x7FC0); // NaN stays NaN
  }

  @Test
  void refusesPartsOfABlock() {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment block = arena.allocate(34);
      assertThatIllegalArgumentException()
          .isThrownBy(() -> BlockFormats.dequantize(DType.Q8_0, block, 0, new float[32], 0, 31))
          .withMessageContaining("blocks of 32");
      assertThatIllegalArgumentException()
          .isThrownBy(() ->
              BlockQuantizer.quantize(DType.Q6_K, new float[256], 0, 256, arena.allocate(210), 0))
          .withMessageContaining("Q6_K");
    }
  }

  private static int bfloat16Bits(int floatBits) {
    return BlockQuantizer.floatToBfloat16(Float.intBitsToFloat(floatBits)) & 0xFFFF;
  }

  private static void assertBlocksAgree(
      DType dtype, float[] actual, float[] expected, double relative) {
    int size = Math.max(dtype.blockSize(), 32);
    for (int block = 0; block < expected.length; block += size) {
      float largest = 0;
      for (int i = block; i < block + size; i++) {
        largest = Math.max(largest, Math.abs(expected[i]));
      }
      for (int i = block; i < block + size; i++) {
        assertThat((double) actual[i])
            .as("%s value %d", dtype, i)
            .isCloseTo(expected[i], within(largest * relative));
      }
    }
  }

  private static float[] readFloats(Path file) throws IOException {
    ByteBuffer bytes = ByteBuffer.wrap(Files.readAllBytes(file)).order(ByteOrder.LITTLE_ENDIAN);
    float[] values = new float[bytes.remaining() / Float.BYTES];
    bytes.asFloatBuffer().get(values);
    return values;
  }
}
