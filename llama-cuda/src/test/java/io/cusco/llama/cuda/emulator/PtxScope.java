package io.cusco.llama.cuda.emulator;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/// The names of one pair of braces: inline assembly brings scopes of its own, so that a register
/// may be declared again inside.
final class PtxScope {
  /// `.reg .b32 %r<64>` declares `%r0` to `%r63`.
  private record Family(PtxType type, int count) {}

  private final PtxScope parent;
  private final Files files;
  private final Map<String, PtxRegister> registers = new HashMap<>();
  private final Map<String, Family> families = new HashMap<>();
  private final Map<String, Integer> labels = new HashMap<>();
  private final Map<String, List<String>> branchTargets = new HashMap<>();
  private String lastLabel;

  /// How many registers of each file the kernel uses.
  private static final class Files {
    int narrow;
    int wide;
  }

  private PtxScope(PtxScope parent, Files files) {
    this.parent = parent;
    this.files = files;
  }

  static PtxScope ofKernel() {
    return new PtxScope(null, new Files());
  }

  PtxScope inner() {
    return new PtxScope(this, files);
  }

  PtxScope parent() {
    return parent;
  }

  int numNarrowRegisters() {
    return files.narrow;
  }

  int numWideRegisters() {
    return files.wide;
  }

  void declare(String name, PtxType type) {
    registers.put(name, newRegister(name, type));
  }

  void declareFamily(String prefix, PtxType type, int count) {
    families.put(prefix, new Family(type, count));
  }

  /// The register of this name, null where no scope around declares one.
  PtxRegister register(String name) {
    for (PtxScope scope = this; scope != null; scope = scope.parent) {
      PtxRegister register = scope.own(name);
      if (register != null) {
        return register;
      }
    }
    return null;
  }

  private PtxRegister own(String name) {
    PtxRegister register = registers.get(name);
    if (register != null) {
      return register;
    }
    int digits = name.length();
    while (digits > 0 && Character.isDigit(name.charAt(digits - 1))) {
      digits--;
    }
    // The prefix of a family may itself end in digits.
    // one.
    for (int split = digits; split < name.length() && split < digits + 9; split++) {
      Family family = families.get(name.substring(0, split));
      if (family != null && Long.parseLong(name.substring(split)) < family.count()) {
        register = newRegister(name, family.type());
        registers.put(name, register);
        return register;
      }
    }
    return null;
  }

  private PtxRegister newRegister(String name, PtxType type) {
    return new PtxRegister(name, type, type.wide() ? files.wide++ : files.narrow++);
  }

  void label(String name, int instruction) {
    labels.put(name, instruction);
    lastLabel = name;
  }

  /// The index of the instruction behind a label, null where no scope around has it.
  Integer target(String label) {
    for (PtxScope scope = this; scope != null; scope = scope.parent) {
      Integer target = scope.labels.get(label);
      if (target != null) {
        return target;
      }
    }
    return null;
  }

  /// A `.branchtargets` list; its name is the label in front of it.
  void branchTargets(List<String> targets) {
    branchTargets.put(lastLabel, new ArrayList<>(targets));
  }

  /// The labels of a `.branchtargets` list, null where no scope around has it.
  List<String> branchTargets(String name) {
    for (PtxScope scope = this; scope != null; scope = scope.parent) {
      List<String> targets = scope.branchTargets.get(name);
      if (targets != null) {
        return targets;
      }
    }
    return null;
  }
}
