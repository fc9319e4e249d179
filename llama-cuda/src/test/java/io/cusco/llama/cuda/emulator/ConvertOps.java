package io.cusco.llama.cuda.emulator;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.util.function.IntUnaryOperator;
import java.util.function.LongUnaryOperator;

/// `cvt` between all types (PTX ISA, "Data Movement and Conversion Instructions: cvt").
final class ConvertOps {
  private ConvertOps() {}

  static Operation compile(Form form) {
    if (form.instruction().modifiers().contains("e4m3x2")) {
      return e4m3(form);
    }
    String rounding = form.takeOneOf("rni", "rzi", "rmi", "rpi", "rn", "rz", "rm", "rp");
    boolean relu = form.take("relu");
    boolean saturate = form.take("sat");
    PtxType to = form.takeType();
    PtxType from = form.takeType();
    if (to.packed()) {
      return packed(form, rounding, relu, to, from);
    }
    form.finish(2);
    LongUnaryOperator convert = scalar(to, from, rounding, saturate, relu);
    PtxType register = Form.declared(form.operand(0), to);
    LongUnaryOperator store = register.bits() < 32 ? x -> convert.applyAsLong(x) & 0xFFFF : convert;
    PtxType source = Form.declared(form.operand(1), from);
    int d = form.out(0, register);
    int a = form.in(1, source);
    if (source.wide()) {
      return register.wide()
          ? Lanes.wideUnary(d, a, store)
          : Lanes.narrow(d, a, x -> (int) store.applyAsLong(x));
    }
    return register.wide()
        ? Lanes.widen(d, a, store::applyAsLong)
        : Lanes.unary(d, a, x -> (int) store.applyAsLong(x));
  }

  /// `cvt.rn.bf16x2.f32 d, a, b`: a becomes the upper half.
  private static Operation packed(
      Form form, String rounding, boolean relu, PtxType to, PtxType from) {
    form.finish(3);
    if (from != PtxType.F32 || rounding == null) {
      throw new IllegalArgumentException("only cvt.rn and .rz from f32 give packed halves");
    }
    PtxType half = to == PtxType.F16X2 ? PtxType.F16 : PtxType.BF16;
    LongUnaryOperator convert = scalar(half, PtxType.F32, rounding, false, relu);
    return Lanes.binary(
        form.out(0, to),
        form.in(1, from),
        form.in(2, from),
        (a, b) -> (int) (convert.applyAsLong(a) << 16 | convert.applyAsLong(b)));
  }

  /// `cvt.rn.satfinite.e4m3x2.f32 d, a, b`, where a becomes the upper half, the same from f16x2,
  /// and `cvt.rn.f16x2.e4m3x2 d, a`, which is exact.
  private static Operation e4m3(Form form) {
    form.requireTarget(89);
    boolean rounded = form.take("rn");
    boolean saturate = form.take("satfinite");
    boolean relu = form.take("relu");
    boolean narrows = form.takeBefore("e4m3x2");
    PtxType other = form.takeType();
    if (!rounded || saturate != narrows) {
      throw new IllegalArgumentException(
          "only cvt.rn.satfinite to e4m3x2 and cvt.rn from e4m3x2 are emulated");
    }
    IntUnaryOperator convert =
        bits -> {
          float value =
              other == PtxType.F32 ? Float.intBitsToFloat(bits) : FloatBits.fromF16(bits & 0xffff);
          return E4m3.of(relu && value < 0 ? 0 : value);
        };
    if (narrows && other == PtxType.F32) {
      form.finish(3);
      return Lanes.binary(
          form.out(0, PtxType.B16),
          form.in(1, other),
          form.in(2, other),
          (a, b) -> convert.applyAsInt(a) << 8 | convert.applyAsInt(b));
    }
    form.finish(2);
    if (other != PtxType.F16X2 || (relu && !narrows)) {
      throw new IllegalArgumentException("e4m3x2 is converted from f32 and f16x2, and to f16x2");
    }
    if (narrows) {
      return Lanes.unary(
          form.out(0, PtxType.B16),
          form.in(1, other),
          a -> convert.applyAsInt(a >>> 16) << 8 | convert.applyAsInt(a));
    }
    return Lanes.unary(
        form.out(0, other),
        form.in(1, PtxType.B16),
        a -> FloatBits.toF16(E4m3.toFloat(a >>> 8)) << 16 | FloatBits.toF16(E4m3.toFloat(a)));
  }

  /// From the bits of one type to the bits of another; integers come out extended by their sign.
  private static LongUnaryOperator scalar(
      PtxType to, PtxType from, String rounding, boolean saturate, boolean relu) {
    if (from.isInteger() && to.isInteger()) {
      return x -> integer(to, integerValue(from, x), from, saturate);
    }
    if (from.isInteger()) {
      return x -> fromInteger(to, from, integerValue(from, x), rounding);
    }
    if (to.isInteger()) {
      return x -> toInteger(to, from, floatValue(from, x), rounding);
    }
    boolean integral = rounding != null && rounding.endsWith("i");
    boolean narrows = to.bits() < from.bits();
    if (narrows && rounding == null) {
      throw new IllegalArgumentException("a rounding is missing");
    }
    return x -> {
      double value = floatValue(from, x);
      if (integral) {
        value = toIntegral(value, rounding);
      }
      if (saturate) {
        value = value > 0 ? Math.min(value, 1) : 0;
      }
      if (relu && value < 0) {
        value = 0;
      }
      return floatBits(to, value, narrows ? rounding : "rn");
    };
  }

