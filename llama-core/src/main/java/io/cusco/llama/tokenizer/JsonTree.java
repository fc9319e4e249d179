package io.cusco.llama.tokenizer;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/// A small JSON value as maps, lists, strings, integers, booleans and null, with look-ups that give
/// an empty value where the shape is another one. For the short parts of a file only. Numbers that
/// are no integers, which no tokenizer has a use for, become null.
final class JsonTree {
  private JsonTree() {}

  /// The value that the scanner stands on; the scanner bounds the depth.
  static Object read(JsonScanner scanner) {
    return switch (scanner.token()) {
      case START_OBJECT -> {
        Map<String, Object> object = new LinkedHashMap<>();
        while (scanner.next() != JsonScanner.Token.END_OBJECT) {
          String name = scanner.string();
          scanner.next();
          object.put(name, read(scanner));
        }
        yield object;
      }
      case START_ARRAY -> {
        List<Object> array = new ArrayList<>();
        while (scanner.next() != JsonScanner.Token.END_ARRAY) {
          array.add(read(scanner));
        }
        yield array;
      }
      case STRING -> scanner.string();
      case INTEGER -> scanner.integer();
      case TRUE -> true;
      case FALSE -> false;
      case NULL, NUMBER -> null;
      case NAME, END_OBJECT, END_ARRAY ->
          throw new IllegalStateException(scanner.token() + " is not the beginning of a value");
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
