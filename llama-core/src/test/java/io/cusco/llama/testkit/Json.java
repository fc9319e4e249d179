package io.cusco.llama.testkit;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import tools.jackson.core.JsonParser;
import tools.jackson.core.JsonToken;
import tools.jackson.core.ObjectReadContext;
import tools.jackson.core.json.JsonFactory;

/// JSON as maps, lists, strings, numbers, booleans and null; for tests only.
public final class Json {
  private static final JsonFactory FACTORY = new JsonFactory();

  private Json() {}

  public static Object parse(String text) {
    try (JsonParser parser = FACTORY.createParser(ObjectReadContext.empty(), text)) {
      parser.nextToken();
      return value(parser);
    }
  }

  /// One value in a file.
  public static Object read(Path file) {
    return parse(text(file));
  }

  /// One value per line.
  public static List<Object> readLines(Path file) {
    return text(file).lines().filter(line -> !line.isBlank()).map(Json::parse).toList();
  }

  /// One object per line.
  public static List<Map<String, Object>> lines(Path file) {
    return readLines(file).stream().map(Json::object).toList();
  }

  @SuppressWarnings("unchecked") // JSON objects are built with string keys below
  public static Map<String, Object> object(Object value) {
    return (Map<String, Object>) value;
  }

  @SuppressWarnings("unchecked") // JSON arrays are built as lists below
  public static List<Object> array(Object value) {
    return (List<Object>) value;
  }

  public static int[] ints(Object value) {
    return array(value).stream().mapToInt(n -> ((Number) n).intValue()).toArray();
  }

  public static double[] doubles(Object value) {
    return array(value).stream().mapToDouble(n -> ((Number) n).doubleValue()).toArray();
  }

  private static String text(Path file) {
    try {
      return Files.readString(file);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static Object value(JsonParser parser) {
    JsonToken token = parser.currentToken();
    return switch (token) {
      case START_OBJECT -> {
        Map<String, Object> object = new LinkedHashMap<>();
        while (parser.nextToken() != JsonToken.END_OBJECT) {
          String name = parser.currentName();
          parser.nextToken();
          object.put(name, value(parser));
        }
        yield object;
      }
      case START_ARRAY -> {
        List<Object> array = new ArrayList<>();
        while (parser.nextToken() != JsonToken.END_ARRAY) {
          array.add(value(parser));
        }
        yield array;
      }
      case VALUE_STRING -> parser.getString();
      case VALUE_NUMBER_INT -> parser.getLongValue();
      case VALUE_NUMBER_FLOAT -> parser.getDoubleValue();
      case VALUE_TRUE -> true;
      case VALUE_FALSE -> false;
      case VALUE_NULL -> null;
      default -> throw new IllegalArgumentException("unexpected " + token);
    };
  }
}
