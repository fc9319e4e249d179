package io.cusco.llama.cuda.emulator;

import java.util.function.IntBinaryOperator;
import java.util.function.IntUnaryOperator;
import java.util.function.LongBinaryOperator;
import java.util.function.LongUnaryOperator;

/// Integer arithmetic, logic and shifts (PTX ISA, "Integer Arithmetic Instructions", "Logic and
/// Shift Instructions").
final class IntegerOps {
  private IntegerOps() {}

  static Operation compile(Form form) {
    return switch (form.opcode()) {
      case "mul", "mad" -> multiply(form);
      case "shl", "shr" -> shift(form);
      case "neg", "abs", "not", "cnot" -> unary(form);
      case "add", "sub", "div", "rem", "min", "max", "and", "or", "xor" -> binary(form);
      default -> BitOps.compile(form);
    };
  }

  private static Operation unary(Form form) {
    PtxType type = form.takeType();
    form.finish(2);
    int d = form.out(0, type);
    int a = form.in(1, type);
    String opcode = form.opcode();
    if (type == PtxType.PRED) {
      return Lanes.unary(d, a, x -> x == 0 ? 1 : 0);
    }
    if (type.wide()) {
      LongUnaryOperator f =
          switch (opcode) {
            case "neg" -> x -> -x;
            case "abs" -> Math::abs;
            case "not" -> x -> ~x;
            default -> x -> x == 0 ? 1 : 0;
          };
      return Lanes.wideUnary(d, a, f);
    }
    IntUnaryOperator f =
        switch (opcode) {
          case "neg" -> x -> -x;
          case "abs" -> Math::abs;
          case "not" -> x -> ~x;
          default -> x -> x == 0 ? 1 : 0;
        };
    return type.bits() == 32
        ? Lanes.unary(d, a, f)
        : Lanes.unary(d, a, x -> f.applyAsInt(extend(type, x)) & 0xFFFF);
  }

  /// A 16-bit register as the int that its type means.
  static int extend(PtxType type, int value) {
    if (type.bits() != 16) {
      return value;
    }
    return type.signed() ? (short) value : value & 0xFFFF;
  }

  private static Operation binary(Form form) {
    PtxType type = form.takeType();
    String opcode = form.opcode();
    boolean saturate = form.take("sat");
    form.finish(3);
    int d = form.out(0, type);
    int a = form.in(1, type);
    int b = form.in(2, type);
    if (saturate) {
      return saturating(opcode, type, d, a, b);
    }
    Operation operation = binary(opcode, type, d, a, b);
    boolean divides = opcode.equals("div") || opcode.equals("rem");
    return divides ? checkDivisor(type, b, operation) : operation;
  }

  private static Operation binary(String opcode, PtxType type, int d, int a, int b) {
    if (type.wide()) {
      return opcode.equals("add")
          ? FullWarp.addLong(d, a, b)
          : Lanes.wideBinary(d, a, b, wide(opcode, type));
    }
    if (type == PtxType.PRED) {
      return Lanes.binary(d, a, b, predicates(opcode));
    }
    if (type.bits() == 32) {
      return switch (opcode) {
        case "add" -> FullWarp.addInt(d, a, b);
        case "sub" -> FullWarp.subInt(d, a, b);
        case "and" -> FullWarp.andInt(d, a, b);
        case "or" -> FullWarp.orInt(d, a, b);
        case "xor" -> FullWarp.xorInt(d, a, b);
        default -> Lanes.binary(d, a, b, narrow(opcode, type));
      };
    }
    IntBinaryOperator f = narrow(opcode, type);
    return Lanes.binary(d, a, b, (x, y) -> f.applyAsInt(extend(type, x), extend(type, y)) & 0xFFFF);
  }

