package io.cusco.llama.cli.batch;

import io.cusco.llama.cli.json.JsonValue;
import io.cusco.llama.cli.json.JsonValueException;
import io.cusco.llama.cli.openai.Endpoint;
import java.util.Arrays;

/// One line of the input: `{"custom_id","method","url","body"}`.
///
/// @param body as if it had come by itself: refusals name its fields without `body.`
record BatchLine(String customId, Endpoint endpoint, JsonValue body) {

  /// A line that is no request. The `code` words are those of OpenAI's batch errors where it has
  /// one.
  static final class BadLineException extends Exception {
    private static final long serialVersionUID = 1L;

    private final String code;

    BadLineException(String code, String message) {
      super(message);
      this.code = code;
    }

    BadLineException(String code, Exception cause) {
      super(cause.getMessage(), cause);
      this.code = code;
    }

    String code() {
      return code;
    }
  }

  /// The line as JSON, an object.
  static JsonValue parse(LineReader.Line line) throws BadLineException {
    try {
      JsonValue value = JsonValue.parse(withoutByteOrderMark(line));
      if (!value.isObject()) {
        throw new BadLineException("invalid_json_line", "the line is no JSON object");
      }
      return value;
    } catch (JsonValueException e) {
      throw new BadLineException("invalid_json_line", e);
    }
  }

  /// The `custom_id` of a line.
  static String customId(JsonValue line) throws BadLineException {
    try {
      String customId = line.get("custom_id").string();
      // Half a character cannot be written, and so would not be found again by --resume.
      if (customId.codePoints().anyMatch(c -> c >= 0xD800 && c <= 0xDFFF)) {
        throw line.get("custom_id").mustBe("a text without unpaired surrogates");
      }
      return customId;
    } catch (JsonValueException e) {
      throw new BadLineException("missing_required_parameter", e);
    }
  }

  static BatchLine of(String customId, JsonValue line) throws BadLineException {
    try {
      JsonValue method = line.get("method");
      if (!method.string().equals("POST")) {
        throw new BadLineException("invalid_method", method.mustBe("\"POST\""));
      }
      JsonValue url = line.get("url");
      Endpoint endpoint =
          Endpoint.of(url.string())
              .orElseThrow(() ->
                  new BadLineException("invalid_url", url.mustBe("one of " + Endpoint.paths())));
      JsonValue body = line.get("body");
      if (!body.isObject()) {
        throw body.mustBe("an object");
      }
      return new BatchLine(customId, endpoint, body.asRoot());
    } catch (JsonValueException e) {
      throw new BadLineException("missing_required_parameter", e);
    }
  }

  /// Some editors put one at the start of a file.
  private static byte[] withoutByteOrderMark(LineReader.Line line) {
    byte[] bytes = line.bytes();
    boolean marked =
        line.number() == 1
            && bytes.length >= 3
            && bytes[0] == (byte) 0xEF
            && bytes[1] == (byte) 0xBB
            && bytes[2] == (byte) 0xBF;
    return marked ? Arrays.copyOfRange(bytes, 3, bytes.length) : bytes;
  }
}
