package io.cusco.llama.checkpoint;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import tools.jackson.core.JacksonException;
import tools.jackson.core.JsonParser;
import tools.jackson.core.JsonToken;
import tools.jackson.core.ObjectReadContext;
import tools.jackson.core.StreamReadConstraints;
import tools.jackson.core.json.JsonFactory;

/// A JSON object of a checkpoint's config or header, bounded in size and nesting, with getters that
/// name file, key, and what was found instead. A key with the value `null` counts as missing.
///
/// Immutable; safe for use by several threads.
final class JsonObject {
  /// No config or header nests deeper than four levels.
  private static final int MAX_NESTING = 32;

  /// Config files are a few kilobytes; a tokenizer_config.json that lists added tokens, half a
  /// megabyte.
  private static final int MAX_CONFIG_BYTES = 16 << 20;

  /// Characters of a wrong value that a message quotes.
  private static final int MAX_SHOWN = 100;

  private static final JsonFactory FACTORY =
      JsonFactory.builder()
          .streamReadConstraints(
              StreamReadConstraints.builder()
                  .maxNestingDepth(MAX_NESTING)
                  .maxStringLength(MAX_CONFIG_BYTES)
                  .build())
          .build();

  private final String file;
  private final String path;
  private final Map<String, Object> values;

  private JsonObject(String file, String path, Map<String, Object> values) {
    this.file = file;
    this.path = path;
    this.values = values;
  }

  /// Reads a small file whole.
  ///
  /// @throws CheckpointException if it cannot be read, is too large, or is no JSON object
  static JsonObject read(Path file) {
    try {
      MappedCheckpoint.requireRegular(file);
      long size = Files.size(file);
      if (size > MAX_CONFIG_BYTES) {
        throw new CheckpointException(
            "%s: %d bytes is too large for a config file; at most %d are read"
                .formatted(file, size, MAX_CONFIG_BYTES));
      }
      return parse(file.toString(), Files.readAllBytes(file));
    } catch (IOException e) {
      throw new CheckpointException("%s: cannot be read: %s".formatted(file, e), e);
    }
  }

  /// @throws CheckpointException if `bytes` are no JSON object
  static JsonObject parse(String file, byte[] bytes) {
    try (JsonParser parser = FACTORY.createParser(ObjectReadContext.empty(), bytes)) {
      if (parser.nextToken() != JsonToken.START_OBJECT) {
        throw new CheckpointException(file + ": JSON object expected");
      }
      Map<String, Object> values = readObject(file, parser);
      if (parser.nextToken() != null) {
        throw new CheckpointException(file + ": JSON goes on after the end of the object");
      }
      return new JsonObject(file, "", values);
    } catch (JacksonException e) {
      throw new CheckpointException(
          "%s: not valid JSON: %s".formatted(file, e.getOriginalMessage()), e);
    }
  }

  private static Map<String, Object> readObject(String file, JsonParser parser) {
    Map<String, Object> values = new LinkedHashMap<>();
    while (parser.nextToken() == JsonToken.PROPERTY_NAME) {
      String key = parser.currentName();
      if (values.containsKey(key)) {
        throw new CheckpointException("%s: JSON has the key %s twice".formatted(file, key));
      }
      parser.nextToken();
      values.put(key, readValue(file, parser));
    }
    return values;
  }

  private static Object readValue(String file, JsonParser parser) {
    return switch (parser.currentToken()) {
      case START_OBJECT -> readObject(file, parser);
      case START_ARRAY -> {
        List<Object> list = new ArrayList<>();
        while (parser.nextToken() != JsonToken.END_ARRAY) {
          list.add(readValue(file, parser));
        }
        yield list;
      }
      case VALUE_STRING -> parser.getString();
      case VALUE_NUMBER_INT -> parser.getNumberValue();
      case VALUE_NUMBER_FLOAT -> parser.getDoubleValue();
      case VALUE_TRUE -> true;
      case VALUE_FALSE -> false;
      case VALUE_NULL -> null;
      default -> throw new CheckpointException(file + ": JSON ends too early");
    };
  }

  Set<String> keys() {
    return values.keySet();
  }

  boolean contains(String key) {
    return values.get(key) != null;
  }

