package io.cusco.llama.cpu.kernels;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;

/// Functions of a whole vector that the Vector API leaves to a math library which not every
/// platform has.
final class VectorMath {
  private static final float LOG2_E = 1.442695f;
  private static final float LN2_HIGH = 0.6933594f;
  private static final float LN2_LOW = -0.00021219444f;

  /// Adding it rounds to an integer and leaves that integer in the mantissa's low bits.
  private static final float ROUND = 0x1.8p23f;

  /// exp of less is below the smallest normal float.
  private static final float LOWEST = -87.3f;

  private static final float HIGHEST = 88.3f;

  private VectorMath() {}

  /// e^x, to about 2 units in the last place; below -87.3 it stays at about 1e-38, above 88.3 at
  /// about 2e38; NaN stays NaN.
  ///
  /// `x = n ln 2 + r`, `e^r` by a polynomial of degree 7 on `|r| <= ln 2 / 2`, and `2^n` by adding
  /// `n` to the exponent field. Coefficients: Cephes `expf`.
  static FloatVector exp(FloatVector x) {
    FloatVector clamped = x.max(LOWEST).min(HIGHEST);
    FloatVector rounded = clamped.mul(LOG2_E).add(ROUND);
    FloatVector n = rounded.sub(ROUND);
    FloatVector r = clamped.sub(n.mul(LN2_HIGH)).sub(n.mul(LN2_LOW));
    FloatVector p = FloatVector.broadcast(Lanes.F, 0.00019875691f);
    p = p.fma(r, FloatVector.broadcast(Lanes.F, 0.0013981999f));
    p = p.fma(r, FloatVector.broadcast(Lanes.F, 0.008333452f));
    p = p.fma(r, FloatVector.broadcast(Lanes.F, 0.041665796f));
    p = p.fma(r, FloatVector.broadcast(Lanes.F, 0.16666666f));
    p = p.fma(r, FloatVector.broadcast(Lanes.F, 0.5f));
    p = p.fma(r.mul(r), r.add(1f));
    return p.reinterpretAsInts()
        .add(rounded.reinterpretAsInts().lanewise(VectorOperators.LSHL, 23))
        .reinterpretAsFloats();
  }
}
