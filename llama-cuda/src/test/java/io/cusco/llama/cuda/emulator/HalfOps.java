package io.cusco.llama.cuda.emulator;

/// Arithmetic of f16 and bf16, single and packed in pairs, to nearest even. Results are computed in
/// double and rounded once.
final class HalfOps {
  /// A function of up to three values; unused ones are zero.
  @FunctionalInterface
  private interface Function {
    double apply(double a, double b, double c);
  }

  private HalfOps() {}

  static Operation compile(Form form) {
    String opcode = form.opcode();
    form.ignore("rn");
    boolean keepNan = form.take("NaN");
    PtxType type = form.takeType();
    int inputs =
        switch (opcode) {
          case "neg", "abs" -> 1;
          case "add", "sub", "mul", "min", "max" -> 2;
          case "fma" -> 3;
          default -> throw new IllegalArgumentException(opcode + " of halves is not emulated");
        };
    form.finish(inputs + 1);
    boolean packed = type.packed();
    boolean brain = type == PtxType.BF16 || type == PtxType.BF16X2;
    int d = form.out(0, type);
    int a = form.in(1, type);
    int signs = packed ? 0x8000_8000 : 0x8000;
    if (opcode.equals("neg")) {
      return Lanes.unary(d, a, x -> x ^ signs);
    }
    if (opcode.equals("abs")) {
      return Lanes.unary(d, a, x -> x & ~signs);
    }
    Function f = function(opcode, keepNan);
    int b = form.in(2, type);
    int c = inputs == 3 ? form.in(3, type) : b;
    return Lanes.ternary(
        d,
        a,
        b,
        c,
        (x, y, z) -> {
          int low = apply(f, brain, x, y, z);
          return packed ? low | apply(f, brain, x >>> 16, y >>> 16, z >>> 16) << 16 : low;
        });
  }

  private static Function function(String opcode, boolean keepNan) {
    return switch (opcode) {
      case "add" -> (a, b, _) -> a + b;
      case "sub" -> (a, b, _) -> a - b;
      case "mul" -> (a, b, _) -> a * b;
      case "fma" -> Math::fma;
      case "min" ->
          (a, b, _) ->
              keepNan && (Double.isNaN(a) || Double.isNaN(b)) ? Double.NaN : FloatBits.least(a, b);
      default ->
          (a, b, _) ->
              keepNan && (Double.isNaN(a) || Double.isNaN(b))
                  ? Double.NaN
                  : FloatBits.greatest(a, b);
    };
  }

  private static int apply(Function f, boolean brain, int a, int b, int c) {
    if (brain) {
      double result = f.apply(FloatBits.fromBf16(a), FloatBits.fromBf16(b), FloatBits.fromBf16(c));
      return FloatBits.toBf16(FloatBits.toOdd(result));
    }
    double result = f.apply(FloatBits.fromF16(a), FloatBits.fromF16(b), FloatBits.fromF16(c));
    return FloatBits.toF16(FloatBits.toOdd(result));
  }
}
