package io.cusco.llama.cuda.emulator;

/// `atom` and `red` in global, shared and generic memory. Lanes go one after another, in the order
/// of their numbers; a GPU takes any order.
final class AtomicOps {
  /// The new value from the old one and the operands.
  @FunctionalInterface
  private interface Update {
    long apply(long old, long operand, long second);
  }

  private AtomicOps() {}

  static Operation compile(Form form) {
    boolean returns = form.opcode().equals("atom");
    form.ignore("relaxed", "acquire", "release", "acq_rel", "cta", "gpu", "sys", "noftz");
    form.ignorePrefix("L2::");
    MemoryAccess.Space space = MemoryAccess.takeSpace(form);
    String name =
        form.takeOneOf("add", "min", "max", "inc", "dec", "and", "or", "xor", "exch", "cas");
    PtxType type = form.takeType();
    if (name == null || type.bits() < 32) {
      throw new IllegalArgumentException("this atomic is not emulated");
    }
    int first = returns ? 1 : 0;
    boolean compares = name.equals("cas");
    form.finish(first + (compares ? 3 : 2));
    int d = returns ? form.out(0, type) : form.slots().destination(new PtxOperand.Sink(), type);
    AddressSource address = form.address(first);
    int b = form.in(first + 1, type);
    int c = compares ? form.in(first + 2, type) : b;
    MemoryAccess access = new MemoryAccess(space, type.numBytes(), true);
    Update update = update(name, type);
    boolean wide = type.wide();
    return (warp, mask) -> {
      address.fill(warp);
      for (int rest = mask; rest != 0; rest &= rest - 1) {
        int lane = Integer.numberOfTrailingZeros(rest);
        access.update(warp, lane, warp.addresses[lane]);
        if (wide) {
          long old = access.region.getLong(access.offset);
          long now = update.apply(old, warp.longs[b + lane], warp.longs[c + lane]);
          access.region.putLong(access.offset, now);
          warp.longs[d + lane] = old;
        } else {
          int old = access.region.getInt(access.offset);
          long now = update.apply(old, warp.ints[b + lane], warp.ints[c + lane]);
          access.region.putInt(access.offset, (int) now);
          warp.ints[d + lane] = old;
        }
      }
    };
  }

  private static Update update(String name, PtxType type) {
    if (type.isFloat() && !name.equals("add")) {
      throw new IllegalArgumentException("floats are only added");
    }
    return switch (name) {
      case "add" -> add(type);
      case "min" -> (old, x, _) -> compare(type, old, x) <= 0 ? old : x;
      case "max" -> (old, x, _) -> compare(type, old, x) >= 0 ? old : x;
      case "inc" -> (old, x, _) -> compare(type, old, x) >= 0 ? 0 : old + 1;
      case "dec" -> (old, x, _) -> old == 0 || compare(type, old, x) > 0 ? x : old - 1;
      case "and" -> (old, x, _) -> old & x;
      case "or" -> (old, x, _) -> old | x;
      case "xor" -> (old, x, _) -> old ^ x;
      case "exch" -> (_, x, _) -> x;
      default -> (old, x, replacement) -> old == x ? replacement : old;
    };
  }

  private static int compare(PtxType type, long a, long b) {
    return type.signed() ? Long.compare(a, b) : Long.compareUnsigned(a, b);
  }

  private static Update add(PtxType type) {
    return switch (type) {
      case F32 ->
          (old, x, _) ->
              FloatBits.of(Float.intBitsToFloat((int) old) + Float.intBitsToFloat((int) x));
      case F64 ->
          (old, x, _) ->
              Double.doubleToRawLongBits(Double.longBitsToDouble(old) + Double.longBitsToDouble(x));
      default -> {
        if (!type.isInteger()) {
          throw new IllegalArgumentException("atomics of ." + type + " are not emulated");
        }
        yield (old, x, _) -> old + x;
      }
    };
  }
}
