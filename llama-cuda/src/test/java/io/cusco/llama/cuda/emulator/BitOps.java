package io.cusco.llama.cuda.emulator;

import java.util.function.IntBinaryOperator;
import java.util.function.IntUnaryOperator;
import java.util.function.LongToIntFunction;

/// Bit fields, permutations, counts and dot products of bytes.
final class BitOps {
  private BitOps() {}

  static Operation compile(Form form) {
    return switch (form.opcode()) {
      case "popc", "clz" -> count(form);
      case "brev" -> reverse(form);
      case "bfind" -> find(form);
      case "bfe" -> extract(form);
      case "bfi" -> insert(form);
      case "prmt" -> permute(form);
      case "lop3" -> lop3(form);
      case "shf" -> funnel(form);
      case "sad" -> sad(form);
      case "mul24", "mad24" -> multiply24(form);
      case "dp4a" -> dot(form, 4);
      default -> dot(form, 2);
    };
  }

  private static Operation count(Form form) {
    PtxType type = form.takeType();
    form.finish(2);
    int d = form.out(0, PtxType.U32);
    int a = form.in(1, type);
    boolean ones = form.opcode().equals("popc");
    if (type.wide()) {
      LongToIntFunction f = ones ? Long::bitCount : Long::numberOfLeadingZeros;
      return Lanes.narrow(d, a, f);
    }
    IntUnaryOperator f = ones ? Integer::bitCount : Integer::numberOfLeadingZeros;
    return Lanes.unary(d, a, f);
  }

  private static Operation reverse(Form form) {
    PtxType type = form.takeType();
    form.finish(2);
    int d = form.out(0, type);
    int a = form.in(1, type);
    return type.wide() ? Lanes.wideUnary(d, a, Long::reverse) : Lanes.unary(d, a, Integer::reverse);
  }

  /// The highest bit that differs from the sign; `.shiftamt` gives the left shift that brings it to
  /// the top. −1 where there is none.
  private static Operation find(Form form) {
    boolean amount = form.take("shiftamt");
    PtxType type = form.takeType();
    form.finish(2);
    int d = form.out(0, PtxType.U32);
    int a = form.in(1, type);
    int top = type.bits() - 1;
    if (type.wide()) {
      return Lanes.narrow(
          d,
          a,
          x -> {
            int position = 63 - Long.numberOfLeadingZeros(type.signed() && x < 0 ? ~x : x);
            return position < 0 || !amount ? position : top - position;
          });
    }
    return Lanes.unary(
        d,
        a,
        x -> {
          int position = 31 - Integer.numberOfLeadingZeros(type.signed() && x < 0 ? ~x : x);
          return position < 0 || !amount ? position : top - position;
        });
  }

  private static Operation extract(Form form) {
    PtxType type = form.takeType();
    form.finish(4);
    int d = form.out(0, type);
    int a = form.in(1, type);
    int position = form.in(2, PtxType.U32);
    int length = form.in(3, PtxType.U32);
    if (type.wide()) {
      return (warp, mask) -> {
        for (int rest = mask; rest != 0; rest &= rest - 1) {
          int lane = Integer.numberOfTrailingZeros(rest);
          warp.longs[d + lane] =
              extract(
                  warp.longs[a + lane],
                  64,
                  type.signed(),
                  warp.ints[position + lane] & 255,
                  warp.ints[length + lane] & 255);
        }
      };
    }
    return Lanes.ternary(
        d,
        a,
        position,
        length,
        (x, p, n) ->
            (int)
                extract(type.signed() ? x : x & 0xFFFF_FFFFL, 32, type.signed(), p & 255, n & 255));
  }

  /// @param x sign- or zero-extended from `bits`
  private static long extract(long x, int bits, boolean signed, int position, int length) {
    if (length == 0) {
      return 0;
    }
    int top = Math.min(position + length - 1, bits - 1);
    boolean negative = signed && (x >>> top & 1) != 0;
    if (position >= bits) {
      return negative ? -1 : 0;
    }
    int kept = top - position + 1;
    long keep = kept == 64 ? -1L : (1L << kept) - 1;
    long field = x >>> position & keep;
    return negative ? field | ~keep : field;
  }

  /// `bfi d, a, b, position, length` puts a into b.
  private static Operation insert(Form form) {
    PtxType type = form.takeType();
    form.finish(5);
    int d = form.out(0, type);
    int a = form.in(1, type);
    int b = form.in(2, type);
    int position = form.in(3, PtxType.U32);
    int length = form.in(4, PtxType.U32);
    return (warp, mask) -> {
      int[] r = warp.ints;
      for (int rest = mask; rest != 0; rest &= rest - 1) {
        int lane = Integer.numberOfTrailingZeros(rest);
        long field = field(r[position + lane] & 255, r[length + lane] & 255, type.bits());
        int shift = Math.min(63, r[position + lane] & 255);
        if (type.wide()) {
          long into = warp.longs[b + lane];
          warp.longs[d + lane] = (into & ~field) | (warp.longs[a + lane] << shift & field);
        } else {
          long into = r[b + lane];
          r[d + lane] = (int) ((into & ~field) | ((long) r[a + lane] << shift & field));
        }
      }
    };
  }

  private static long field(int position, int length, int bits) {
    int kept = Math.min(length, bits - position);
    if (kept <= 0) {
      return 0;
    }
    return (kept == 64 ? -1L : (1L << kept) - 1) << position;
  }

