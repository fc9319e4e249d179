package io.cusco.llama.cuda.emulator;

import java.util.function.IntBinaryOperator;

/// Instructions in which the lanes of a warp see each other: `shfl`, `vote`, `match`, `redux`,
/// `activemask`. The scheduler runs them once all lanes of the member mask are there, with that
/// mask.
final class WarpOps {
  private WarpOps() {}

  static OperationCompiler.Compiled compile(Form form) {
    if (form.opcode().equals("activemask")) {
      form.takeType();
      form.finish(1);
      int d = form.out(0, PtxType.B32);
      return OperationCompiler.Compiled.of((warp, mask) -> Lanes.fill(warp.ints, d, mask, mask));
    }
    if (!form.take("sync")) {
      throw new IllegalArgumentException("only the .sync form exists on compute capability 8.0");
    }
    int members = form.in(form.count() - 1, PtxType.B32);
    Operation operation =
        switch (form.opcode()) {
          case "shfl" -> shfl(form);
          case "vote" -> vote(form);
          case "match" -> match(form);
          default -> redux(form);
        };
    return new OperationCompiler.Compiled(operation, true, members);
  }

  private static Operation shfl(Form form) {
    String mode = form.takeOneOf("up", "down", "bfly", "idx");
    form.ignore("b32");
    form.finish(5);
    PtxOperand first = form.operand(0);
    int p = -1;
    if (first instanceof PtxOperand.Pair(PtxOperand value, PtxOperand predicate)) {
      first = value;
      p = form.slots().destination(predicate, PtxType.PRED);
    }
    if (mode == null) {
      throw new IllegalArgumentException("a mode is missing");
    }
    int d = form.slots().destination(first, PtxType.B32);
    int a = form.in(1, PtxType.B32);
    int b = form.in(2, PtxType.B32);
    int c = form.in(3, PtxType.B32);
    int predicate = p;
    int[] values = new int[32];
    return (warp, mask) -> {
      int[] r = warp.ints;
      // All sources are read before any destination is written.
      System.arraycopy(r, a, values, 0, 32);
      for (int rest = mask; rest != 0; rest &= rest - 1) {
        int lane = Integer.numberOfTrailingZeros(rest);
        int source = source(mode, lane, r[b + lane] & 31, r[c + lane]);
        boolean valid = source >= 0;
        if (valid && (mask >>> source & 1) == 0) {
          throw new DeviceFault(
              DeviceFault.Kind.UNDEFINED_RESULT,
              lane,
              "shuffle from lane %d, which is not among the executing lanes %s"
                  .formatted(source, Warp.lanes(mask)));
        }
        int value = values[valid ? source : lane];
        if (predicate >= 0) {
          r[predicate + lane] = valid ? 1 : 0;
        }
        r[d + lane] = value;
      }
    };
  }

  /// The lane a value comes from, -1 for one outside of the segment: the lane then keeps its own.
  private static int source(String mode, int lane, int b, int c) {
    int segment = c >>> 8 & 31;
    int clamp = c & 31;
    int limit = (lane & segment) | (clamp & ~segment);
    return switch (mode) {
      case "up" -> lane - b >= limit ? lane - b : -1;
      case "down" -> lane + b <= limit ? lane + b : -1;
      case "bfly" -> (lane ^ b) <= limit ? lane ^ b : -1;
      default -> {
        int source = (lane & segment) | (b & ~segment);
        yield source <= limit ? source : -1;
      }
    };
  }

  private static Operation vote(Form form) {
    String mode = form.takeOneOf("all", "any", "uni", "ballot");
    PtxType type = form.takeType();
    form.finish(3);
    if (mode == null) {
      throw new IllegalArgumentException("a mode is missing");
    }
    int d = form.out(0, type);
    Predicate source = form.predicate(1);
    return (warp, mask) -> {
      int holds = source.lanes(warp) & mask;
      int result =
          switch (mode) {
            case "all" -> holds == mask ? 1 : 0;
            case "any" -> holds != 0 ? 1 : 0;
            case "uni" -> holds == mask || holds == 0 ? 1 : 0;
            default -> holds;
          };
      Lanes.fill(warp.ints, d, mask, result);
    };
  }

  private static Operation match(Form form) {
    boolean all = form.take("all");
    form.ignore("any");
    PtxType type = form.takeType();
    form.finish(3);
    PtxOperand first = form.operand(0);
    int p = -1;
    if (first instanceof PtxOperand.Pair(PtxOperand value, PtxOperand predicate)) {
      first = value;
      p = form.slots().destination(predicate, PtxType.PRED);
    }
    int d = form.slots().destination(first, PtxType.B32);
    int a = form.in(1, type);
    int predicate = p;
    return (warp, mask) -> {
      int[] results = new int[32];
      for (int lane = 0; lane < 32; lane++) {
        for (int other = 0; other < 32; other++) {
          boolean same =
              type.wide()
                  ? warp.longs[a + lane] == warp.longs[a + other]
                  : warp.ints[a + lane] == warp.ints[a + other];
          results[lane] |= same && (mask >>> other & 1) != 0 ? 1 << other : 0;
        }
      }
      for (int rest = mask; rest != 0; rest &= rest - 1) {
        int lane = Integer.numberOfTrailingZeros(rest);
        boolean everyone = results[lane] == mask;
        warp.ints[d + lane] = all && !everyone ? 0 : results[lane];
        if (predicate >= 0) {
          warp.ints[predicate + lane] = everyone ? 1 : 0;
        }
      }
    };
  }

  private static Operation redux(Form form) {
    String name = form.takeOneOf("add", "min", "max", "and", "or", "xor");
    PtxType type = form.takeType();
    form.finish(3);
    if (name == null || type.bits() != 32 || type.isFloat()) {
      throw new IllegalArgumentException("this reduction is not emulated");
    }
    boolean signed = type.signed();
    IntBinaryOperator f =
        switch (name) {
          case "add" -> Integer::sum;
          case "min" -> signed ? Math::min : (x, y) -> Integer.compareUnsigned(x, y) < 0 ? x : y;
          case "max" -> signed ? Math::max : (x, y) -> Integer.compareUnsigned(x, y) > 0 ? x : y;
          case "and" -> (x, y) -> x & y;
          case "or" -> (x, y) -> x | y;
          default -> (x, y) -> x ^ y;
        };
    int d = form.out(0, type);
    int a = form.in(1, type);
    return (warp, mask) -> {
      int first = Integer.numberOfTrailingZeros(mask);
      int result = warp.ints[a + first];
      for (int rest = mask & mask - 1; rest != 0; rest &= rest - 1) {
        result = f.applyAsInt(result, warp.ints[a + Integer.numberOfTrailingZeros(rest)]);
      }
      Lanes.fill(warp.ints, d, mask, result);
    };
  }
}
