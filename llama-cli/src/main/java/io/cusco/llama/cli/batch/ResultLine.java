package io.cusco.llama.cli.batch;

import io.cusco.llama.cli.json.Json;
import io.cusco.llama.cli.json.JsonValue;
import io.cusco.llama.cli.json.JsonValueException;
import java.util.Optional;
import java.util.OptionalLong;
import tools.jackson.core.JsonGenerator;

/// One line of the output.
///
/// ```
/// {"id","custom_id","response":{"status_code","request_id","body":{...}},"error":null}
/// {"id","custom_id":null or a text,"response":null,"error":{"code","message","line"}}
/// ```
///
/// The second form answers a line that is no request, or one whose `custom_id` is taken; it belongs
/// to the line's number, which OpenAI's form does not have.
final class ResultLine {
  private static final int OK = 200;

  private ResultLine() {}

  /// An answer.
  ///
  /// @param body JSON
  static String response(String id, String customId, int status, String body) {
    return Json.object(json -> {
      json.writeStringProperty("id", "batch_req_" + id);
      json.writeStringProperty("custom_id", customId);
      json.writeObjectPropertyStart("response");
      json.writeNumberProperty("status_code", status);
      json.writeStringProperty("request_id", "req_" + id);
      json.writeName("body");
      json.writeRawValue(body);
      json.writeEndObject();
      json.writeNullProperty("error");
    });
  }

  /// The answer to a line that is no request.
  static String error(
      String id, Optional<String> customId, String code, String message, long lineNumber) {
    return Json.object(json -> {
      json.writeStringProperty("id", "batch_req_" + id);
      writeOptional(json, "custom_id", customId);
      json.writeNullProperty("response");
      json.writeObjectPropertyStart("error");
      json.writeStringProperty("code", code);
      json.writeStringProperty("message", "line %d: %s".formatted(lineNumber, message));
      json.writeNumberProperty("line", lineNumber);
      json.writeEndObject();
    });
  }

  private static void writeOptional(JsonGenerator json, String name, Optional<String> value) {
    if (value.isPresent()) {
      json.writeStringProperty(name, value.get());
    } else {
      json.writeNullProperty(name);
    }
  }

  /// What a line of an earlier run answers.
  ///
  /// @param customId of the request, where the line answers one
  /// @param lineNumber of the input, where it answers a line that is none
  /// @param failed whether the answer is a failure
  record Answered(Optional<String> customId, OptionalLong lineNumber, boolean failed) {}

  /// Reads a line of an earlier run.
  ///
  /// @throws JsonValueException if it is not one of the two forms
  static Answered read(byte[] line) {
    JsonValue result = JsonValue.parse(line);
    JsonValue error = result.get("error");
    if (error.isNull()) {
      boolean ok = result.get("response").get("status_code").integer(100, 599) == OK;
      String customId = result.get("custom_id").string();
      return new Answered(Optional.of(customId), OptionalLong.empty(), !ok);
    }
    long lineNumber = error.get("line").integer(1, Long.MAX_VALUE);
    return new Answered(Optional.empty(), OptionalLong.of(lineNumber), true);
  }
}