  private static long integerValue(PtxType type, long bits) {
    int unused = 64 - type.bits();
    return type.signed() ? bits << unused >> unused : bits << unused >>> unused;
  }

  private static double floatValue(PtxType type, long bits) {
    return switch (type) {
      case F16 -> FloatBits.fromF16((int) bits);
      case BF16 -> FloatBits.fromBf16((int) bits);
      case F32 -> Float.intBitsToFloat((int) bits);
      case F64 -> Double.longBitsToDouble(bits);
      default -> throw new IllegalArgumentException(type + " is no floating-point type");
    };
  }

  private static long integer(PtxType to, long value, PtxType from, boolean saturate) {
    if (!saturate) {
      return integerValue(to, value);
    }
    BigInteger exact =
        from == PtxType.U64
            ? new BigInteger(Long.toUnsignedString(value))
            : BigInteger.valueOf(value);
    BigInteger low =
        to.signed() ? BigInteger.ONE.shiftLeft(to.bits() - 1).negate() : BigInteger.ZERO;
    BigInteger high =
        BigInteger.ONE.shiftLeft(to.signed() ? to.bits() - 1 : to.bits()).subtract(BigInteger.ONE);
    return exact.max(low).min(high).longValue();
  }

  private static long fromInteger(PtxType to, PtxType from, long value, String rounding) {
    boolean huge = from == PtxType.U64 && value < 0;
    // Halved with a sticky last bit, which rounds as the whole would.
    long half = value >>> 1 | (value & 1);
    if (to == PtxType.F32) {
      float nearest = huge ? (float) half * 2 : (float) value;
      return Float.floatToRawIntBits(
          rounding == null || rounding.equals("rn")
              ? nearest
              : directed(nearest, value, huge, rounding));
    }
    if (rounding != null && !rounding.equals("rn")) {
      throw new IllegalArgumentException("only .rn is emulated from integers to ." + to);
    }
    return floatBits(to, huge ? (double) half * 2 : (double) value, "rn");
  }

  private static float directed(float nearest, long value, boolean huge, String rounding) {
    BigDecimal exact =
        huge ? new BigDecimal(Long.toUnsignedString(value)) : BigDecimal.valueOf(value);
    int side = new BigDecimal(nearest).compareTo(exact);
    boolean negative = exact.signum() < 0;
    boolean down = rounding.equals("rm") || (rounding.equals("rz") && !negative);
    if (down) {
      return side > 0 ? Math.nextDown(nearest) : nearest;
    }
    return side < 0 ? Math.nextUp(nearest) : nearest;
  }

  /// Saturates. NaN becomes zero, or for f64 and 64-bit integers the top bit alone.
  private static long toInteger(PtxType to, PtxType from, double value, String rounding) {
    if (Double.isNaN(value)) {
      boolean topBit = from == PtxType.F64 || to.wide();
      return topBit ? 1L << (to.bits() - 1) : 0;
    }
    double integral = toIntegral(value, rounding);
    if (to.signed()) {
      long limit = 1L << (to.bits() - 1);
      return to.wide() ? (long) integral : Math.clamp((long) integral, -limit, limit - 1);
    }
    if (!to.wide()) {
      return Math.clamp((long) integral, 0L, (1L << to.bits()) - 1);
    }
    if (integral >= 0x1p63) {
      return integral >= 0x1p64 ? -1L : (long) (integral - 0x1p63) ^ Long.MIN_VALUE;
    }
    return Math.max(0L, (long) integral);
  }

  private static double toIntegral(double value, String rounding) {
    if (rounding == null) {
      throw new IllegalArgumentException("a rounding is missing");
    }
    return switch (rounding) {
      case "rni" -> Math.rint(value);
      case "rzi" -> value < 0 ? Math.ceil(value) : Math.floor(value);
      case "rmi" -> Math.floor(value);
      case "rpi" -> Math.ceil(value);
      default -> throw new IllegalArgumentException("rounding ." + rounding);
    };
  }

  private static long floatBits(PtxType to, double value, String rounding) {
    boolean nearest = rounding.equals("rn");
    return switch (to) {
      case F64 -> Double.doubleToRawLongBits(value);
      case F32 -> FloatBits.of(nearest ? (float) value : FloatBits.round(value, 0, rounding));
      case F16 -> FloatBits.toF16(FloatBits.toOdd(value), rounding);
      case BF16 -> {
        if (nearest) {
          yield FloatBits.toBf16(FloatBits.toOdd(value));
        }
        if (!rounding.equals("rz")) {
          throw new IllegalArgumentException("rounding ." + rounding + " to bf16");
        }
        yield FloatBits.toBf16TowardsZero(FloatBits.toOdd(value));
      }
      default -> throw new IllegalArgumentException(to + " is no floating-point type");
    };
  }
}
