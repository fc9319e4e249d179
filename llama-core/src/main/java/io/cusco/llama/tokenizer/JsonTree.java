package io.cusco.llama.tokenizer;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import tools.jackson.core.JsonParser;
import tools.jackson.core.JsonToken;

/// A small JSON value as maps, lists, strings, numbers, booleans and null, with look-ups that give
/// an empty value where the shape is another one. For the short parts of a file only.
final class JsonTree {
  private JsonTree() {}

  /// The value that the parser stands on; the parser bounds the depth.
  static Object read(JsonParser parser) {
    return switch (parser.currentToken()) {
      case START_OBJECT -> {
        Map<String, Object> object = new LinkedHashMap<>();
        for (String name = parser.nextName(); name != null; name = parser.nextName()) {
          parser.nextToken();
          object.put(name, read(parser));
        }
        yield object;
      }
      case START_ARRAY -> {
        List<Object> array = new ArrayList<>();
        while (parser.nextToken() != JsonToken.END_ARRAY) {
          array.add(read(parser));
        }
        yield array;
      }
      case VALUE_STRING -> parser.getString();
      case VALUE_NUMBER_INT, VALUE_NUMBER_FLOAT -> parser.getNumberValue();
      case VALUE_TRUE -> true;
      case VALUE_FALSE -> false;
      default -> null;
    };
  }

  static Object get(Object tree, String name) {
    return tree instanceof Map<?, ?> map ? map.get(name) : null;
  }

  static String text(Object tree, String name) {
    return get(tree, name) instanceof String text ? text : "";
  }

  static List<?> list(Object tree, String name) {
    return get(tree, name) instanceof List<?> list ? list : List.of();
  }
}
