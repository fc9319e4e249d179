package io.cusco.llama.cuda.emulator;

/// Arithmetic of f32, f16 and bf16 on bit patterns, with the rounding modes and the NaN of the GPU.
final class FloatBits {
  /// What f32 arithmetic returns for NaN (PTX ISA, "Floating-Point Instructions").
  static final int NAN = 0x7fff_ffff;

  private FloatBits() {}

  /// The bits of a result.
  static int of(float value) {
    return Float.isNaN(value) ? NAN : Float.floatToRawIntBits(value);
  }

  static int fma(int a, int b, int c) {
    return of(Math.fma(Float.intBitsToFloat(a), Float.intBitsToFloat(b), Float.intBitsToFloat(c)));
  }

  /// A sum of two doubles, rounded to f32 in the given direction, exactly.
  ///
  /// @param rounding `rz` (towards zero), `rm` (down) or `rp` (up)
  static float roundSum(double a, double b, String rounding) {
    double sum = a + b;
    if (Double.isNaN(sum) || Double.isInfinite(sum)) {
      return (float) sum;
    }
    // What the sum left out (Knuth's two-sum).
    double part = sum - a;
    double error = (a - (sum - part)) + (b - part);
    if (sum == 0 && rounding.equals("rm")) {
      boolean bothPositive =
          Double.doubleToRawLongBits(a) == 0 && Double.doubleToRawLongBits(b) == 0;
      return bothPositive ? 0f : -0f;
    }
    return round(sum, error, rounding);
  }

  /// `value + error`, with `error` far below the last bit of `value`, rounded to f32.
  static float round(double value, double error, String rounding) {
    float nearest = (float) value;
    int side = Double.compare(nearest, value);
    if (Double.isNaN(value)) {
      return nearest;
    }
    if (side == 0 || nearest == value) {
      side = -Double.compare(error, 0.0);
    }
    return switch (rounding) {
      case "rz" -> value > 0 ? down(nearest, side) : up(nearest, side);
      case "rm" -> down(nearest, side);
      case "rp" -> up(nearest, side);
      default -> throw new IllegalArgumentException("rounding ." + rounding);
    };
  }

  /// The neighbour below if rounding went above the exact value.
  private static float down(float nearest, int side) {
    return side > 0 ? Math.nextDown(nearest) : nearest;
  }

  private static float up(float nearest, int side) {
    return side < 0 ? Math.nextUp(nearest) : nearest;
  }

  /// A double as a float that rounds on to fewer bits as the double itself would: inexact results
  /// get an odd last bit.
  static float toOdd(double value) {
    float nearest = (float) value;
    if (Double.isNaN(value) || nearest == value) {
      return nearest;
    }
    if (Float.isInfinite(nearest)) {
      return Math.copySign(Float.MAX_VALUE, nearest);
    }
    if ((Float.floatToRawIntBits(nearest) & 1) != 0) {
      return nearest;
    }
    return nearest < value ? Math.nextUp(nearest) : Math.nextDown(nearest);
  }

  /// f32 to bf16 bits, to nearest even; NaN becomes 0x7fff.
  static int toBf16(float value) {
    if (Float.isNaN(value)) {
      return 0x7fff;
    }
    int bits = Float.floatToRawIntBits(value);
    return (bits + 0x7fff + (bits >>> 16 & 1)) >>> 16;
  }

  /// f32 to bf16 bits, towards zero.
  static int toBf16TowardsZero(float value) {
    return Float.isNaN(value) ? 0x7fff : Float.floatToRawIntBits(value) >>> 16;
  }

  /// f32 to f16 bits, to nearest even; NaN becomes 0x7fff.
  static int toF16(float value) {
    return Float.isNaN(value) ? 0x7fff : Float.floatToFloat16(value) & 0xffff;
  }

  /// f32 to f16 bits in one of the directions `rz`, `rm`, `rp`.
  static int toF16(float value, String rounding) {
    int nearest = toF16(value);
    if (Float.isNaN(value) || rounding.equals("rn")) {
      return nearest;
    }
    float back = fromF16(nearest);
    boolean down = rounding.equals("rm") || (rounding.equals("rz") && value > 0);
    boolean tooHigh = down && back > value;
    boolean tooLow = !down && back < value;
    if (tooHigh) {
      return nearest == 0 ? 0x8001 : nearest < 0x8000 ? nearest - 1 : nearest + 1;
    }
    if (tooLow) {
      return nearest == 0x8000 ? 1 : nearest < 0x8000 ? nearest + 1 : nearest - 1;
    }
    return nearest;
  }

  static float fromF16(int bits) {
    return Float.float16ToFloat((short) bits);
  }

  static float fromBf16(int bits) {
    return Float.intBitsToFloat(bits << 16);
  }

  /// `min` or `max` of PTX: a NaN loses against a number, -0 is below +0.
  static float least(float a, float b) {
    return Float.isNaN(a) ? b : Float.isNaN(b) ? a : Math.min(a, b);
  }

  static float greatest(float a, float b) {
    return Float.isNaN(a) ? b : Float.isNaN(b) ? a : Math.max(a, b);
  }

  static double least(double a, double b) {
    return Double.isNaN(a) ? b : Double.isNaN(b) ? a : Math.min(a, b);
  }

  static double greatest(double a, double b) {
    return Double.isNaN(a) ? b : Double.isNaN(b) ? a : Math.max(a, b);
  }

  /// Denormals become zero of their sign, for the `.ftz` of approximations.
  static float flush(float value) {
    return Math.abs(value) < Float.MIN_NORMAL ? Math.copySign(0f, value) : value;
  }
}
