package io.cusco.llama.chat;

import java.math.BigDecimal;
import java.math.MathContext;
import java.util.LinkedHashMap;
import java.util.Map;
import tools.jackson.core.JacksonException;
import tools.jackson.core.JsonParser;
import tools.jackson.core.JsonToken;
import tools.jackson.core.ObjectReadContext;
import tools.jackson.core.json.JsonFactory;

/// JSON in the layout of Python's `json.dumps`, on which the models were trained: `", "` and `": "`
/// between things, numbers as Python prints them. Also the Python literals of a call's arguments.
final class PythonJson {
  /// `json.dumps(x, ensure_ascii=False)`: what `tojson` does in templates.
  static final Style PLAIN = new Style(0, false, false);

  /// `json.dumps(x, ensure_ascii=False, indent=4)`.
  static final Style INDENTED = new Style(4, false, false);

  /// `json.dumps(x)`.
  static final Style ASCII = new Style(0, true, false);

  private static final Style LITERAL = new Style(0, false, true);

  private static final JsonFactory JSON = new JsonFactory();

  private PythonJson() {}

  /// @param indent spaces for each level; 0 writes all on one line
  /// @param ascii whether other characters are escaped
  /// @param python `True`, `False` and `None` instead of JSON's words
  record Style(int indent, boolean ascii, boolean python) {}

  /// @throws IllegalArgumentException if `json` is not one JSON object
  static void requireObject(String what, String json) {
    requireJson(what, json);
    try (JsonParser parser = JSON.createParser(ObjectReadContext.empty(), json)) {
      if (parser.nextToken() != JsonToken.START_OBJECT) {
        throw new IllegalArgumentException(what + " must be a JSON object, got " + json);
      }
    }
  }

  /// @throws IllegalArgumentException if `json` is not one JSON value
  static void requireJson(String what, String json) {
    try (JsonParser parser = JSON.createParser(ObjectReadContext.empty(), json)) {
      if (parser.nextToken() == null) {
        throw new IllegalArgumentException(what + " must be JSON, but is empty");
      }
      parser.skipChildren();
      if (parser.nextToken() != null) {
        throw new IllegalArgumentException(what + " must be one JSON value, got " + json);
      }
    } catch (JacksonException e) {
      throw new IllegalArgumentException(
          "%s must be JSON: %s".formatted(what, e.getOriginalMessage()), e);
    }
  }

  /// `json`, which is valid, laid out anew.
  static String write(String json, Style style) {
    StringBuilder out = new StringBuilder();
    try (JsonParser parser = JSON.createParser(ObjectReadContext.empty(), json)) {
      parser.nextToken();
      write(parser, style, 0, out);
    }
    return out.toString();
  }

  /// The members of an object as `name=literal`, with commas between.
  static String keywordArguments(String json) {
    StringBuilder out = new StringBuilder();
    try (JsonParser parser = JSON.createParser(ObjectReadContext.empty(), json)) {
      parser.nextToken();
      for (String name = parser.nextName(); name != null; name = parser.nextName()) {
        out.append(out.isEmpty() ? "" : ", ").append(name).append('=');
        parser.nextToken();
        write(parser, LITERAL, 0, out);
      }
    }
    return out.toString();
  }

  /// The members of an object, in order; null for a value that is not a string.
  static Map<String, String> stringMembers(String json) {
    Map<String, String> members = new LinkedHashMap<>();
    try (JsonParser parser = JSON.createParser(ObjectReadContext.empty(), json)) {
      parser.nextToken();
      for (String name = parser.nextName(); name != null; name = parser.nextName()) {
        boolean isString = parser.nextToken() == JsonToken.VALUE_STRING;
        members.put(name, isString ? parser.getString() : null);
        parser.skipChildren();
      }
    }
    return members;
  }

  /// Writes the value that `parser` stands on; the parser bounds the depth.
  static void write(JsonParser parser, Style style, int depth, StringBuilder out) {
    switch (parser.currentToken()) {
      case START_OBJECT -> {
        out.append('{');
        boolean first = true;
        for (String name = parser.nextName(); name != null; name = parser.nextName()) {
          separate(first, style, depth + 1, out);
          first = false;
          out.append(quote(name, style)).append(": ");
          parser.nextToken();
          write(parser, style, depth + 1, out);
        }
        end(first, style, depth, out);
        out.append('}');
      }
      case START_ARRAY -> {
        out.append('[');
        boolean first = true;
        while (parser.nextToken() != JsonToken.END_ARRAY) {
          separate(first, style, depth + 1, out);
          first = false;
          write(parser, style, depth + 1, out);
        }
        end(first, style, depth, out);
        out.append(']');
      }
      case VALUE_STRING -> out.append(quote(parser.getString(), style));
      case VALUE_NUMBER_INT -> out.append(parser.getString());
      case VALUE_NUMBER_FLOAT -> out.append(number(parser.getDoubleValue()));
      case VALUE_TRUE -> out.append(style.python() ? "True" : "true");
      case VALUE_FALSE -> out.append(style.python() ? "False" : "false");
      default -> out.append(style.python() ? "None" : "null");
    }
  }

  static String quote(String text, Style style) {
    StringBuilder out = new StringBuilder(text.length() + 2).append('"');
    for (int i = 0; i < text.length(); i++) {
      char c = text.charAt(i);
      switch (c) {
        case '"' -> out.append("\\\"");
        case '\\' -> out.append("\\\\");
        case '\n' -> out.append("\\n");
        case '\r' -> out.append("\\r");
        case '\t' -> out.append("\\t");
        case '\b' -> out.append("\\b");
        case '\f' -> out.append("\\f");
        default -> {
          if (c < ' ' || (style.ascii() && c > '~')) {
            out.append("\\u%04x".formatted((int) c));
          } else {
            out.append(c);
          }
        }
      }
    }
    return out.append('"').toString();
  }

  /// Python's `repr(float)`: the shortest digits that read back as the same number, with an
  /// exponent below 1e-4 and from 1e16.
  static String number(double value) {
    if (!Double.isFinite(value)) {
      return value > 0 ? "Infinity" : "-Infinity";
    }
    if (value == 0) {
      return 1 / value < 0 ? "-0.0" : "0.0";
    }
    BigDecimal decimal = new BigDecimal(Double.toString(value)).stripTrailingZeros();
    // Java writes two digits even where one is enough (4.9E-324), Python does not (5e-324).
    BigDecimal oneDigit = decimal.round(new MathContext(1));
    if (oneDigit.doubleValue() == value) {
      decimal = oneDigit;
    }
    int exponent = decimal.precision() - decimal.scale() - 1;
    if (exponent >= -4 && exponent < 16) {
      String plain = decimal.toPlainString();
      return plain.indexOf('.') < 0 ? plain + ".0" : plain;
    }
    String mantissa = decimal.movePointLeft(exponent).toPlainString();
    return "%se%s%02d".formatted(mantissa, exponent < 0 ? "-" : "+", Math.abs(exponent));
  }

  private static void separate(boolean first, Style style, int depth, StringBuilder out) {
    if (style.indent() > 0) {
      out.append(first ? "\n" : ",\n").repeat(" ", style.indent() * depth);
    } else if (!first) {
      out.append(", ");
    }
  }

  private static void end(boolean empty, Style style, int depth, StringBuilder out) {
    if (style.indent() > 0 && !empty) {
      out.append('\n').repeat(" ", style.indent() * depth);
    }
  }
}
