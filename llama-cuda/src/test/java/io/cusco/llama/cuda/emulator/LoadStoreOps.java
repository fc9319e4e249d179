package io.cusco.llama.cuda.emulator;

import java.util.List;

/// `ld`, `st` and hints without effect (PTX ISA, "Data Movement and Conversion Instructions").
final class LoadStoreOps {
  private LoadStoreOps() {}

  static Operation compile(Form form) {
    return switch (form.opcode()) {
      case "ld", "ldu" -> load(form);
      case "st" -> store(form);
      default ->
          (_, _) -> {
            // Caches do not exist here.
          };
    };
  }

  /// What `ld` and `st` have in common.
  private record Shape(
      MemoryAccess.Space space, PtxType type, int count, boolean strong, boolean nonCoherent) {}

  private static Shape shape(Form form, int addressOperand, int valueOperand) {
    boolean strong = form.takeOneOf("volatile", "relaxed", "acquire", "release") != null;
    boolean nonCoherent = form.take("nc");
    form.ignore("weak", "cta", "gpu", "sys", "ca", "cg", "cs", "lu", "cv", "wb", "wt");
    form.ignorePrefix("L1::");
    form.ignorePrefix("L2::");
    MemoryAccess.Space space = MemoryAccess.takeSpace(form);
    String vector = form.takeOneOf("v2", "v4");
    PtxType type = form.takeType();
    form.finish(2);
    int count = vector == null ? 1 : vector.charAt(1) - '0';
    if (form.elements(valueOperand).size() != count) {
      throw new IllegalArgumentException("the vector has another length than ." + vector);
    }
    if (count * type.numBytes() > 16
        || !(form.operand(addressOperand) instanceof PtxOperand.Address)) {
      throw new IllegalArgumentException("no access of at most 16 bytes");
    }
    return new Shape(space, type, count, strong, nonCoherent);
  }

  private static Operation load(Form form) {
    Shape shape = shape(form, 1, 0);
    int width = shape.type().numBytes();
    MemoryAccess access =
        new MemoryAccess(shape.space(), width * shape.count(), shape.strong(), shape.nonCoherent());
    AddressSource address = form.address(1);
    List<PtxOperand> elements = form.elements(0);
    Target[] targets = new Target[elements.size()];
    for (int i = 0; i < targets.length; i++) {
      PtxType register = Form.declared(elements.get(i), shape.type());
      if (register.bits() < shape.type().bits()) {
        throw new IllegalArgumentException(
            "a register of .%s is too small for .%s".formatted(register, shape.type()));
      }
      targets[i] =
          new Target(
              form.slots().destination(elements.get(i), register),
              register.wide(),
              register.bits() < 32 ? 0xFFFF : -1);
    }
    boolean signed = shape.type().signed();
    return (warp, mask) -> {
      address.fill(warp);
      for (int rest = mask; rest != 0; rest &= rest - 1) {
        int lane = Integer.numberOfTrailingZeros(rest);
        access.read(warp, lane, warp.addresses[lane]);
        int offset = access.offset;
        for (Target target : targets) {
          if (target.wide()) {
            warp.longs[target.slot() + lane] = wide(access.region, offset, width, signed);
          } else {
            warp.ints[target.slot() + lane] =
                narrow(access.region, offset, width, signed) & target.keep();
          }
          offset += width;
        }
      }
    };
  }

  /// Where an element goes.
  ///
  /// @param keep the bits that its register has
  private record Target(int slot, boolean wide, int keep) {}

  /// Loads extend to the width of the register by the sign of the type.
  private static int narrow(MemoryRegion region, int offset, int width, boolean signed) {
    return switch (width) {
      case 1 -> signed ? region.getByte(offset) : region.getByte(offset) & 0xFF;
      case 2 -> signed ? region.getShort(offset) : region.getShort(offset) & 0xFFFF;
      default -> region.getInt(offset);
    };
  }

  private static long wide(MemoryRegion region, int offset, int width, boolean signed) {
    if (width == 8) {
      return region.getLong(offset);
    }
    int value = narrow(region, offset, width, signed);
    return signed ? value : value & 0xFFFF_FFFFL;
  }

  private static Operation store(Form form) {
    Shape shape = shape(form, 0, 1);
    int width = shape.type().numBytes();
    MemoryAccess access = new MemoryAccess(shape.space(), width * shape.count(), shape.strong());
    AddressSource address = form.address(0);
    List<PtxOperand> elements = form.elements(1);
    int[] sources = new int[elements.size()];
    boolean[] wides = new boolean[elements.size()];
    for (int i = 0; i < sources.length; i++) {
      PtxType register = Form.declared(elements.get(i), shape.type());
      sources[i] = form.slots().source(elements.get(i), register);
      wides[i] = register.wide();
      if (register.bits() < shape.type().bits()) {
        throw new IllegalArgumentException(
            "a register of .%s is too small for .%s".formatted(register, shape.type()));
      }
    }
    return (warp, mask) -> {
      address.fill(warp);
      for (int rest = mask; rest != 0; rest &= rest - 1) {
        int lane = Integer.numberOfTrailingZeros(rest);
        access.write(warp, lane, warp.addresses[lane]);
        int offset = access.offset;
        for (int i = 0; i < sources.length; i++) {
          long value = wides[i] ? warp.longs[sources[i] + lane] : warp.ints[sources[i] + lane];
          put(access.region, offset, width, value);
          offset += width;
        }
      }
    };
  }

  private static void put(MemoryRegion region, int offset, int width, long value) {
    switch (width) {
      case 1 -> region.putByte(offset, (byte) value);
      case 2 -> region.putShort(offset, (short) value);
      case 4 -> region.putInt(offset, (int) value);
      default -> region.putLong(offset, value);
    }
  }
}
