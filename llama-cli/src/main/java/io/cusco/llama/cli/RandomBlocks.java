package io.cusco.llama.cli;

import io.cusco.llama.checkpoint.DType;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.SplittableRandom;

/// Valid random blocks of an element type: quantised values are random bits, scales are such that
/// weights are about `1 / sqrt(width)`, so that activations neither vanish nor overflow.
///
/// Layouts are those of ggml's `ggml-common.h`.
final class RandomBlocks {
  private static final int PATTERN_BLOCKS = 4096;
  private static final long SEED = 25;

  private final DType dtype;
  private final float spread;
  private final SplittableRandom random = new SplittableRandom(SEED);

  /// @param width values per dot product
  RandomBlocks(DType dtype, int width) {
    this.dtype = dtype;
    this.spread = (float) (1 / Math.sqrt(width));
  }

  /// Some thousand blocks, one after another, on the heap.
  MemorySegment pattern() {
    byte[] bytes = new byte[PATTERN_BLOCKS * dtype.blockBytes()];
    random.nextBytes(bytes);
    MemorySegment blocks = MemorySegment.ofArray(bytes);
    for (int i = 0; i < PATTERN_BLOCKS; i++) {
      writeScales(blocks, (long) i * dtype.blockBytes());
    }
    return blocks;
  }

  private void writeScales(MemorySegment blocks, long block) {
    float value = (float) (random.nextDouble() * 2 - 1) * spread;
    switch (dtype) {
      case F32 -> blocks.set(ValueLayout.JAVA_FLOAT_UNALIGNED, block, value);
      case F16 -> half(blocks, block, value);
      case BF16 ->
          blocks.set(
              ValueLayout.JAVA_SHORT_UNALIGNED,
              block,
              (short) (Float.floatToRawIntBits(value) >>> 16));
      // Scale times the largest stored value is the spread.
      case Q8_0 -> half(blocks, block, spread / 127);
      case Q4_0 -> half(blocks, block, spread / 8);
      case Q4_K -> {
        // Six-bit scales and minimums multiply these two; nibbles reach 15.
        half(blocks, block, spread / (63 * 8));
        half(blocks, block + 2, spread / 63);
      }
      default -> throw new IllegalArgumentException("no synthetic weights of type " + dtype);
    }
  }

  private static void half(MemorySegment blocks, long offset, float value) {
    blocks.set(ValueLayout.JAVA_SHORT_UNALIGNED, offset, Float.floatToFloat16(value));
  }
}
