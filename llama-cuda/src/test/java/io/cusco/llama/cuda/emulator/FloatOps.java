package io.cusco.llama.cuda.emulator;

import java.util.function.IntBinaryOperator;
import java.util.function.IntUnaryOperator;

/// Arithmetic of f32 (PTX ISA, "Floating-Point Instructions"). Denormals are kept; `.ftz` is taken
/// only from approximations, which nvcc emits that way without fast math too.
final class FloatOps {
  /// A function of one f32.
  @FunctionalInterface
  private interface Unary {
    float apply(float x);
  }

  /// A function of two.
  @FunctionalInterface
  private interface Binary {
    float apply(float x, float y);
  }

  /// PTX ISA, `div`: beyond it `.approx` gives zero, or NaN for an infinite dividend.
  private static final float LARGEST_APPROX_DIVISOR = 0x1p126f;

  private FloatOps() {}

  static Operation compile(Form form) {
    return switch (form.opcode()) {
      case "add", "sub", "mul" -> rounded(form);
      case "fma", "mad" -> fma(form);
      case "div" -> divide(form);
      case "min", "max" -> extremum(form);
      case "neg" -> bits(form, x -> x ^ 0x8000_0000);
      case "abs" -> bits(form, x -> x & 0x7fff_ffff);
      case "copysign" -> {
        form.takeType();
        form.finish(3);
        yield Lanes.binary(
            form.out(0, PtxType.F32),
            form.in(1, PtxType.F32),
            form.in(2, PtxType.F32),
            (sign, value) -> (sign & 0x8000_0000) | (value & 0x7fff_ffff));
      }
      case "testp" -> test(form);
      default -> function(form);
    };
  }

  private static Operation bits(Form form, IntUnaryOperator f) {
    form.takeType();
    form.finish(2);
    return Lanes.unary(form.out(0, PtxType.F32), form.in(1, PtxType.F32), f);
  }

  private static Operation rounded(Form form) {
    String rounding = form.takeOneOf("rn", "rz", "rm", "rp");
    boolean saturate = form.take("sat");
    form.takeType();
    form.finish(3);
    int d = form.out(0, PtxType.F32);
    int a = form.in(1, PtxType.F32);
    int b = form.in(2, PtxType.F32);
    String opcode = form.opcode();
    if ((rounding == null || rounding.equals("rn")) && !saturate) {
      return switch (opcode) {
        case "add" -> FullWarp.addFloat(d, a, b);
        case "sub" -> FullWarp.subFloat(d, a, b);
        default -> FullWarp.mulFloat(d, a, b);
      };
    }
    Binary f = binary(opcode, rounding == null ? "rn" : rounding);
    return Lanes.binary(d, a, b, onBits(f, saturate));
  }

  private static Binary binary(String opcode, String rounding) {
    boolean nearest = rounding.equals("rn");
    return switch (opcode) {
      case "add" -> nearest ? Float::sum : (x, y) -> FloatBits.roundSum(x, y, rounding);
      case "sub" -> nearest ? (x, y) -> x - y : (x, y) -> FloatBits.roundSum(x, -y, rounding);
      default ->
          // The product of two floats is exact in double.
          nearest ? (x, y) -> x * y : (x, y) -> FloatBits.round((double) x * y, 0, rounding);
    };
  }

  private static IntBinaryOperator onBits(Binary f, boolean saturate) {
    return (x, y) -> {
      float result = f.apply(Float.intBitsToFloat(x), Float.intBitsToFloat(y));
      return FloatBits.of(saturate ? saturate(result) : result);
    };
  }

  /// To [0, 1]; NaN becomes 0.
  static float saturate(float value) {
    return value > 0 ? Math.min(value, 1f) : 0f;
  }

  private static Operation fma(Form form) {
    String rounding = form.takeOneOf("rn", "rz", "rm", "rp");
    boolean saturate = form.take("sat");
    form.takeType();
    form.finish(4);
    int d = form.out(0, PtxType.F32);
    int a = form.in(1, PtxType.F32);
    int b = form.in(2, PtxType.F32);
    int c = form.in(3, PtxType.F32);
    if (rounding == null) {
      throw new IllegalArgumentException("a rounding is missing");
    }
    if (rounding.equals("rn") && !saturate) {
      return FullWarp.fma(d, a, b, c);
    }
    return Lanes.ternary(
        d,
        a,
        b,
        c,
        (x, y, z) -> {
          float fx = Float.intBitsToFloat(x);
          float fy = Float.intBitsToFloat(y);
          float fz = Float.intBitsToFloat(z);
          float result =
              rounding.equals("rn")
                  ? Math.fma(fx, fy, fz)
                  : FloatBits.roundSum((double) fx * fy, fz, rounding);
          return FloatBits.of(saturate ? saturate(result) : result);
        });
  }

