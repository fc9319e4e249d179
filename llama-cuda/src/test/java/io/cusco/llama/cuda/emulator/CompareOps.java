package io.cusco.llama.cuda.emulator;

import java.util.Set;

/// `setp`, `set`, `selp`, `slct` (PTX ISA, "Comparison and Selection Instructions").
final class CompareOps {
  private static final Set<String> OPERATORS =
      Set.of(
          "eq", "ne", "lt", "le", "gt", "ge", "lo", "ls", "hi", "hs", "equ", "neu", "ltu", "leu",
          "gtu", "geu", "num", "nan");

  private CompareOps() {}

  static Operation compile(Form form) {
    return switch (form.opcode()) {
      case "setp" -> setp(form);
      case "set" -> set(form);
      case "selp" -> selp(form);
      default -> slct(form);
    };
  }

  private static String operator(Form form) {
    String operator = form.takeOneOf(OPERATORS.toArray(String[]::new));
    if (operator == null) {
      throw new IllegalArgumentException("a comparison is missing");
    }
    return operator;
  }

  private static Operation setp(Form form) {
    String operator = operator(form);
    String combine = form.takeOneOf("and", "or", "xor");
    PtxType type = form.takeType();
    form.finish(combine == null ? 3 : 4);
    PtxOperand first = form.operand(0);
    int complement = -1;
    if (first instanceof PtxOperand.Pair(PtxOperand one, PtxOperand other)) {
      first = one;
      complement = form.slots().destination(other, PtxType.PRED);
    }
    int d = form.slots().destination(first, PtxType.PRED);
    int a = form.in(1, type);
    int b = form.in(2, type);
    if (combine == null && complement < 0) {
      return plain(operator, type, d, a, b);
    }
    Predicate with = combine == null ? null : form.predicate(3);
    // The comparison goes to a register of its own first: the destination may be the predicate that
    // it is combined with.
    Comparison comparison = comparison(operator, type);
    int notD = complement;
    return (warp, mask) -> {
      for (int rest = mask; rest != 0; rest &= rest - 1) {
        int lane = Integer.numberOfTrailingZeros(rest);
        boolean holds = comparison.test(warp, a + lane, b + lane);
        boolean other = with != null && (warp.ints[with.slot() + lane] != 0) != with.negated();
        warp.ints[d + lane] = combine(combine, holds, other) ? 1 : 0;
        if (notD >= 0) {
          warp.ints[notD + lane] = combine(combine, !holds, other) ? 1 : 0;
        }
      }
    };
  }

  private static boolean combine(String operator, boolean holds, boolean other) {
    return switch (operator) {
      case null -> holds;
      case "and" -> holds && other;
      case "or" -> holds || other;
      default -> holds != other;
    };
  }

  /// A comparison of the values at two register indices.
  @FunctionalInterface
  private interface Comparison {
    boolean test(Warp warp, int a, int b);
  }

  private static Comparison comparison(String operator, PtxType type) {
    if (type == PtxType.F64) {
      return (warp, a, b) ->
          floats(
              operator,
              Double.longBitsToDouble(warp.longs[a]),
              Double.longBitsToDouble(warp.longs[b]));
    }
    if (type.isFloat()) {
      return (warp, a, b) -> floats(operator, value(type, warp.ints[a]), value(type, warp.ints[b]));
    }
    boolean signed = type.signed();
    if (type.wide()) {
      Lanes.LongCompare compare = integers(operator, signed);
      return (warp, a, b) -> compare.test(warp.longs[a], warp.longs[b]);
    }
    Lanes.LongCompare compare = integers(operator, true);
    return (warp, a, b) -> compare.test(extend(type, warp.ints[a]), extend(type, warp.ints[b]));
  }

  private static float value(PtxType type, int bits) {
    return switch (type) {
      case F32 -> Float.intBitsToFloat(bits);
      case F16 -> FloatBits.fromF16(bits);
      default -> FloatBits.fromBf16(bits);
    };
  }

  /// Up to 32 bits as a number.
  private static long extend(PtxType type, int bits) {
    int value = IntegerOps.extend(type, bits);
    return type.signed() ? value : value & 0xFFFF_FFFFL;
  }

  private static Lanes.LongCompare integers(String operator, boolean signed) {
    return switch (operator) {
      case "eq" -> (a, b) -> a == b;
      case "ne" -> (a, b) -> a != b;
      case "lt", "lo" -> signed ? (a, b) -> a < b : (a, b) -> Long.compareUnsigned(a, b) < 0;
      case "le", "ls" -> signed ? (a, b) -> a <= b : (a, b) -> Long.compareUnsigned(a, b) <= 0;
      case "gt", "hi" -> signed ? (a, b) -> a > b : (a, b) -> Long.compareUnsigned(a, b) > 0;
      case "ge", "hs" -> signed ? (a, b) -> a >= b : (a, b) -> Long.compareUnsigned(a, b) >= 0;
      default -> throw new IllegalArgumentException("." + operator + " does not compare integers");
    };
  }

