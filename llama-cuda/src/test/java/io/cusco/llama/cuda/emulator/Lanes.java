package io.cusco.llama.cuda.emulator;

import java.util.function.DoubleBinaryOperator;
import java.util.function.IntBinaryOperator;
import java.util.function.IntToLongFunction;
import java.util.function.IntUnaryOperator;
import java.util.function.LongBinaryOperator;
import java.util.function.LongToIntFunction;
import java.util.function.LongUnaryOperator;

/// Operations that apply one function lane by lane. Instructions that kernels execute most have
/// loops of their own for a full warp, which the compiler can vectorise, and use these for the
/// rest.
final class Lanes {
  /// All 32 lanes.
  static final int FULL = -1;

  /// A function of three values.
  @FunctionalInterface
  interface IntTernary {
    int apply(int a, int b, int c);
  }

  /// A function of three 64-bit values.
  @FunctionalInterface
  interface LongTernary {
    long apply(long a, long b, long c);
  }

  /// A function of a 64-bit value and a 32-bit one.
  @FunctionalInterface
  interface LongIntBinary {
    long apply(long a, int b);
  }

  /// A comparison.
  @FunctionalInterface
  interface LongCompare {
    boolean test(long a, long b);
  }

  /// A comparison.
  @FunctionalInterface
  interface IntCompare {
    boolean test(int a, int b);
  }

  private Lanes() {}

  static void fill(int[] file, int slot, int mask, int value) {
    for (int rest = mask; rest != 0; rest &= rest - 1) {
      file[slot + Integer.numberOfTrailingZeros(rest)] = value;
    }
  }

  static Operation unary(int d, int a, IntUnaryOperator f) {
    return (warp, mask) -> {
      int[] r = warp.ints;
      for (int rest = mask; rest != 0; rest &= rest - 1) {
        int lane = Integer.numberOfTrailingZeros(rest);
        r[d + lane] = f.applyAsInt(r[a + lane]);
      }
    };
  }

  static Operation binary(int d, int a, int b, IntBinaryOperator f) {
    return (warp, mask) -> {
      int[] r = warp.ints;
      for (int rest = mask; rest != 0; rest &= rest - 1) {
        int lane = Integer.numberOfTrailingZeros(rest);
        r[d + lane] = f.applyAsInt(r[a + lane], r[b + lane]);
      }
    };
  }

  static Operation ternary(int d, int a, int b, int c, IntTernary f) {
    return (warp, mask) -> {
      int[] r = warp.ints;
      for (int rest = mask; rest != 0; rest &= rest - 1) {
        int lane = Integer.numberOfTrailingZeros(rest);
        r[d + lane] = f.apply(r[a + lane], r[b + lane], r[c + lane]);
      }
    };
  }

  static Operation wideUnary(int d, int a, LongUnaryOperator f) {
    return (warp, mask) -> {
      long[] r = warp.longs;
      for (int rest = mask; rest != 0; rest &= rest - 1) {
        int lane = Integer.numberOfTrailingZeros(rest);
        r[d + lane] = f.applyAsLong(r[a + lane]);
      }
    };
  }

  static Operation wideBinary(int d, int a, int b, LongBinaryOperator f) {
    return (warp, mask) -> {
      long[] r = warp.longs;
      for (int rest = mask; rest != 0; rest &= rest - 1) {
        int lane = Integer.numberOfTrailingZeros(rest);
        r[d + lane] = f.applyAsLong(r[a + lane], r[b + lane]);
      }
    };
  }

  static Operation wideTernary(int d, int a, int b, int c, LongTernary f) {
    return (warp, mask) -> {
      long[] r = warp.longs;
      for (int rest = mask; rest != 0; rest &= rest - 1) {
        int lane = Integer.numberOfTrailingZeros(rest);
        r[d + lane] = f.apply(r[a + lane], r[b + lane], r[c + lane]);
      }
    };
  }

  static Operation doubleBinary(int d, int a, int b, DoubleBinaryOperator f) {
    return wideBinary(
        d,
        a,
        b,
        (x, y) ->
            Double.doubleToRawLongBits(
                f.applyAsDouble(Double.longBitsToDouble(x), Double.longBitsToDouble(y))));
  }

  /// 64 bits shifted, or the like, by 32.
  static Operation wideByNarrow(int d, int a, int b, LongIntBinary f) {
    return (warp, mask) -> {
      long[] r = warp.longs;
      for (int rest = mask; rest != 0; rest &= rest - 1) {
        int lane = Integer.numberOfTrailingZeros(rest);
        r[d + lane] = f.apply(r[a + lane], warp.ints[b + lane]);
      }
    };
  }

  static Operation widen(int d, int a, IntToLongFunction f) {
    return (warp, mask) -> {
      for (int rest = mask; rest != 0; rest &= rest - 1) {
        int lane = Integer.numberOfTrailingZeros(rest);
        warp.longs[d + lane] = f.applyAsLong(warp.ints[a + lane]);
      }
    };
  }

  static Operation narrow(int d, int a, LongToIntFunction f) {
    return (warp, mask) -> {
      for (int rest = mask; rest != 0; rest &= rest - 1) {
        int lane = Integer.numberOfTrailingZeros(rest);
        warp.ints[d + lane] = f.applyAsInt(warp.longs[a + lane]);
      }
    };
  }
}
