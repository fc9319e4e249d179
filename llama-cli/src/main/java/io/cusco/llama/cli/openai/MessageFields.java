package io.cusco.llama.cli.openai;

import io.cusco.llama.chat.Message;
import io.cusco.llama.chat.Role;
import io.cusco.llama.chat.ToolCall;
import io.cusco.llama.cli.json.JsonValue;
import io.cusco.llama.cli.json.JsonValueException;
import java.util.ArrayList;
import java.util.List;

/// A conversation and its tools as the OpenAI API has them. What the chat formats of the family
/// cannot express (a speaker's `name`, a `tool_call_id`) is left out.
final class MessageFields {
  private MessageFields() {}

  static List<Message> messages(JsonValue messages) {
    List<Message> turns = new ArrayList<>();
    for (JsonValue message : messages.list()) {
      turns.add(message(message));
    }
    if (turns.isEmpty()) {
      throw messages.mustBe("a list of one message or more");
    }
    return turns;
  }

  private static Message message(JsonValue message) {
    JsonValue role = message.get("role");
    return switch (role.string()) {
      case "system", "developer" -> Message.system(text(message.get("content")));
      case "user" -> Message.user(text(message.get("content")));
      case "assistant" -> assistant(message);
      case "tool" -> Message.tool(text(message.get("content")));
      default -> throw role.mustBe("one of system, developer, user, assistant, tool");
    };
  }

  private static Message assistant(JsonValue message) {
    JsonValue content = message.get("content");
    JsonValue calls = message.get("tool_calls");
    if (calls.isNull() || calls.list().isEmpty()) {
      return new Message(Role.ASSISTANT, text(content));
    }
    return Message.assistant(
        content.isNull() ? "" : text(content),
        calls.list().stream().map(MessageFields::toolCall).toList());
  }

  private static ToolCall toolCall(JsonValue call) {
    requireFunction(call.get("type"));
    JsonValue function = call.get("function");
    JsonValue name = function.get("name");
    JsonValue arguments = function.get("arguments");
    if (name.string().isEmpty()) {
      throw name.mustBe("the name of a tool");
    }
    if (!isJsonObject(arguments.string())) {
      throw arguments.mustBe("the text of a JSON object");
    }
    return new ToolCall(name.string(), arguments.string());
  }

  private static boolean isJsonObject(String text) {
    try {
      return JsonValue.parse(text).isObject();
    } catch (JsonValueException e) {
      return false;
    }
  }

  /// The text of a `content`: a string, or a list of text parts, one below the other as vLLM and
  /// llama.cpp put them.
  private static String text(JsonValue content) {
    if (content.isString()) {
      return content.string();
    }
    if (!content.isList()) {
      throw content.mustBe("a string or a list of text parts");
    }
    List<String> texts = new ArrayList<>();
    for (JsonValue part : content.list()) {
      JsonValue type = part.get("type");
      switch (type.string()) {
        case "text" -> texts.add(part.get("text").string());
        case "refusal" -> texts.add(part.get("refusal").string());
        default -> throw type.mustBe("\"text\", this is a model of text alone");
      }
    }
    return String.join("\n", texts);
  }

  /// The descriptions of the tools that may be called, each as JSON.
  static List<String> tools(JsonValue body) {
    JsonValue tools = body.get("tools");
    JsonValue choice = body.get("tool_choice");
    if (!choice.isNull()) {
      boolean known = choice.isString() && List.of("auto", "none").contains(choice.string());
      if (!known) {
        throw choice.mustBe("\"auto\" or \"none\", a call cannot be enforced");
      }
    }
    if (tools.isNull()) {
      return List.of();
    }
    List<String> descriptions = new ArrayList<>();
    for (JsonValue tool : tools.list()) {
      requireFunction(tool.get("type"));
      tool.get("function").get("name").string();
      descriptions.add(tool.json());
    }
    return !choice.isNull() && choice.string().equals("none") ? List.of() : descriptions;
  }

  private static void requireFunction(JsonValue type) {
    if (!type.string().equals("function")) {
      throw type.mustBe("\"function\"");
    }
  }
}