  /// `.approx` and `.full` are emulated as the correctly rounded quotient, but for the divisors
  /// whose reciprocal `.approx` loses.
  private static Operation divide(Form form) {
    String kind = form.takeOneOf("approx", "full");
    boolean approximate = kind != null;
    boolean losesReciprocals = "approx".equals(kind);
    boolean flush = approximate && form.take("ftz");
    if (!approximate && !form.take("rn")) {
      throw new IllegalArgumentException("only .rn, .approx and .full are emulated");
    }
    form.takeType();
    form.finish(3);
    return Lanes.binary(
        form.out(0, PtxType.F32),
        form.in(1, PtxType.F32),
        form.in(2, PtxType.F32),
        (x, y) -> {
          float a = Float.intBitsToFloat(x);
          float b = Float.intBitsToFloat(y);
          if (losesReciprocals && Math.abs(b) > LARGEST_APPROX_DIVISOR && Float.isFinite(b)) {
            b = Math.copySign(Float.POSITIVE_INFINITY, b);
          }
          return FloatBits.of(
              flush ? FloatBits.flush(FloatBits.flush(a) / FloatBits.flush(b)) : a / b);
        });
  }

  private static Operation extremum(Form form) {
    boolean keepNan = form.take("NaN");
    form.takeType();
    form.finish(3);
    Binary f = form.opcode().equals("min") ? FloatBits::least : FloatBits::greatest;
    Binary propagating = (x, y) -> Float.isNaN(x) || Float.isNaN(y) ? Float.NaN : f.apply(x, y);
    return Lanes.binary(
        form.out(0, PtxType.F32),
        form.in(1, PtxType.F32),
        form.in(2, PtxType.F32),
        onBits(keepNan ? propagating : f, false));
  }

  private static Operation test(Form form) {
    String property =
        form.takeOneOf("finite", "infinite", "number", "notanumber", "normal", "subnormal");
    form.takeType();
    form.finish(2);
    if (property == null) {
      throw new IllegalArgumentException("a property is missing");
    }
    return Lanes.unary(
        form.out(0, PtxType.PRED),
        form.in(1, PtxType.F32),
        x -> holds(property, Float.intBitsToFloat(x)) ? 1 : 0);
  }

  private static boolean holds(String property, float x) {
    boolean small = Math.abs(x) < Float.MIN_NORMAL;
    return switch (property) {
      case "finite" -> Float.isFinite(x);
      case "infinite" -> Float.isInfinite(x);
      case "number" -> !Float.isNaN(x);
      case "notanumber" -> Float.isNaN(x);
      case "normal" -> Float.isFinite(x) && !small;
      default -> small && x != 0;
    };
  }

  private static Operation function(Form form) {
    boolean approximate = form.take("approx");
    boolean flush = approximate && form.take("ftz");
    if (!approximate && !form.take("rn")) {
      throw new IllegalArgumentException("only .rn and .approx are emulated");
    }
    form.takeType();
    form.finish(2);
    Unary f = function(form.opcode());
    return Lanes.unary(
        form.out(0, PtxType.F32),
        form.in(1, PtxType.F32),
        bits -> {
          float x = Float.intBitsToFloat(bits);
          return FloatBits.of(flush ? FloatBits.flush(f.apply(FloatBits.flush(x))) : f.apply(x));
        });
  }

  /// Computed in double and rounded once; a GPU's approximations are a few units in the last place
  /// off.
  private static Unary function(String opcode) {
    return switch (opcode) {
      case "rcp" -> x -> 1f / x;
      case "sqrt" -> x -> (float) Math.sqrt(x);
      case "rsqrt" -> x -> (float) (1 / Math.sqrt(x));
      case "ex2" -> x -> (float) Math.pow(2, x);
      case "lg2" -> FloatOps::log2;
      case "sin" -> x -> (float) Math.sin(x);
      case "cos" -> x -> (float) Math.cos(x);
      case "tanh" -> x -> (float) Math.tanh(x);
      default -> throw new IllegalArgumentException(opcode + ".f32 is not emulated");
    };
  }

  private static float log2(float x) {
    if (Float.isFinite(x) && x >= Float.MIN_NORMAL) {
      // Powers of two come out exact.
      int exponent = Math.getExponent(x);
      return (float) (exponent + Math.log(Math.scalb((double) x, -exponent)) / Math.log(2));
    }
    return (float) (Math.log(x) / Math.log(2));
  }
}
