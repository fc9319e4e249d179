package io.cusco.llama.cli.json;

import java.io.StringWriter;
import java.util.List;
import java.util.function.Consumer;
import tools.jackson.core.JsonGenerator;
import tools.jackson.core.ObjectWriteContext;
import tools.jackson.core.json.JsonFactory;

/// Writes JSON objects, one per line.
public final class Json {
  public static final JsonFactory FACTORY = new JsonFactory();

  private Json() {}

  /// The object whose members `body` writes, without a line end.
  public static String object(Consumer<JsonGenerator> body) {
    StringWriter text = new StringWriter();
    try (JsonGenerator json = FACTORY.createGenerator(ObjectWriteContext.empty(), text)) {
      json.writeStartObject();
      body.accept(json);
      json.writeEndObject();
    }
    return text.toString();
  }

  public static void ids(JsonGenerator json, String name, int[] ids) {
    json.writeName(name);
    json.writeArray(ids, 0, ids.length);
  }

  public static void ids(JsonGenerator json, String name, List<Integer> ids) {
    ids(json, name, ids.stream().mapToInt(Integer::intValue).toArray());
  }

  public static void numbers(JsonGenerator json, String name, double[] values) {
    json.writeArrayPropertyStart(name);
    for (double value : values) {
      if (Double.isFinite(value)) {
        json.writeNumber(value);
      } else {
        json.writeNull();
      }
    }
    json.writeEndArray();
  }

  /// A number, or null where there is none: JSON has no NaN and no infinity.
  public static void number(JsonGenerator json, String name, double value) {
    if (Double.isFinite(value)) {
      json.writeNumberProperty(name, value);
    } else {
      json.writeNullProperty(name);
    }
  }

  /// A number with three decimals, for figures that were measured.
  public static void rounded(JsonGenerator json, String name, double value) {
    number(json, name, Double.isFinite(value) ? Math.round(value * 1000) / 1000.0 : value);
  }
}
