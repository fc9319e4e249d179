package io.cusco.llama.cli;

import io.cusco.llama.testkit.Json;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;

/// Runs commands in this process and reads what they print.
final class Cli {
  private Cli() {}

  /// @param code exit code
  record Result(int code, String out, String err) {
    Map<String, Object> json() {
      return jsonLines().getFirst();
    }

    List<Map<String, Object>> jsonLines() {
      return out.lines().map(line -> Json.object(Json.parse(line))).toList();
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
}