  private static Operation saturating(String opcode, PtxType type, int d, int a, int b) {
    if (type != PtxType.S32 || !(opcode.equals("add") || opcode.equals("sub"))) {
      throw new IllegalArgumentException("only add.sat.s32 and sub.sat.s32 exist");
    }
    int sign = opcode.equals("add") ? 1 : -1;
    return Lanes.binary(
        d, a, b, (x, y) -> Math.clamp((long) x + sign * (long) y, -1 << 31, ~(-1 << 31)));
  }

  private static IntBinaryOperator predicates(String opcode) {
    return switch (opcode) {
      case "and" -> (x, y) -> x != 0 && y != 0 ? 1 : 0;
      case "or" -> (x, y) -> x != 0 || y != 0 ? 1 : 0;
      case "xor" -> (x, y) -> (x != 0) != (y != 0) ? 1 : 0;
      default -> throw new IllegalArgumentException(opcode + ".pred does not exist");
    };
  }

  private static IntBinaryOperator narrow(String opcode, PtxType type) {
    boolean signed = type.signed();
    return switch (opcode) {
      case "add" -> Integer::sum;
      case "sub" -> (x, y) -> x - y;
      case "div" -> signed ? (x, y) -> x / y : (x, y) -> Integer.divideUnsigned(x, y);
      case "rem" -> signed ? (x, y) -> x % y : (x, y) -> Integer.remainderUnsigned(x, y);
      case "min" -> signed ? Math::min : (x, y) -> Integer.compareUnsigned(x, y) < 0 ? x : y;
      case "max" -> signed ? Math::max : (x, y) -> Integer.compareUnsigned(x, y) > 0 ? x : y;
      case "and" -> (x, y) -> x & y;
      case "or" -> (x, y) -> x | y;
      default -> (x, y) -> x ^ y;
    };
  }

  private static LongBinaryOperator wide(String opcode, PtxType type) {
    boolean signed = type.signed();
    return switch (opcode) {
      case "sub" -> (x, y) -> x - y;
      case "div" -> signed ? (x, y) -> x / y : (x, y) -> Long.divideUnsigned(x, y);
      case "rem" -> signed ? (x, y) -> x % y : (x, y) -> Long.remainderUnsigned(x, y);
      case "min" -> signed ? Math::min : (x, y) -> Long.compareUnsigned(x, y) < 0 ? x : y;
      case "max" -> signed ? Math::max : (x, y) -> Long.compareUnsigned(x, y) > 0 ? x : y;
      case "and" -> (x, y) -> x & y;
      case "or" -> (x, y) -> x | y;
      default -> (x, y) -> x ^ y;
    };
  }

  /// Division by zero does not trap on a GPU, it gives an unspecified value: nobody can want it.
  private static Operation checkDivisor(PtxType type, int b, Operation division) {
    return (warp, mask) -> {
      for (int rest = mask; rest != 0; rest &= rest - 1) {
        int lane = Integer.numberOfTrailingZeros(rest);
        long divisor = type.wide() ? warp.longs[b + lane] : warp.ints[b + lane];
        if (divisor == 0) {
          throw new DeviceFault(
              DeviceFault.Kind.DIVISION_BY_ZERO, lane, "integer division by zero");
        }
      }
      division.run(warp, mask);
    };
  }

  private static Operation multiply(Form form) {
    String part = form.takeOneOf("lo", "hi", "wide");
    PtxType type = form.takeType();
    boolean add = form.opcode().equals("mad");
    form.finish(add ? 4 : 3);
    if (part == null) {
      throw new IllegalArgumentException(".lo, .hi or .wide is missing");
    }
    PtxType result = part.equals("wide") ? doubled(type) : type;
    int d = form.out(0, result);
    int a = form.in(1, type);
    int b = form.in(2, type);
    int c = add ? form.in(3, result) : 0;
    if (part.equals("wide") && type.bits() == 32) {
      return wideProduct(type, d, a, b, c, add);
    }
    if (type.wide()) {
      LongBinaryOperator f =
          part.equals("lo")
              ? (x, y) -> x * y
              : type.signed() ? Math::multiplyHigh : Math::unsignedMultiplyHigh;
      return add
          ? Lanes.wideTernary(d, a, b, c, (x, y, z) -> f.applyAsLong(x, y) + z)
          : Lanes.wideBinary(d, a, b, f);
    }
    return narrowProduct(type, part, d, a, b, c, add);
  }

