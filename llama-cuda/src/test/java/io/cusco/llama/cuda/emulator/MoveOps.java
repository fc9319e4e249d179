package io.cusco.llama.cuda.emulator;

import java.util.List;

/// `mov` in all forms, `cvta`, `isspacep`.
final class MoveOps {
  private MoveOps() {}

  static Operation compile(Form form) {
    return switch (form.opcode()) {
      case "mov" -> mov(form);
      case "cvta" -> cvta(form);
      default -> isspacep(form);
    };
  }

  private static Operation mov(Form form) {
    PtxType type = form.takeType();
    form.finish(2);
    if (form.operand(1) instanceof PtxOperand.Vector(List<PtxOperand> parts)) {
      return pack(form, type, parts);
    }
    if (form.operand(0) instanceof PtxOperand.Vector(List<PtxOperand> parts)) {
      return unpack(form, type, parts);
    }
    if (type == PtxType.PRED) {
      int d = form.out(0, type);
      Predicate source = form.predicate(1);
      return Lanes.unary(d, source.slot(), source.negated() ? x -> x == 0 ? 1 : 0 : x -> x);
    }
    if (form.operand(1) instanceof PtxOperand.Special(String name) && name.contains("clock")) {
      throw new IllegalArgumentException("there is no clock here");
    }
    return type.wide()
        ? FullWarp.moveLong(form.out(0, type), form.in(1, type))
        : FullWarp.moveInt(form.out(0, type), form.in(1, type));
  }

  /// `mov.b32 d, {low, high}`: the first is the lowest.
  private static Operation pack(Form form, PtxType type, List<PtxOperand> parts) {
    int bits = type.bits() / parts.size();
    PtxType part = partType(type, parts.size());
    int[] sources = parts.stream().mapToInt(x -> form.slots().source(x, part)).toArray();
    int d = form.out(0, type);
    long partMask = (1L << bits) - 1;
    return (warp, mask) -> {
      for (int rest = mask; rest != 0; rest &= rest - 1) {
        int lane = Integer.numberOfTrailingZeros(rest);
        long packed = 0;
        for (int i = 0; i < sources.length; i++) {
          packed |= (warp.ints[sources[i] + lane] & partMask) << (i * bits);
        }
        if (type.wide()) {
          warp.longs[d + lane] = packed;
        } else {
          warp.ints[d + lane] = (int) packed;
        }
      }
    };
  }

  private static Operation unpack(Form form, PtxType type, List<PtxOperand> parts) {
    int bits = type.bits() / parts.size();
    PtxType part = partType(type, parts.size());
    int[] destinations = parts.stream().mapToInt(x -> form.slots().destination(x, part)).toArray();
    int a = form.in(1, type);
    long partMask = (1L << bits) - 1;
    return (warp, mask) -> {
      for (int rest = mask; rest != 0; rest &= rest - 1) {
        int lane = Integer.numberOfTrailingZeros(rest);
        long packed = type.wide() ? warp.longs[a + lane] : warp.ints[a + lane];
        for (int i = 0; i < destinations.length; i++) {
          warp.ints[destinations[i] + lane] = (int) (packed >>> (i * bits) & partMask);
        }
      }
    };
  }

  private static PtxType partType(PtxType whole, int count) {
    PtxType part = PtxType.named("b" + whole.bits() / count);
    if (part == null || count < 2) {
      throw new IllegalArgumentException("cannot split .%s into %d".formatted(whole, count));
    }
    return part;
  }

  private static Operation cvta(Form form) {
    boolean to = form.take("to");
    String space = form.takeOneOf("global", "shared", "local", "const", "param");
    PtxType type = form.takeType();
    form.finish(2);
    if (!type.wide() || space == null || space.equals("param")) {
      throw new IllegalArgumentException("this conversion of addresses is not emulated");
    }
    long window =
        switch (space) {
          case "shared" -> Addresses.SHARED_WINDOW;
          case "local" -> Addresses.LOCAL_WINDOW;
          default -> 0;
        };
    int d = form.out(0, type);
    int a = form.in(1, type);
    long add = to ? -window : window;
    return window == 0 ? FullWarp.moveLong(d, a) : Lanes.wideUnary(d, a, x -> x + add);
  }

  private static Operation isspacep(Form form) {
    String space = form.takeOneOf("global", "shared", "local");
    form.finish(2);
    if (space == null) {
      throw new IllegalArgumentException("this state space is not emulated");
    }
    int d = form.out(0, PtxType.PRED);
    int a = form.in(1, PtxType.U64);
    return Lanes.narrow(
        d,
        a,
        address -> {
          boolean shared = Addresses.shared(address);
          boolean local = Addresses.local(address);
          boolean answer =
              switch (space) {
                case "shared" -> shared;
                case "local" -> local;
                default -> !shared && !local;
              };
          return answer ? 1 : 0;
        });
  }
}
