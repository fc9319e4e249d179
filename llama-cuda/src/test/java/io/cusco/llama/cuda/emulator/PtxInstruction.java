package io.cusco.llama.cuda.emulator;

import java.util.List;

/// One instruction as parsed.
///
/// @param line in the PTX text, from 1
/// @param text as written, white space collapsed
/// @param guard predicate in front, null for none
/// @param opcode first part of the name, as `ld`
/// @param modifiers the other parts, as `global`, `nc`, `f32`
/// @param scope where labels among the operands are looked up
record PtxInstruction(
    int line,
    String text,
    PtxOperand.Register guard,
    String opcode,
    List<String> modifiers,
    List<PtxOperand> operands,
    PtxScope scope) {

  /// Whether an operand is the address of this variable.
  boolean names(String variable) {
    for (PtxOperand operand : operands) {
      PtxOperand base = operand instanceof PtxOperand.Address address ? address.base() : operand;
      if (base instanceof PtxOperand.Symbol symbol && symbol.name().equals(variable)) {
        return true;
      }
    }
    return false;
  }

  PtxException refuse(String problem) {
    return PtxException.at(line, text, problem);
  }
}
