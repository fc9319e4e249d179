package io.cusco.llama.cuda.emulator;

/// FP8 numbers of the kind E4M3, as bits: one sign, four bits of exponent with bias 7, three of
/// mantissa. All ones is NaN and there is no infinity (Micikevicius et al., "FP8 formats for deep
/// learning", arXiv 2209.05433).
///
/// ```
///    7    6..3       2..0
/// | sign | exponent | mantissa |      1 = 0x38, largest 448 = 0x7e, smallest 2^-9 = 0x01
/// ```
public final class E4m3 {
  /// The largest finite value.
  public static final float MAX_VALUE = 448;

  /// What a conversion makes of NaN, whatever its sign.
  public static final int NAN = 0x7f;

  private static final int LARGEST = 0x7e;

  /// Exponent of the smallest normal number, whose spacing is that of the subnormals below it.
  private static final int MIN_EXPONENT = -6;

  private static final int MANTISSA_BITS = 3;

  private static final float[] VALUES = values();

  private E4m3() {}

  /// The value of the lower eight bits.
  public static float toFloat(int bits) {
    return VALUES[bits & 0xff];
  }

  private static float[] values() {
    float[] values = new float[256];
    for (int bits = 0; bits < 256; bits++) {
      int exponent = bits >> MANTISSA_BITS & 15;
      int mantissa = bits & 7;
      float magnitude =
          exponent == 0 ? Math.scalb(mantissa, -9) : Math.scalb(8f + mantissa, exponent - 10);
      if ((bits & NAN) == NAN) {
        magnitude = Float.NaN;
      }
      values[bits] = (bits & 0x80) == 0 ? magnitude : -magnitude;
    }
    return values;
  }

  /// The bits of the nearest number, ties to even; beyond the largest one, infinity included, it is
  /// the largest one (`.satfinite`).
  public static int of(float value) {
    if (Float.isNaN(value)) {
      return NAN;
    }
    int sign = Float.floatToRawIntBits(value) >>> 24 & 0x80;
    float magnitude = Math.abs(value);
    if (magnitude >= MAX_VALUE) {
      return sign | LARGEST;
    }
    int exponent = Math.max(Math.getExponent(magnitude), MIN_EXPONENT);
    // In units of the last place, exactly: 0 to 16, of which 8 and more are normal. A carry out of
    // the mantissa is one into the exponent.
    int units = (int) Math.rint(Math.scalb((double) magnitude, MANTISSA_BITS - exponent));
    return sign | (((exponent - MIN_EXPONENT) << MANTISSA_BITS) + units);
  }
}
