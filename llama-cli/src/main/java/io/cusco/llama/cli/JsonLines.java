package io.cusco.llama.cli;

import io.cusco.llama.LlamaException;
import io.cusco.llama.cli.json.Json;
import java.io.InputStream;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import tools.jackson.core.JacksonException;
import tools.jackson.core.JsonParser;
import tools.jackson.core.JsonToken;
import tools.jackson.core.ObjectReadContext;

/// Reads a stream of JSON objects, one per line, each with a `text` or with `ids`. Blank lines are
/// skipped. Owned by one thread.
final class JsonLines {
  /// One line.
  ///
  /// @param number its number, from 1
  /// @param id its `id`, a string or a number, as JSON
  /// @param text its `text`
  /// @param ids its `ids`
  record Line(long number, Optional<String> id, Optional<String> text, Optional<int[]> ids) {}

  private final InputLines lines;

  JsonLines(InputStream in) {
    lines = new InputLines(in);
  }

  /// The next line, or empty at the end.
  ///
  /// @throws LlamaException if it is not such an object, naming its number
  Optional<Line> next() {
    Optional<byte[]> bytes = lines.next();
    if (bytes.isEmpty()) {
      return Optional.empty();
    }
    try (JsonParser json = Json.FACTORY.createParser(ObjectReadContext.empty(), bytes.get())) {
      Line line = parse(json);
      if (json.nextToken() != null) {
        throw error("text after the object");
      }
      return Optional.of(line);
    } catch (JacksonException e) {
      // What follows is the parser's own notion of where it is.
      throw error(e.getOriginalMessage().replaceFirst(" \\(start marker at .*", ""));
    }
  }

  LlamaException error(String what) {
    return new LlamaException("input line %d: %s".formatted(lines.number(), what));
  }

  private Line parse(JsonParser json) {
    if (json.nextToken() != JsonToken.START_OBJECT) {
      throw error("expected a JSON object");
    }
    Optional<String> id = Optional.empty();
    Optional<String> text = Optional.empty();
    Optional<int[]> ids = Optional.empty();
    while (json.nextToken() == JsonToken.PROPERTY_NAME) {
      String name = json.currentName();
      JsonToken value = json.nextToken();
      switch (name) {
        case "id" -> id = Optional.of(scalar(json, value));
        case "text" -> {
          if (value != JsonToken.VALUE_STRING) {
            throw error("\"text\" must be a string");
          }
          text = Optional.of(json.getString());
        }
        case "ids" -> ids = Optional.of(ids(json, value));
        default -> json.skipChildren();
      }
    }
    return new Line(lines.number(), id, text, ids);
  }

  private String scalar(JsonParser json, JsonToken value) {
    return switch (value) {
      case VALUE_STRING -> {
        String quoted = Json.object(o -> o.writeStringProperty("id", json.getString()));
        yield quoted.substring(quoted.indexOf(':') + 1, quoted.length() - 1);
      }
      case VALUE_NUMBER_INT -> json.getString();
      default -> throw error("\"id\" must be a string or a whole number");
    };
  }

  private int[] ids(JsonParser json, JsonToken value) {
    if (value != JsonToken.START_ARRAY) {
      throw error("\"ids\" must be an array of token ids");
    }
    List<Integer> ids = new ArrayList<>();
    while (json.nextToken() != JsonToken.END_ARRAY) {
      if (json.currentToken() != JsonToken.VALUE_NUMBER_INT) {
        throw error("\"ids\" must be an array of token ids");
      }
      ids.add(json.getIntValue());
    }
    return ids.stream().mapToInt(Integer::intValue).toArray();
  }
}
