package io.cusco.llama.chat;

import java.util.ArrayList;
import java.util.List;

/// Reads a Python list of calls with literal keyword arguments, `[f(x=1, y="a"), g()]`, as tool
/// calls. Literals are strings, numbers, `True`, `False`, `None`, lists and dictionaries with
/// string keys; anything else makes the whole text no list of calls.
final class PythonCallParser {
  /// Deeper nesting than any tool's arguments have; keeps recursion off the end of the stack.
  private static final int MAX_DEPTH = 64;

  private final String text;
  private int at;

  /// Signals that the text is not a list of calls; never leaves this class.
  private static final class NotACallException extends Exception {
    private static final long serialVersionUID = 1L;

    NotACallException() {
      super(null, null, false, false);
    }
  }

  private PythonCallParser(String text) {
    this.text = text;
  }

  /// The calls; empty if `text` is anything else.
  static List<ToolCall> parse(String text) {
    try {
      return new PythonCallParser(text).calls();
    } catch (NotACallException e) {
      return List.of();
    }
  }

  private List<ToolCall> calls() throws NotACallException {
    List<ToolCall> calls = new ArrayList<>();
    expect('[');
    do {
      calls.add(call());
    } while (accept(','));
    expect(']');
    skipSpace();
    if (at < text.length()) {
      throw new NotACallException();
    }
    return calls;
  }

  private ToolCall call() throws NotACallException {
    String name = name();
    StringBuilder arguments = new StringBuilder("{");
    expect('(');
    if (!accept(')')) {
      do {
        arguments.append(arguments.length() > 1 ? ", " : "");
        arguments.append(PythonJson.quote(name(), PythonJson.PLAIN)).append(": ");
        expect('=');
        literal(arguments, 0);
      } while (accept(','));
      expect(')');
    }
    return new ToolCall(name, arguments.append('}').toString());
  }

  private void literal(StringBuilder json, int depth) throws NotACallException {
    skipSpace();
    if (at == text.length() || depth > MAX_DEPTH) {
      throw new NotACallException();
    }
    char c = text.charAt(at);
    switch (c) {
      case '"', '\'' -> json.append(PythonJson.quote(string(), PythonJson.PLAIN));
      case '[' -> {
        list(json, depth);
      }
      case '{' -> {
        dictionary(json, depth);
      }
      default -> json.append(Character.isLetter(c) ? word() : number());
    }
  }

  private void list(StringBuilder json, int depth) throws NotACallException {
    expect('[');
    json.append('[');
    if (!accept(']')) {
      literal(json, depth + 1);
      while (accept(',')) {
        json.append(", ");
        literal(json, depth + 1);
      }
      expect(']');
    }
    json.append(']');
  }

  private void dictionary(StringBuilder json, int depth) throws NotACallException {
    expect('{');
    json.append('{');
    if (!accept('}')) {
      entry(json, depth);
      while (accept(',')) {
        json.append(", ");
        entry(json, depth);
      }
      expect('}');
    }
    json.append('}');
  }

  private void entry(StringBuilder json, int depth) throws NotACallException {
    skipSpace();
    json.append(PythonJson.quote(string(), PythonJson.PLAIN)).append(": ");
    expect(':');
    literal(json, depth + 1);
  }

  private String string() throws NotACallException {
    char quote = at < text.length() ? text.charAt(at) : 0;
    if (quote != '"' && quote != '\'') {
      throw new NotACallException();
    }
    StringBuilder value = new StringBuilder();
    for (at++; at < text.length(); at++) {
      char c = text.charAt(at);
      if (c == quote) {
        at++;
        return value.toString();
      }
      value.append(c == '\\' && at + 1 < text.length() ? unescape() : c);
    }
    throw new NotACallException();
  }

  /// The character that an escape stands for; leaves `at` on its last character.
  private char unescape() throws NotACallException {
    char c = text.charAt(++at);
    return switch (c) {
      case 'n' -> '\n';
      case 't' -> '\t';
      case 'r' -> '\r';
      case 'u' -> hex(4);
      case 'x' -> hex(2);
      case '\\', '\'', '"' -> c;
      default -> throw new NotACallException();
    };
  }

  private char hex(int numDigits) throws NotACallException {
    int value = 0;
    for (int i = 0; i < numDigits; i++) {
      int digit = ++at < text.length() ? Character.digit(text.charAt(at), 16) : -1;
      if (digit < 0) {
        throw new NotACallException();
      }
      value = value * 16 + digit;
    }
    return (char) value;
  }

  private String word() throws NotACallException {
    return switch (name()) {
      case "True" -> "true";
      case "False" -> "false";
      case "None" -> "null";
      default -> throw new NotACallException();
    };
  }

  private String number() throws NotACallException {
    int from = at;
    while (at < text.length() && "+-.eE0123456789".indexOf(text.charAt(at)) >= 0) {
      at++;
    }
    String number = text.substring(from, at);
    if (number.matches("-?(0|[1-9][0-9]{0,99})")) {
      return number;
    }
    if (!number.matches("[+-]?([0-9]+\\.?[0-9]*|\\.[0-9]+)([eE][+-]?[0-9]+)?")) {
      throw new NotACallException();
    }
    double value = Double.parseDouble(number);
    if (!Double.isFinite(value)) {
      throw new NotACallException();
    }
    return PythonJson.number(value);
  }

  private String name() throws NotACallException {
    skipSpace();
    int from = at;
    while (at < text.length() && isNamePart(text.charAt(at))) {
      at++;
    }
    if (from == at || Character.isDigit(text.charAt(from))) {
      throw new NotACallException();
    }
    return text.substring(from, at);
  }

  private static boolean isNamePart(char c) {
    return Character.isLetterOrDigit(c) || c == '_' || c == '.';
  }

  private boolean accept(char expected) {
    skipSpace();
    if (at < text.length() && text.charAt(at) == expected) {
      at++;
      return true;
    }
    return false;
  }

  private void expect(char expected) throws NotACallException {
    if (!accept(expected)) {
      throw new NotACallException();
    }
  }

  private void skipSpace() {
    while (at < text.length() && Character.isWhitespace(text.charAt(at))) {
      at++;
    }
  }
}
