package io.cusco.llama.testkit;

/// Keys and values as an FP8 cache has them: e4m3 numbers, one row of a head at a time scaled by a
/// power of two. In double precision, one step after the other.
///
/// Source: Micikevicius et al., arXiv 2209.05433 (e4m3: three bits of mantissa, largest 448,
/// smallest normal 2^-6).
public final class Fp8Rows {
  private static final double LARGEST = 448;
  private static final double SMALLEST_SCALE = 0x1p-24;
  private static final int MANTISSA_BITS = 3;
  private static final int MIN_EXPONENT = -6;

  private Fp8Rows() {}

  /// Replaces each of a token's heads by what a cache gives back of it.
  ///
  /// @param token `[numKeyValueHeads * headDim]`
  public static void round(double[] token, int headDim) {
    for (int from = 0; from < token.length; from += headDim) {
      double scale = scale(token, from, headDim);
      for (int i = from; i < from + headDim; i++) {
        token[i] = scale * nearest(token[i] / scale);
      }
    }
  }

  /// The smallest power of two, 2^-24 at least, that brings every magnitude to 448 or below.
  public static double scale(double[] values, int from, int count) {
    double largest = 0;
    for (int i = from; i < from + count; i++) {
      largest = Math.max(largest, Math.abs(values[i]));
    }
    double scale = SMALLEST_SCALE;
    while (largest > LARGEST * scale) {
      scale *= 2;
    }
    return scale;
  }

  /// The nearest e4m3 number, ties to even.
  public static double nearest(double value) {
    int exponent = Math.max(Math.getExponent(value), MIN_EXPONENT);
    double unit = Math.scalb(1.0, exponent - MANTISSA_BITS);
    return Math.clamp(Math.rint(value / unit) * unit, -LARGEST, LARGEST);
  }
}
