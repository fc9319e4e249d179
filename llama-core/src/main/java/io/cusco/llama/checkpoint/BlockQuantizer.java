package io.cusco.llama.checkpoint;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/// Narrows float32 values to the float types, Q8_0 and Q4_0, as ggml's `quantize_row_*_ref` does:
/// round to nearest, the scale taken from the block's largest magnitude. Safe for use by several
/// threads.
public final class BlockQuantizer {
  private BlockQuantizer() {}

  /// Narrows `values[offset .. offset + count)` to `dtype` at `byteOffset` of `target`.
  ///
  /// @param count a multiple of `dtype.blockSize()`
  /// @throws IllegalArgumentException if `count` is no whole number of blocks, or `dtype` is a
  ///   format that is read but not written here
  public static void quantize(
      DType dtype, float[] values, int offset, int count, MemorySegment target, long byteOffset) {
    dtype.numBytes(count); // refuses counts that are no whole number of blocks
    int blockSize = dtype.blockSize();
    long at = byteOffset;
    for (int from = offset; from < offset + count; from += blockSize) {
      switch (dtype) {
        case F32 -> target.set(BlockFormats.FLOAT, at, values[from]);
        case F16 -> target.set(BlockFormats.SHORT, at, Float.floatToFloat16(values[from]));
        case BF16 -> target.set(BlockFormats.SHORT, at, floatToBfloat16(values[from]));
        case Q8_0 -> q8(values, from, target, at);
        case Q4_0 -> q4(values, from, target, at);
        case Q4_1, Q5_0, Q5_1, Q2_K, Q3_K, Q4_K, Q5_K, Q6_K, IQ4_NL, IQ4_XS ->
            throw new IllegalArgumentException(
                "quantising to " + dtype + " is not supported; use F32, F16, BF16, Q8_0 or Q4_0");
      }
      at += dtype.blockBytes();
    }
  }

  /// The nearest bfloat16, ties to even; NaN stays NaN.
  public static short floatToBfloat16(float value) {
    int bits = Float.floatToRawIntBits(value);
    if (Float.isNaN(value)) {
      return (short) (bits >>> 16 | 0x40); // the quiet bit, so that a payload cut off stays a NaN
    }
    return (short) ((bits + 0x7FFF + (bits >>> 16 & 1)) >>> 16);
  }

  private static void q8(float[] values, int from, MemorySegment target, long at) {
    float largest = 0;
    for (int j = 0; j < 32; j++) {
      largest = Math.max(largest, Math.abs(values[from + j]));
    }
    float d = largest / 127;
    float inverse = d == 0 ? 0 : 1 / d;
    target.set(BlockFormats.SHORT, at, Float.floatToFloat16(d));
    for (int j = 0; j < 32; j++) {
      float scaled = values[from + j] * inverse;
      int q = (int) (scaled < 0 ? scaled - 0.5f : scaled + 0.5f); // roundf: halves away from zero
      target.set(ValueLayout.JAVA_BYTE, at + 2 + j, (byte) q);
    }
  }

  /// The value of largest magnitude becomes -8, the one level without a positive twin.
  private static void q4(float[] values, int from, MemorySegment target, long at) {
    float extreme = 0;
    for (int j = 0; j < 32; j++) {
      if (Math.abs(values[from + j]) > Math.abs(extreme)) {
        extreme = values[from + j];
      }
    }
    float d = extreme / -8;
    float inverse = d == 0 ? 0 : 1 / d;
    target.set(BlockFormats.SHORT, at, Float.floatToFloat16(d));
    for (int j = 0; j < 16; j++) {
      int low = Math.min(15, (int) (values[from + j] * inverse + 8.5f));
      int high = Math.min(15, (int) (values[from + j + 16] * inverse + 8.5f));
      target.set(ValueLayout.JAVA_BYTE, at + 2 + j, (byte) (low | high << 4));
    }
  }
}