  int requireInt(String key) {
    return findInt(key).orElseThrow(() -> missing(key));
  }

  OptionalInt findInt(String key) {
    Object value = values.get(key);
    return value == null ? OptionalInt.empty() : OptionalInt.of(toInt(key, value));
  }

  int intOr(String key, int fallback) {
    return findInt(key).orElse(fallback);
  }

  double requireDouble(String key) {
    return findDouble(key).orElseThrow(() -> missing(key));
  }

  Optional<Double> findDouble(String key) {
    Object value = values.get(key);
    return switch (value) {
      case null -> Optional.empty();
      case Number number -> Optional.of(number.doubleValue());
      default -> throw wrongType(key, "a number", value);
    };
  }

  Optional<String> findString(String key) {
    Object value = values.get(key);
    return switch (value) {
      case null -> Optional.empty();
      case String string -> Optional.of(string);
      default -> throw wrongType(key, "a string", value);
    };
  }

  String requireString(String key) {
    return findString(key).orElseThrow(() -> missing(key));
  }

  boolean booleanOr(String key, boolean fallback) {
    Object value = values.get(key);
    return switch (value) {
      case null -> fallback;
      case Boolean bool -> bool;
      default -> throw wrongType(key, "true or false", value);
    };
  }

  Optional<JsonObject> findObject(String key) {
    Object value = values.get(key);
    return value == null ? Optional.empty() : Optional.of(toObject(key, value));
  }

  JsonObject requireObject(String key) {
    return findObject(key).orElseThrow(() -> missing(key));
  }

  /// Whether the value is a list; false if the key is missing.
  boolean isList(String key) {
    return values.get(key) instanceof List;
  }

  /// The numbers of a list of integers.
  long[] requireLongs(String key) {
    List<?> list = list(key);
    long[] longs = new long[list.size()];
    for (int i = 0; i < longs.length; i++) {
      longs[i] =
          switch (list.get(i)) {
            case Integer number -> number;
            case Long number -> number;
            case null, default -> throw wrongType(key, "a list of integers", list.get(i));
          };
    }
    return longs;
  }

  /// One integer or a list of them; empty if the key is missing.
  List<Integer> intOrInts(String key) {
    Object value = values.get(key);
    if (value == null) {
      return List.of();
    }
    if (value instanceof List<?> list) {
      return list.stream().map(element -> toInt(key, element)).toList();
    }
    return List.of(toInt(key, value));
  }

  /// The strings of a list; empty if the key is missing.
  List<String> strings(String key) {
    if (!contains(key)) {
      return List.of();
    }
    return list(key).stream()
        .map(element ->
            switch (element) {
              case String string -> string;
              case null, default -> throw wrongType(key, "a list of strings", element);
            })
        .toList();
  }

  /// The objects of a list.
  List<JsonObject> requireObjects(String key) {
    return list(key).stream().map(element -> toObject(key, element)).toList();
  }

  private List<?> list(String key) {
    Object value = values.get(key);
    return switch (value) {
      case null -> throw missing(key);
      case List<?> list -> list;
      default -> throw wrongType(key, "a list", value);
    };
  }

  private int toInt(String key, Object value) {
    // 4096.0 is how some writers spell an integer.
    if (value instanceof Number number && number.doubleValue() == number.intValue()) {
      return number.intValue();
    }
    throw wrongType(key, "an integer below 2^31", value);
  }

  @SuppressWarnings("unchecked") // readObject is the only maker of maps
  private JsonObject toObject(String key, Object value) {
    if (value instanceof Map) {
      return new JsonObject(file, path + key + ".", (Map<String, Object>) value);
    }
    throw wrongType(key, "an object", value);
  }

  private CheckpointException missing(String key) {
    return new CheckpointException("%s: %s%s is missing".formatted(file, path, key));
  }

  private CheckpointException wrongType(String key, String expected, Object found) {
    String text = String.valueOf(found);
    String shown = text.length() > MAX_SHOWN ? text.substring(0, MAX_SHOWN) + "..." : text;
    return new CheckpointException(
        "%s: %s%s must be %s, found %s".formatted(file, path, key, expected, shown));
  }
}
