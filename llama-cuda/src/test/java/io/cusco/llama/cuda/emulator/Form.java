package io.cusco.llama.cuda.emulator;

import java.util.ArrayList;
import java.util.List;

/// One instruction while it is compiled. Each modifier has to be taken by someone, so that what the
/// emulator does not know is refused instead of ignored. Refusals are [IllegalArgumentException]s
/// with the reason; the compiler adds line and text.
final class Form {
  private final PtxInstruction instruction;
  private final Slots slots;
  private final int target;
  private final List<String> modifiers;

  Form(PtxInstruction instruction, Slots slots, int target) {
    this.instruction = instruction;
    this.slots = slots;
    this.target = target;
    this.modifiers = new ArrayList<>(instruction.modifiers());
  }

  String opcode() {
    return instruction.opcode();
  }

  PtxInstruction instruction() {
    return instruction;
  }

  Slots slots() {
    return slots;
  }

  /// Whether the modifier is there; it is then dealt with.
  boolean take(String modifier) {
    return modifiers.remove(modifier);
  }

  /// Whether all of these modifiers are there; those that are count as dealt with.
  boolean takeAll(String... names) {
    int found = 0;
    for (String name : names) {
      found += take(name) ? 1 : 0;
    }
    return found == names.length;
  }

  /// The first of these modifiers that is there, null for none.
  String takeOneOf(String... names) {
    for (String name : names) {
      if (modifiers.remove(name)) {
        return name;
      }
    }
    return null;
  }

  /// Takes a modifier; true if it is the first of those that are left.
  boolean takeBefore(String modifier) {
    boolean first = modifiers.getFirst().equals(modifier);
    modifiers.remove(modifier);
    return first;
  }

  /// Refuses an instruction that needs a newer `.target` than the module states.
  ///
  /// @param architecture as 89 of `sm_89`
  void requireTarget(int architecture) {
    if (target < architecture) {
      throw new IllegalArgumentException(
          "it needs .target sm_%d or above, the module has sm_%d".formatted(architecture, target));
    }
  }

  /// Takes modifiers that make no difference here.
  void ignore(String... names) {
    for (String name : names) {
      modifiers.remove(name);
    }
  }

  /// Takes every modifier that begins like this, as `L2::128B`, and makes no difference here.
  void ignorePrefix(String prefix) {
    modifiers.removeIf(x -> x.startsWith(prefix));
  }

  /// The first modifier that is a type.
  PtxType takeType() {
    PtxType type = peekType();
    if (type == null) {
      throw new IllegalArgumentException("a type is missing");
    }
    modifiers.remove(type.toString());
    return type;
  }

  /// The first modifier that is a type, null for none.
  PtxType peekType() {
    for (String modifier : modifiers) {
      PtxType type = PtxType.named(modifier);
      if (type != null) {
        return type;
      }
    }
    return null;
  }

  /// Says that everything has been looked at; the number of operands has to fit.
  void finish(int numOperands) {
    if (!modifiers.isEmpty()) {
      String why =
          modifiers.contains("ftz") ? " (compile without fast math: denormals are kept)" : "";
      throw new IllegalArgumentException(
          "modifier ." + String.join(".", modifiers) + " is not emulated here" + why);
    }
    if (count() != numOperands) {
      throw new IllegalArgumentException(
          "%d operands where %d are expected".formatted(count(), numOperands));
    }
  }

  int count() {
    return instruction.operands().size();
  }

  PtxOperand operand(int index) {
    if (index >= count()) {
      throw new IllegalArgumentException("operand " + (index + 1) + " is missing");
    }
    return instruction.operands().get(index);
  }

  /// The slot of a source.
  int in(int index, PtxType type) {
    return slots.source(operand(index), type);
  }

  /// The slot of a destination.
  int out(int index, PtxType type) {
    return slots.destination(operand(index), type);
  }

  Predicate predicate(int index) {
    return slots.predicate(operand(index));
  }

  /// The slots of `{a, b, …}`, or of one operand without braces.
  int[] slots(int index, PtxType type, boolean destination) {
    return elements(index).stream()
        .mapToInt(x -> destination ? slots.destination(x, type) : slots.source(x, type))
        .toArray();
  }

  List<PtxOperand> elements(int index) {
    return operand(index) instanceof PtxOperand.Vector(List<PtxOperand> elements)
        ? elements
        : List.of(operand(index));
  }

  /// The type a register is declared with; for anything else the type of the instruction.
  static PtxType declared(PtxOperand operand, PtxType otherwise) {
    return operand instanceof PtxOperand.Register register ? register.register().type() : otherwise;
  }

  AddressSource address(int index) {
    if (!(operand(index) instanceof PtxOperand.Address(PtxOperand base, long offset))) {
      throw new IllegalArgumentException("operand " + (index + 1) + " is no address");
    }
    if (base == null) {
      return new AddressSource(slots.constant(offset), true, 0);
    }
    boolean wide =
        !(base instanceof PtxOperand.Register register) || register.register().type().wide();
    return new AddressSource(slots.source(base, wide ? PtxType.U64 : PtxType.U32), wide, offset);
  }

  /// An operand that has to be a number.
  int number(int index) {
    if (operand(index) instanceof PtxOperand.Immediate immediate && immediate.floatBits() == 0) {
      return (int) immediate.bits();
    }
    throw new IllegalArgumentException("operand " + (index + 1) + " is no number");
  }
}