  private static Operation permute(Form form) {
    String mode = form.takeOneOf("f4e", "b4e", "rc8", "ecl", "ecr", "rc16");
    if (mode != null) {
      throw new IllegalArgumentException("prmt ." + mode + " is not emulated");
    }
    form.ignore("b32");
    form.finish(4);
    return Lanes.ternary(
        form.out(0, PtxType.B32),
        form.in(1, PtxType.B32),
        form.in(2, PtxType.B32),
        form.in(3, PtxType.B32),
        BitOps::permute);
  }

  /// Picks four of eight bytes; bit 3 of a selector replicates the sign of its byte.
  private static int permute(int a, int b, int selectors) {
    long bytes = (a & 0xFFFF_FFFFL) | (long) b << 32;
    int result = 0;
    for (int i = 0; i < 4; i++) {
      int selector = selectors >>> (4 * i) & 15;
      int value = (int) (bytes >>> (8 * (selector & 7))) & 255;
      if ((selector & 8) != 0) {
        value = (value & 128) != 0 ? 255 : 0;
      }
      result |= value << (8 * i);
    }
    return result;
  }

  private static Operation lop3(Form form) {
    form.ignore("b32");
    form.finish(5);
    int table = form.number(4);
    return Lanes.ternary(
        form.out(0, PtxType.B32),
        form.in(1, PtxType.B32),
        form.in(2, PtxType.B32),
        form.in(3, PtxType.B32),
        (a, b, c) -> {
          int result = 0;
          for (int row = 0; row < 8; row++) {
            if ((table >>> row & 1) != 0) {
              result |=
                  ((row & 4) != 0 ? a : ~a) & ((row & 2) != 0 ? b : ~b) & ((row & 1) != 0 ? c : ~c);
            }
          }
          return result;
        });
  }

  /// `shf d, a, b, c`: 64 bits with b above a, shifted by c.
  private static Operation funnel(Form form) {
    boolean left = form.take("l");
    boolean right = form.take("r");
    boolean wrap = form.take("wrap");
    boolean clamp = form.take("clamp");
    form.ignore("b32");
    form.finish(4);
    if (left == right || wrap == clamp) {
      throw new IllegalArgumentException("a direction or a mode is missing");
    }
    return Lanes.ternary(
        form.out(0, PtxType.B32),
        form.in(1, PtxType.B32),
        form.in(2, PtxType.B32),
        form.in(3, PtxType.U32),
        (a, b, c) -> {
          int amount = wrap ? c & 31 : Integer.compareUnsigned(c, 32) > 0 ? 32 : c;
          long both = (a & 0xFFFF_FFFFL) | (long) b << 32;
          return (int) (left ? both << amount >>> 32 : both >>> amount);
        });
  }

  private static Operation sad(Form form) {
    PtxType type = form.takeType();
    form.finish(4);
    if (type.bits() != 32) {
      throw new IllegalArgumentException("sad." + type + " is not emulated");
    }
    boolean signed = type.signed();
    return Lanes.ternary(
        form.out(0, type),
        form.in(1, type),
        form.in(2, type),
        form.in(3, type),
        (a, b, c) -> {
          boolean less = signed ? a < b : Integer.compareUnsigned(a, b) < 0;
          return c + (less ? b - a : a - b);
        });
  }

  private static Operation multiply24(Form form) {
    boolean high = form.take("hi");
    form.ignore("lo");
    PtxType type = form.takeType();
    boolean add = form.opcode().equals("mad24");
    form.finish(add ? 4 : 3);
    boolean signed = type.signed();
    IntBinaryOperator f =
        (a, b) -> {
          long product =
              signed ? (long) (a << 8 >> 8) * (b << 8 >> 8) : (a & 0xFF_FFFFL) * (b & 0xFF_FFFFL);
          return (int) (high ? product >> 16 : product);
        };
    int d = form.out(0, type);
    int a = form.in(1, type);
    int b = form.in(2, type);
    return add
        ? Lanes.ternary(d, a, b, form.in(3, type), (x, y, z) -> f.applyAsInt(x, y) + z)
        : Lanes.binary(d, a, b, f);
  }

  /// `dp4a.atype.btype` and `dp2a.{lo,hi}.atype.btype`: a dot product of bytes, or of halves of a
  /// with bytes of b.
  private static Operation dot(Form form, int parts) {
    boolean high = form.take("hi");
    form.ignore("lo");
    boolean signedA = form.takeType().signed();
    boolean signedB = form.takeType().signed();
    form.finish(4);
    int bitsA = 32 / parts;
    int firstB = high ? 2 : 0;
    return Lanes.ternary(
        form.out(0, PtxType.B32),
        form.in(1, PtxType.B32),
        form.in(2, PtxType.B32),
        form.in(3, PtxType.B32),
        (a, b, c) -> {
          int sum = c;
          for (int i = 0; i < parts; i++) {
            sum += part(a, i, bitsA, signedA) * part(b, firstB + i, 8, signedB);
          }
          return sum;
        });
  }

  private static int part(int packed, int index, int bits, boolean signed) {
    int atTop = packed >>> (index * bits) << (32 - bits);
    return signed ? atTop >> (32 - bits) : atTop >>> (32 - bits);
  }
}