  private static PtxType doubled(PtxType type) {
    PtxType result = PtxType.named((type.signed() ? "s" : "u") + 2 * type.bits());
    if (result == null) {
      throw new IllegalArgumentException("mul.wide." + type + " does not exist");
    }
    return result;
  }

  private static Operation wideProduct(PtxType type, int d, int a, int b, int c, boolean add) {
    if (type.signed() && !add) {
      return FullWarp.mulWide(d, a, b);
    }
    boolean signed = type.signed();
    return (warp, mask) -> {
      int[] r = warp.ints;
      for (int rest = mask; rest != 0; rest &= rest - 1) {
        int lane = Integer.numberOfTrailingZeros(rest);
        long x = signed ? r[a + lane] : r[a + lane] & 0xFFFF_FFFFL;
        long y = signed ? r[b + lane] : r[b + lane] & 0xFFFF_FFFFL;
        warp.longs[d + lane] = x * y + (add ? warp.longs[c + lane] : 0);
      }
    };
  }

  private static Operation narrowProduct(
      PtxType type, String part, int d, int a, int b, int c, boolean add) {
    if (type.bits() == 32 && part.equals("lo")) {
      return add ? FullWarp.mulAddInt(d, a, b, c) : FullWarp.mulInt(d, a, b);
    }
    IntBinaryOperator f;
    if (type.bits() == 32) {
      f =
          type.signed()
              ? (x, y) -> (int) (((long) x * y) >> 32)
              : (x, y) -> (int) (((x & 0xFFFF_FFFFL) * (y & 0xFFFF_FFFFL)) >>> 32);
    } else {
      // 16 bits: the whole product, its lower or its upper half.
      int shift = part.equals("hi") ? 16 : 0;
      f = (x, y) -> (extend(type, x) * extend(type, y)) >> shift;
    }
    int keep = type.bits() == 16 && !part.equals("wide") ? 0xFFFF : -1;
    return add
        ? Lanes.ternary(d, a, b, c, (x, y, z) -> f.applyAsInt(x, y) + z & keep)
        : Lanes.binary(d, a, b, (x, y) -> f.applyAsInt(x, y) & keep);
  }

  /// Amounts are unsigned 32-bit and clamp at the width; Java's would wrap.
  private static Operation shift(Form form) {
    PtxType type = form.takeType();
    form.finish(3);
    int d = form.out(0, type);
    int a = form.in(1, type);
    int b = form.in(2, PtxType.U32);
    boolean left = form.opcode().equals("shl");
    boolean signed = type.signed();
    if (type.wide()) {
      return Lanes.wideByNarrow(
          d,
          a,
          b,
          (x, n) -> {
            boolean all = Integer.compareUnsigned(n, 63) > 0;
            if (signed && !left) {
              return x >> (all ? 63 : n);
            }
            return all ? 0 : left ? x << n : x >>> n;
          });
    }
    if (type.bits() == 16) {
      return Lanes.binary(
          d,
          a,
          b,
          (x, n) -> {
            int amount = Integer.compareUnsigned(n, 16) > 0 ? 16 : n;
            int value = extend(type, x);
            return (left ? value << amount : value >> amount) & 0xFFFF;
          });
    }
    if (left) {
      return Lanes.binary(d, a, b, (x, n) -> Integer.compareUnsigned(n, 31) > 0 ? 0 : x << n);
    }
    return signed
        ? Lanes.binary(d, a, b, (x, n) -> x >> (Integer.compareUnsigned(n, 31) > 0 ? 31 : n))
        : Lanes.binary(d, a, b, (x, n) -> Integer.compareUnsigned(n, 31) > 0 ? 0 : x >>> n);
  }
}
