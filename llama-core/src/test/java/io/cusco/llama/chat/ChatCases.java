package io.cusco.llama.chat;

import io.cusco.llama.testkit.Json;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/// Reads dialogues of the reference data.
final class ChatCases {
  private ChatCases() {}

  /// Options by the names of a template's variables; entries of other kinds are passed over.
  static ChatOptions options(Map<?, ?> given) {
    ChatOptions options = ChatOptions.DEFAULT;
    for (Map.Entry<?, ?> argument : given.entrySet()) {
      Object value = argument.getValue();
      options =
          switch ((String) argument.getKey()) {
            case "tools" -> options.withTools(((List<?>) value).stream().map(Json::write).toList());
            case "tools_in_user_message" -> options.withToolsInUserMessage((Boolean) value);
            case "builtin_tools" ->
                options.withBuiltinTools(
                    ((List<?>) value).stream().map(tool -> (String) tool).toList());
            case "date_string" -> options.withDate((String) value);
            case "add_generation_prompt" -> options.withGenerationPrompt((Boolean) value);
            case "bos_token", "eos_token", "messages" -> options;
            default -> throw new AssertionError("unknown template variable " + argument);
          };
    }
    return options;
  }

  static List<Message> messages(Map<?, ?> c) {
    List<Message> messages = new ArrayList<>();
    for (Object entry : (List<?>) c.get("messages")) {
      Map<?, ?> message = (Map<?, ?>) entry;
      Object content = message.get("content");
      boolean endOfMessage = "end_of_message".equals(message.get("stop_reason"));
      boolean isJson = content instanceof Map;
      Role role =
          switch ((String) message.get("role")) {
            case "system" -> Role.SYSTEM;
            case "user" -> Role.USER;
            case "assistant" -> Role.ASSISTANT;
            case "tool", "ipython" -> Role.TOOL;
            default -> throw new AssertionError("unknown role in " + message);
          };
      String text = isJson ? Json.write(content) : content == null ? "" : (String) content;
      List<ToolCall> calls = toolCalls(message.get("tool_calls"));
      messages.add(new Message(role, text, calls, endOfMessage, isJson));
    }
    return messages;
  }

  static List<ToolCall> toolCalls(Object list) {
    List<ToolCall> calls = new ArrayList<>();
    for (Object entry : list == null ? List.of() : (List<?>) list) {
      Map<?, ?> call = (Map<?, ?>) entry;
      if (call.get("function") instanceof Map<?, ?> function) {
        call = function;
      }
      calls.add(new ToolCall((String) call.get("name"), Json.write(call.get("arguments"))));
    }
    return calls;
  }

  /// Calls with their arguments as values, so that the layout of the JSON does not count.
  static List<Object> values(List<ToolCall> calls) {
    return calls.stream()
        .<Object>map(call -> List.of(call.name(), Json.parse(call.arguments())))
        .toList();
  }
}
