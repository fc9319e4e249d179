package io.cusco.llama.cuda.emulator;

import java.util.function.DoubleBinaryOperator;
import java.util.function.DoubleUnaryOperator;
import java.util.function.LongUnaryOperator;

/// Arithmetic of f64, to nearest even only.
final class DoubleOps {
  private static final PtxType F64 = PtxType.F64;

  private DoubleOps() {}

  static Operation compile(Form form) {
    return switch (form.opcode()) {
      case "add" -> binary(form, Double::sum);
      case "sub" -> binary(form, (x, y) -> x - y);
      case "mul" -> binary(form, (x, y) -> x * y);
      case "div" -> binary(form, (x, y) -> x / y);
      case "min" -> binary(form, FloatBits::least);
      case "max" -> binary(form, FloatBits::greatest);
      case "fma", "mad" -> fma(form);
      case "neg" -> bits(form, x -> x ^ Long.MIN_VALUE);
      case "abs" -> bits(form, x -> x & Long.MAX_VALUE);
      case "copysign" -> {
        form.takeType();
        form.finish(3);
        yield Lanes.wideBinary(
            form.out(0, F64),
            form.in(1, F64),
            form.in(2, F64),
            (sign, value) -> (sign & Long.MIN_VALUE) | (value & Long.MAX_VALUE));
      }
      case "sqrt" -> function(form, Math::sqrt);
      case "rcp" -> function(form, x -> 1 / x);
      case "rsqrt" -> function(form, x -> 1 / Math.sqrt(x));
      default -> throw new IllegalArgumentException(form.opcode() + ".f64 is not emulated");
    };
  }

  private static Operation binary(Form form, DoubleBinaryOperator f) {
    form.ignore("rn");
    form.takeType();
    form.finish(3);
    return Lanes.doubleBinary(form.out(0, F64), form.in(1, F64), form.in(2, F64), f);
  }

  private static Operation fma(Form form) {
    form.ignore("rn");
    form.takeType();
    form.finish(4);
    return Lanes.wideTernary(
        form.out(0, F64),
        form.in(1, F64),
        form.in(2, F64),
        form.in(3, F64),
        (x, y, z) ->
            Double.doubleToRawLongBits(
                Math.fma(
                    Double.longBitsToDouble(x),
                    Double.longBitsToDouble(y),
                    Double.longBitsToDouble(z))));
  }

  private static Operation bits(Form form, LongUnaryOperator f) {
    form.takeType();
    form.finish(2);
    return Lanes.wideUnary(form.out(0, F64), form.in(1, F64), f);
  }

  private static Operation function(Form form, DoubleUnaryOperator f) {
    form.ignore("rn", "approx", "ftz");
    form.takeType();
    form.finish(2);
    return Lanes.wideUnary(
        form.out(0, F64),
        form.in(1, F64),
        x -> Double.doubleToRawLongBits(f.applyAsDouble(Double.longBitsToDouble(x))));
  }
}
