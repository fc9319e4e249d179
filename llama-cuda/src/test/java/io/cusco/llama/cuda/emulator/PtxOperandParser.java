package io.cusco.llama.cuda.emulator;

import java.util.ArrayList;
import java.util.List;

/// Reads operands: registers, literals, addresses, vectors, names.
final class PtxOperandParser {
  private PtxOperandParser() {}

  /// Splits at commas outside of brackets.
  static List<String> split(String operands) {
    List<String> parts = new ArrayList<>();
    int depth = 0;
    int start = 0;
    for (int i = 0; i < operands.length(); i++) {
      char c = operands.charAt(i);
      if (c == '{' || c == '[' || c == '(') {
        depth++;
      } else if (c == '}' || c == ']' || c == ')') {
        depth--;
      } else if (c == ',' && depth == 0) {
        parts.add(operands.substring(start, i).strip());
        start = i + 1;
      }
    }
    if (!operands.isBlank()) {
      parts.add(operands.substring(start).strip());
    }
    return parts;
  }

  /// Reads one operand; throws [IllegalArgumentException] with the reason where it cannot.
  static PtxOperand parse(String text, PtxScope scope) {
    if (text.isEmpty()) {
      throw new IllegalArgumentException("an operand is empty");
    }
    char first = text.charAt(0);
    if (first == '{') {
      String inside = text.substring(1, text.length() - 1);
      return new PtxOperand.Vector(
          split(inside).stream().map(element -> parse(element, scope)).toList());
    }
    if (first == '[') {
      return address(text.substring(1, text.length() - 1).strip(), scope);
    }
    int bar = text.indexOf('|');
    if (bar >= 0) {
      return new PtxOperand.Pair(
          parse(text.substring(0, bar).strip(), scope),
          parse(text.substring(bar + 1).strip(), scope));
    }
    if (text.equals("_")) {
      return new PtxOperand.Sink();
    }
    if (first == '!') {
      return register(text.substring(1).strip(), scope, true);
    }
    if (first == '-' || Character.isDigit(first)) {
      return literal(text);
    }
    if (text.equals("WARP_SZ")) {
      return new PtxOperand.Immediate(32, 0);
    }
    if (first == '%' || scope.register(text) != null) {
      return register(text, scope, false);
    }
    int plus = text.indexOf('+');
    return plus < 0
        ? new PtxOperand.Symbol(text, 0)
        : new PtxOperand.Symbol(
            text.substring(0, plus).strip(), integer(text.substring(plus + 1).strip()));
  }

  private static PtxOperand register(String name, PtxScope scope, boolean negated) {
    PtxRegister register = scope.register(name);
    if (register != null) {
      return new PtxOperand.Register(register, negated);
    }
    if (!negated && SpecialRegisters.known(name)) {
      return new PtxOperand.Special(name);
    }
    throw new IllegalArgumentException("no register `" + name + "` is declared here");
  }

  private static PtxOperand address(String text, PtxScope scope) {
    int sign = text.indexOf('+', 1);
    String base = sign < 0 ? text : text.substring(0, sign).strip();
    long offset = sign < 0 ? 0 : integer(text.substring(sign + 1).strip());
    PtxOperand operand = parse(base, scope);
    return switch (operand) {
      case PtxOperand.Immediate immediate ->
          new PtxOperand.Address(null, immediate.bits() + offset);
      case PtxOperand.Symbol symbol -> new PtxOperand.Address(symbol, offset);
      case PtxOperand.Register register -> new PtxOperand.Address(register, offset);
      case PtxOperand.Special _,
          PtxOperand.Address _,
          PtxOperand.Vector _,
          PtxOperand.Pair _,
          PtxOperand.Sink _ ->
          throw new IllegalArgumentException("`" + text + "` is no address");
    };
  }

  static PtxOperand.Immediate literal(String text) {
    if (text.startsWith("0f") || text.startsWith("0F")) {
      return new PtxOperand.Immediate(Long.parseLong(text.substring(2), 16), 32);
    }
    if (text.startsWith("0d") || text.startsWith("0D")) {
      return new PtxOperand.Immediate(Long.parseUnsignedLong(text.substring(2), 16), 64);
    }
    boolean decimalFloat =
        text.indexOf('.') >= 0 || (!text.startsWith("0x") && text.indexOf('e') >= 0);
    if (decimalFloat) {
      return new PtxOperand.Immediate(Double.doubleToRawLongBits(Double.parseDouble(text)), 64);
    }
    return new PtxOperand.Immediate(integer(text), 0);
  }

  /// An integer literal: decimal, `0x`, `0b` or octal, maybe negative, maybe with a `U` behind it.
  static long integer(String text) {
    boolean negative = text.startsWith("-");
    String digits = negative ? text.substring(1) : text;
    if (digits.endsWith("U")) {
      digits = digits.substring(0, digits.length() - 1);
    }
    try {
      long value;
      if (digits.startsWith("0x") || digits.startsWith("0X")) {
        value = Long.parseUnsignedLong(digits.substring(2), 16);
      } else if (digits.startsWith("0b") || digits.startsWith("0B")) {
        value = Long.parseUnsignedLong(digits.substring(2), 2);
      } else if (digits.length() > 1 && digits.startsWith("0")) {
        value = Long.parseUnsignedLong(digits.substring(1), 8);
      } else {
        value = Long.parseUnsignedLong(digits);
      }
      return negative ? -value : value;
    } catch (NumberFormatException e) {
      throw new IllegalArgumentException("`" + text + "` is no integer", e);
    }
  }
}
