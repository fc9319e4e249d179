package io.cusco.llama.cuda.emulator;

import java.util.List;

/// One operand of an instruction, its names resolved in the scope where it stands.
sealed interface PtxOperand {
  /// `%r1`, or `!%p1` where negated.
  record Register(PtxRegister register, boolean negated) implements PtxOperand {}

  /// An integer, or the bits of a floating-point literal.
  ///
  /// @param floatBits 0 for an integer, 32 or 64 for `0f…` and `0d…`
  record Immediate(long bits, int floatBits) implements PtxOperand {}

  /// `%tid.x` and the like.
  record Special(String name) implements PtxOperand {}

  /// The address of a variable, or a label, plus an offset.
  record Symbol(String name, long offset) implements PtxOperand {}

  /// `[base + offset]`; the base is null for an absolute address.
  record Address(PtxOperand base, long offset) implements PtxOperand {}

  /// `{a, b}`.
  record Vector(List<PtxOperand> elements) implements PtxOperand {}

  /// `a|b`: two destinations.
  record Pair(PtxOperand first, PtxOperand second) implements PtxOperand {}

  /// `_`: a destination that is thrown away.
  record Sink() implements PtxOperand {}
}
