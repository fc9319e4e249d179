package io.cusco.llama.chat;

import java.util.Map;
import java.util.Optional;
import java.util.Set;

/// The tools that Llama 3.1 was trained on and calls in forms of their own.
final class BuiltinTools {
  /// Its argument `code` is the message's text, after `<|python_tag|>`.
  static final String CODE_INTERPRETER = "code_interpreter";

  /// Called as `brave_search.call(query="...")`.
  static final Set<String> QUERY_TOOLS = Set.of("brave_search", "wolfram_alpha", "photogen");

  private BuiltinTools() {}

  /// How Meta's reference writes a call of a built-in tool; empty for other tools.
  static Optional<String> referenceText(ToolCall call) {
    if (call.name().equals(CODE_INTERPRETER)) {
      return Optional.of(stringArgument(call, "code"));
    }
    if (QUERY_TOOLS.contains(call.name())) {
      return Optional.of(
          "%s.call(query=\"%s\")".formatted(call.name(), stringArgument(call, "query")));
    }
    return Optional.empty();
  }

  private static String stringArgument(ToolCall call, String name) {
    Map<String, String> arguments = PythonJson.stringMembers(call.arguments());
    String value = arguments.get(name);
    if (value == null) {
      throw new IllegalArgumentException(
          "a call of the built-in tool %s needs the string argument \"%s\", got %s"
              .formatted(call.name(), name, call.arguments()));
    }
    return value;
  }
}
