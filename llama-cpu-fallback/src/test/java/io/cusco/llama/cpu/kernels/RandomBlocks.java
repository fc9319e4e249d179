package io.cusco.llama.cpu.kernels;

import io.cusco.llama.checkpoint.DType;
import java.util.Random;

/// Weights for tests and benchmarks.
final class RandomBlocks {
  private RandomBlocks() {}

  /// Random bits in which every scale is a float16 of moderate size.
  static void fill(DType type, byte[] bytes, Random random) {
    random.nextBytes(bytes);
    int[] scales =
        switch (type) {
          case Q4_0, Q5_0, Q8_0, IQ4_NL, IQ4_XS -> new int[] {0};
          case Q4_1, Q5_1, Q4_K, Q5_K -> new int[] {0, 2};
          case Q2_K -> new int[] {80, 82};
          case Q3_K -> new int[] {108};
          case Q6_K -> new int[] {208};
          case F32, F16, BF16 -> new int[0];
        };
    for (int block = 0; block < bytes.length; block += type.blockBytes()) {
      for (int scale : scales) {
        putHalf(bytes, block + scale, (float) random.nextGaussian());
      }
      switch (type) {
        case F32 -> putInt(bytes, block, Float.floatToIntBits((float) random.nextGaussian()));
        case F16 -> putHalf(bytes, block, (float) random.nextGaussian());
        case BF16 -> {
          int bits = Float.floatToIntBits((float) random.nextGaussian()) >>> 16;
          bytes[block] = (byte) bits;
          bytes[block + 1] = (byte) (bits >> 8);
        }
        default -> {}
      }
    }
  }

  static void putHalf(byte[] bytes, int at, float value) {
    short bits = Float.floatToFloat16(value);
    bytes[at] = (byte) bits;
    bytes[at + 1] = (byte) (bits >> 8);
  }

  private static void putInt(byte[] bytes, int at, int value) {
    for (int i = 0; i < 4; i++) {
      bytes[at + i] = (byte) (value >> (8 * i));
    }
  }
}
