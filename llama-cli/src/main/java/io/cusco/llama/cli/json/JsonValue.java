package io.cusco.llama.cli.json;

import java.io.StringWriter;
import java.math.BigDecimal;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import tools.jackson.core.JacksonException;
import tools.jackson.core.JsonGenerator;
import tools.jackson.core.JsonParser;
import tools.jackson.core.JsonToken;
import tools.jackson.core.ObjectReadContext;
import tools.jackson.core.ObjectWriteContext;
import tools.jackson.core.StreamReadConstraints;
import tools.jackson.core.json.JsonFactory;

/// A JSON value somebody else wrote, with getters that refuse another type or range than the one
/// asked for by the value's path and what was found: `messages[2].content must be a string, got 7`.
/// A missing member reads as null, as clients that write every field send it.
///
/// Nesting and the number of values are bounded, numbers keep their text, so that a value can be
/// written again as it came. Immutable; safe for use by several threads.
public final class JsonValue {
  /// Deeper than the JSON schemas of any tool; bounds the recursion over a value.
  private static final int MAX_NESTING = 128;

  /// More than the tokens of any request. Each takes some sixty bytes here, and two in the text: a
  /// line of 64 MB could fill any heap.
  private static final int MAX_VALUES = 4_000_000;

  /// Characters of a wrong value that a message quotes.
  private static final int MAX_SHOWN = 60;

  private static final JsonFactory FACTORY =
      JsonFactory.builder()
          .streamReadConstraints(
              StreamReadConstraints.builder().maxNestingDepth(MAX_NESTING).build())
          .build();

  /// A number as it was written.
  private record NumberText(String text) {}

  private final String path;
  private final Object tree;

  private JsonValue(String path, Object tree) {
    this.path = path;
    this.tree = tree;
  }

