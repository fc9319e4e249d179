package io.cusco.llama.cli;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import tools.jackson.core.JsonParser;
import tools.jackson.core.JsonToken;
import tools.jackson.core.ObjectReadContext;

/// Runs commands in this process and reads what they print.
final class Cli {
  private Cli() {}

  /// @param code exit code
  record Result(int code, String out, String err) {
    Map<String, Object> json() {
      return jsonLines().getFirst();
    }

    @SuppressWarnings("unchecked") // the commands print objects
    List<Map<String, Object>> jsonLines() {
      return out.lines().map(line -> (Map<String, Object>) parse(line)).toList();
    }
  }

  static Result run(String... args) {
    return withInput("", args);
  }

  static Result withInput(String input, String... args) {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    ByteArrayOutputStream err = new ByteArrayOutputStream();
    int code =
        Main.run(args, out, err, new ByteArrayInputStream(input.getBytes(StandardCharsets.UTF_8)));
    return new Result(
        code, out.toString(StandardCharsets.UTF_8), err.toString(StandardCharsets.UTF_8));
  }

  /// JSON as maps, lists, strings, longs, doubles, booleans and nulls.
  static Object parse(String text) {
    try (JsonParser json = Json.FACTORY.createParser(ObjectReadContext.empty(), text)) {
      json.nextToken();
      return value(json);
    }
  }

  private static Object value(JsonParser json) {
    return switch (json.currentToken()) {
      case START_OBJECT -> {
        Map<String, Object> object = new java.util.LinkedHashMap<>();
        while (json.nextToken() != JsonToken.END_OBJECT) {
          String name = json.currentName();
          json.nextToken();
          object.put(name, value(json));
        }
        yield object;
      }
      case START_ARRAY -> {
        List<Object> array = new java.util.ArrayList<>();
        while (json.nextToken() != JsonToken.END_ARRAY) {
          array.add(value(json));
        }
        yield array;
      }
      case VALUE_STRING -> json.getString();
      case VALUE_NUMBER_INT -> json.getLongValue();
      case VALUE_NUMBER_FLOAT -> json.getDoubleValue();
      case VALUE_TRUE -> true;
      case VALUE_FALSE -> false;
      default -> null;
    };
  }
}
