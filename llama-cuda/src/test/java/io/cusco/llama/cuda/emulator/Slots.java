package io.cusco.llama.cuda.emulator;

import java.util.ArrayList;
import java.util.List;

/// Places operands in the register files of a kernel: every operand becomes one index, constants
/// and special registers included.
final class Slots {
  private final Symbols symbols;
  private final int numIntRegisters;
  private final int numLongRegisters;
  private final List<Integer> intConstants = new ArrayList<>();
  private final List<Long> longConstants = new ArrayList<>();

  Slots(PtxKernel kernel, Symbols symbols) {
    this.symbols = symbols;
    // One register more in each file takes what is thrown away.
    this.numIntRegisters = kernel.numNarrowRegisters() + 1;
    this.numLongRegisters = kernel.numWideRegisters() + 1;
  }

  Symbols symbols() {
    return symbols;
  }

  int numIntRegisters() {
    return numIntRegisters;
  }

  int numLongRegisters() {
    return numLongRegisters;
  }

  int[] intConstants() {
    return intConstants.stream().mapToInt(Integer::intValue).toArray();
  }

  long[] longConstants() {
    return longConstants.stream().mapToLong(Long::longValue).toArray();
  }

  /// The slot of a source of this type, in the file of that type.
  ///
  /// @throws IllegalArgumentException if the operand is no such value
  int source(PtxOperand operand, PtxType type) {
    return switch (operand) {
      case PtxOperand.Register register -> {
        if (register.negated()) {
          throw new IllegalArgumentException("a negated predicate is not emulated here");
        }
        yield register(register.register(), type);
      }
      case PtxOperand.Immediate immediate ->
          type.wide() ? constant(wideBits(immediate, type)) : constant(narrowBits(immediate, type));
      case PtxOperand.Special special -> {
        if (type.wide()) {
          throw new IllegalArgumentException("`" + special.name() + "` has 32 bits");
        }
        yield (numIntRegisters + SpecialRegisters.slot(special.name())) * 32;
      }
      case PtxOperand.Symbol symbol -> {
        long address = symbols.address(symbol.name()) + symbol.offset();
        yield type.wide() ? constant(address) : constant((int) address);
      }
      case PtxOperand.Address _, PtxOperand.Vector _, PtxOperand.Pair _, PtxOperand.Sink _ ->
          throw new IllegalArgumentException("an operand is no value");
    };
  }

  /// The slot of a destination of this type.
  int destination(PtxOperand operand, PtxType type) {
    return switch (operand) {
      case PtxOperand.Register register -> register(register.register(), type);
      case PtxOperand.Sink _ -> (type.wide() ? numLongRegisters - 1 : numIntRegisters - 1) * 32;
      case PtxOperand.Immediate _,
          PtxOperand.Special _,
          PtxOperand.Symbol _,
          PtxOperand.Address _,
          PtxOperand.Vector _,
          PtxOperand.Pair _ ->
          throw new IllegalArgumentException("the destination is no register");
    };
  }

  Predicate predicate(PtxOperand operand) {
    if (operand instanceof PtxOperand.Register(PtxRegister register, boolean negated)
        && register.type() == PtxType.PRED) {
      return new Predicate(register.index() * 32, negated);
    }
    if (operand instanceof PtxOperand.Immediate immediate) {
      return new Predicate(constant((int) immediate.bits()), false);
    }
    throw new IllegalArgumentException("an operand is no predicate");
  }

  int constant(int value) {
    int index = intConstants.indexOf(value);
    if (index < 0) {
      index = intConstants.size();
      intConstants.add(value);
    }
    return (numIntRegisters + SpecialRegisters.NAMES.size() + index) * 32;
  }

  int constant(long value) {
    int index = longConstants.indexOf(value);
    if (index < 0) {
      index = longConstants.size();
      longConstants.add(value);
    }
    return (numLongRegisters + index) * 32;
  }

  private static int register(PtxRegister register, PtxType type) {
    if (register.type().wide() != type.wide()) {
      throw new IllegalArgumentException(
          "`%s` is declared .%s and used as .%s".formatted(register.name(), register.type(), type));
    }
    return register.index() * 32;
  }

  private static int narrowBits(PtxOperand.Immediate immediate, PtxType type) {
    long bits = immediate.bits();
    if (immediate.floatBits() == 64) {
      bits = Float.floatToRawIntBits((float) Double.longBitsToDouble(bits));
    } else if (immediate.floatBits() == 0 && type == PtxType.F32) {
      bits = Float.floatToRawIntBits((float) bits);
    }
    return type.bits() == 16 ? (int) bits & 0xFFFF : (int) bits;
  }

  private static long wideBits(PtxOperand.Immediate immediate, PtxType type) {
    if (immediate.floatBits() == 32 && type == PtxType.F64) {
      return Double.doubleToRawLongBits(Float.intBitsToFloat((int) immediate.bits()));
    }
    if (immediate.floatBits() == 0 && type == PtxType.F64) {
      return Double.doubleToRawLongBits((double) immediate.bits());
    }
    return immediate.bits();
  }
}
