package io.cusco.llama.cli.openai;

import io.cusco.llama.LlamaException;
import io.cusco.llama.cli.json.Json;
import java.util.Optional;
import tools.jackson.core.JsonGenerator;

/// A refusal in the terms of the OpenAI API: an HTTP status and an error object.
public final class ApiException extends LlamaException {
  private static final long serialVersionUID = 1L;

  private final int status;
  private final String type;
  private final String param;
  private final String code;

  /// @param status HTTP status, 400 or above
  /// @param param the field at fault; empty if it is none in particular
  /// @param code a word that programs look at; empty for none
  public ApiException(int status, String param, String code, String message, Throwable cause) {
    super(message, cause);
    this.status = status;
    this.type = status < 500 ? "invalid_request_error" : "server_error";
    this.param = param;
    this.code = code;
  }

  /// The caller's mistake, in the field `param`.
  static ApiException badRequest(String param, String message) {
    return new ApiException(400, param, "", message, null);
  }

  public int status() {
    return status;
  }

  /// A word that programs look at.
  public Optional<String> code() {
    return code.isEmpty() ? Optional.empty() : Optional.of(code);
  }

  /// The body of the response: `{"error":{"message","type","param","code"}}`.
  public String toJson() {
    return Json.object(json -> {
      json.writeObjectPropertyStart("error");
      json.writeStringProperty("message", getMessage());
      json.writeStringProperty("type", type);
      writeOptional(json, "param", param);
      writeOptional(json, "code", code);
      json.writeEndObject();
    });
  }

  private static void writeOptional(JsonGenerator json, String name, String value) {
    if (value.isEmpty()) {
      json.writeNullProperty(name);
    } else {
      json.writeStringProperty(name, value);
    }
  }
}