  /// Comparisons of floats are false with NaN, except `ne`'s unordered kin, which are true.
  private static boolean floats(String operator, double a, double b) {
    boolean unordered = Double.isNaN(a) || Double.isNaN(b);
    return switch (operator) {
      case "eq" -> a == b;
      case "ne" -> !unordered && a != b;
      case "lt" -> a < b;
      case "le" -> a <= b;
      case "gt" -> a > b;
      case "ge" -> a >= b;
      case "equ" -> unordered || a == b;
      case "neu" -> unordered || a != b;
      case "ltu" -> unordered || a < b;
      case "leu" -> unordered || a <= b;
      case "gtu" -> unordered || a > b;
      case "geu" -> unordered || a >= b;
      case "num" -> !unordered;
      case "nan" -> unordered;
      default -> throw new IllegalArgumentException("." + operator + " does not compare floats");
    };
  }

  private static Operation plain(String operator, PtxType type, int d, int a, int b) {
    boolean signed = type == PtxType.S32;
    if (type == PtxType.S32 || type == PtxType.U32 || type == PtxType.B32) {
      return narrow(operator, signed, d, a, b);
    }
    Comparison comparison = comparison(operator, type);
    return (warp, mask) -> {
      for (int rest = mask; rest != 0; rest &= rest - 1) {
        int lane = Integer.numberOfTrailingZeros(rest);
        warp.ints[d + lane] = comparison.test(warp, a + lane, b + lane) ? 1 : 0;
      }
    };
  }

  /// 32-bit integers, the comparison of loops.
  private static Operation narrow(String operator, boolean signed, int d, int a, int b) {
    // Flipping the top bit of both makes a signed comparison unsigned.
    int flip = signed ? 0 : Integer.MIN_VALUE;
    Lanes.IntCompare compare =
        switch (operator) {
          case "eq" -> (x, y) -> x == y;
          case "ne" -> (x, y) -> x != y;
          case "lt", "lo" -> (x, y) -> (x ^ flip) < (y ^ flip);
          case "le", "ls" -> (x, y) -> (x ^ flip) <= (y ^ flip);
          case "gt", "hi" -> (x, y) -> (x ^ flip) > (y ^ flip);
          case "ge", "hs" -> (x, y) -> (x ^ flip) >= (y ^ flip);
          default ->
              throw new IllegalArgumentException("." + operator + " does not compare integers");
        };
    return Lanes.binary(d, a, b, (x, y) -> compare.test(x, y) ? 1 : 0);
  }

  /// `set` gives all ones, or 1.0.
  private static Operation set(Form form) {
    String operator = operator(form);
    PtxType to = form.takeType();
    PtxType from = form.takeType();
    form.finish(3);
    int d = form.out(0, to);
    int a = form.in(1, from);
    int b = form.in(2, from);
    int yes = to == PtxType.F32 ? Float.floatToRawIntBits(1f) : -1;
    Comparison comparison = comparison(operator, from);
    return (warp, mask) -> {
      for (int rest = mask; rest != 0; rest &= rest - 1) {
        int lane = Integer.numberOfTrailingZeros(rest);
        warp.ints[d + lane] = comparison.test(warp, a + lane, b + lane) ? yes : 0;
      }
    };
  }

  private static Operation selp(Form form) {
    PtxType type = form.takeType();
    form.finish(4);
    int d = form.out(0, type);
    int a = form.in(1, type);
    int b = form.in(2, type);
    Predicate condition = form.predicate(3);
    int p = condition.slot();
    boolean negated = condition.negated();
    if (!type.wide()) {
      return negated
          ? Lanes.ternary(d, a, b, p, (x, y, holds) -> holds == 0 ? x : y)
          : Lanes.ternary(d, a, b, p, (x, y, holds) -> holds != 0 ? x : y);
    }
    return (warp, mask) -> {
      for (int rest = mask; rest != 0; rest &= rest - 1) {
        int lane = Integer.numberOfTrailingZeros(rest);
        boolean first = (warp.ints[p + lane] != 0) != negated;
        warp.longs[d + lane] = warp.longs[(first ? a : b) + lane];
      }
    };
  }

  /// `slct d, a, b, c`: a where c is not negative.
  private static Operation slct(Form form) {
    PtxType type = form.takeType();
    PtxType selector = form.takeType();
    form.finish(4);
    if (selector != PtxType.S32 && selector != PtxType.F32) {
      throw new IllegalArgumentException("slct selects by s32 or f32");
    }
    int d = form.out(0, type);
    int a = form.in(1, type);
    int b = form.in(2, type);
    int c = form.in(3, selector);
    boolean isFloat = selector == PtxType.F32;
    return (warp, mask) -> {
      for (int rest = mask; rest != 0; rest &= rest - 1) {
        int lane = Integer.numberOfTrailingZeros(rest);
        int bits = warp.ints[c + lane];
        boolean first = isFloat ? Float.intBitsToFloat(bits) >= 0 : bits >= 0;
        int source = (first ? a : b) + lane;
        if (type.wide()) {
          warp.longs[d + lane] = warp.longs[source];
        } else {
          warp.ints[d + lane] = warp.ints[source];
        }
      }
    };
  }
}