  /// Reads one value, from UTF-8.
  ///
  /// @throws JsonValueException if the bytes are not UTF-8, not exactly one JSON value, or too many
  ///   values
  public static JsonValue parse(byte[] utf8) {
    try {
      // Jackson guesses other encodings from the first bytes and lets some malformed UTF-8 pass.
      return parse(StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(utf8)).toString());
    } catch (CharacterCodingException e) {
      throw new JsonValueException("", "not UTF-8", e);
    }
  }

  /// Reads one value.
  ///
  /// @throws JsonValueException if the text is not exactly one JSON value, or too many values
  public static JsonValue parse(String text) {
    try (JsonParser parser = FACTORY.createParser(ObjectReadContext.empty(), text)) {
      if (parser.nextToken() == null) {
        throw new JsonValueException("", "not valid JSON: it is empty");
      }
      Object tree = new Reader(parser).read();
      if (parser.nextToken() != null) {
        throw new JsonValueException("", "not valid JSON: text after the value");
      }
      return new JsonValue("", tree);
    } catch (JacksonException e) {
      String reason = e.getOriginalMessage().lines().findFirst().orElse("");
      // What follows is the parser's own notion of where it is.
      reason = reason.replaceFirst(" \\(start marker at .*", "");
      String where =
          e.getLocation() == null ? "" : " at character " + e.getLocation().getColumnNr();
      throw new JsonValueException("", "not valid JSON%s: %s".formatted(where, reason), e);
    }
  }

  private static final class Reader {
    private final JsonParser parser;
    private int numValues;

    Reader(JsonParser parser) {
      this.parser = parser;
    }

    Object read() {
      if (++numValues > MAX_VALUES) {
        throw new JsonValueException(
            "", "too large: more than %d values in one JSON text".formatted(MAX_VALUES));
      }
      return switch (parser.currentToken()) {
        case START_OBJECT -> {
          Map<String, Object> object = new LinkedHashMap<>();
          for (String name = parser.nextName(); name != null; name = parser.nextName()) {
            parser.nextToken();
            object.put(name, read());
          }
          yield object;
        }
        case START_ARRAY -> {
          List<Object> array = new ArrayList<>();
          while (parser.nextToken() != JsonToken.END_ARRAY) {
            array.add(read());
          }
          yield array;
        }
        case VALUE_STRING -> parser.getString();
        case VALUE_NUMBER_INT, VALUE_NUMBER_FLOAT -> new NumberText(parser.getString());
        case VALUE_TRUE -> true;
        case VALUE_FALSE -> false;
        default -> null;
      };
    }
  }

  /// Where the value is: `messages[2].content`; empty for the whole.
  public String path() {
    return path;
  }

  /// The same value, from which paths start anew.
  public JsonValue asRoot() {
    return new JsonValue("", tree);
  }

  public boolean isNull() {
    return tree == null;
  }

  public boolean isObject() {
    return tree instanceof Map;
  }

  public boolean isList() {
    return tree instanceof List;
  }

  public boolean isString() {
    return tree instanceof String;
  }

  public boolean isNumber() {
    return tree instanceof NumberText;
  }

  /// The member `name` of an object; null if the object has none.
  public JsonValue get(String name) {
    return new JsonValue(path.isEmpty() ? name : path + "." + name, members().get(name));
  }

  /// The names of an object's members, in order.
  public Set<String> names() {
    return members().keySet();
  }

  /// The elements of a list.
  public List<JsonValue> list() {
    if (!(tree instanceof List<?> list)) {
      throw mustBe("a list");
    }
    List<JsonValue> elements = new ArrayList<>(list.size());
    for (Object element : list) {
      elements.add(new JsonValue(path + "[" + elements.size() + "]", element));
    }
    return elements;
  }

  public String string() {
    if (tree instanceof String string) {
      return string;
    }
    throw mustBe("a string");
  }

  public boolean bool() {
    if (tree instanceof Boolean bool) {
      return bool;
    }
    throw mustBe("true or false");
  }

  public boolean boolOr(boolean fallback) {
    return isNull() ? fallback : bool();
  }

  /// A whole number in `min .. max`; `4.0` and `4e0` are whole.
  public long integer(long min, long max) {
    if (tree instanceof NumberText number) {
      try {
        long value = new BigDecimal(number.text()).longValueExact();
        if (value >= min && value <= max) {
          return value;
        }
        if (value > max) {
          throw mustBe("a whole number from %d to %d".formatted(min, max));
        }
      } catch (ArithmeticException | NumberFormatException e) {
        throw mustBe(integerFrom(min, max), e);
      }
    }
    throw mustBe(integerFrom(min, max));
  }

  public int intOr(int fallback, int min, int max) {
    return isNull() ? fallback : (int) integer(min, max);
  }

  /// A number in `min .. max`.
  public double number(double min, double max) {
    if (tree instanceof NumberText number) {
      double value = Double.parseDouble(number.text());
      if (value >= min && value <= max) {
        return value;
      }
    }
    throw mustBe("a number from %s to %s".formatted(plain(min), plain(max)));
  }

  public double numberOr(double fallback, double min, double max) {
    return isNull() ? fallback : number(min, max);
  }

  /// The value as compact JSON.
  public String json() {
    StringWriter text = new StringWriter();
    try (JsonGenerator json = FACTORY.createGenerator(ObjectWriteContext.empty(), text)) {
      write(tree, json);
    }
    return text.toString();
  }

  private static void write(Object tree, JsonGenerator json) {
    switch (tree) {
      case null -> json.writeNull();
      case Map<?, ?> map -> {
        json.writeStartObject();
        map.forEach((name, value) -> {
          json.writeName((String) name);
          write(value, json);
        });
        json.writeEndObject();
      }
      case List<?> list -> {
        json.writeStartArray();
        list.forEach(value -> write(value, json));
        json.writeEndArray();
      }
      case String string -> json.writeString(string);
      case NumberText number -> json.writeNumber(number.text());
      case Boolean bool -> json.writeBoolean(bool);
      default -> throw new IllegalStateException("no JSON value: " + tree.getClass());
    }
  }

  /// A refusal of this value: `temperature must be a number from 0 to 2, got "hot"`.
  public JsonValueException mustBe(String what) {
    return new JsonValueException(path, refusal(what));
  }

  private JsonValueException mustBe(String what, Exception cause) {
    return new JsonValueException(path, refusal(what), cause);
  }

  private String refusal(String what) {
    return "%s must be %s, got %s".formatted(path.isEmpty() ? "the value" : path, what, shown());
  }

  private String shown() {
    return switch (tree) {
      case null -> "null or nothing";
      case Map<?, ?> _ -> "an object";
      case List<?> list -> "a list of " + list.size();
      default -> {
        String text = json();
        yield text.length() > MAX_SHOWN ? text.substring(0, MAX_SHOWN) + "..." : text;
      }
    };
  }

  @SuppressWarnings("unchecked") // read is the only maker of maps
  private Map<String, Object> members() {
    if (tree instanceof Map) {
      return (Map<String, Object>) tree;
    }
    throw mustBe("an object");
  }

  private static String integerFrom(long min, long max) {
    if (min == Long.MIN_VALUE && max == Long.MAX_VALUE) {
      return "a whole number of 64 bits";
    }
    return max == Long.MAX_VALUE || max == Integer.MAX_VALUE
        ? "a whole number from %d on".formatted(min)
        : "a whole number from %d to %d".formatted(min, max);
  }

  private static String plain(double bound) {
    return bound == Math.rint(bound) ? Long.toString((long) bound) : Double.toString(bound);
  }

  @Override
  public String toString() {
    return json();
  }
}
