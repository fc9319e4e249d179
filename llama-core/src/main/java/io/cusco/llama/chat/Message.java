package io.cusco.llama.chat;

import java.util.List;

/// One turn of a conversation. The content is data: nothing in it can become a control token.
///
/// @param role who speaks
/// @param content the text; may be empty where there are tool calls
/// @param toolCalls tools the assistant asks to run; empty for other roles
/// @param endOfMessage whether the assistant's turn stops for a tool's result instead of ending
///   (`<|eom_id|>` instead of `<|eot_id|>`)
/// @param jsonContent whether the content is JSON, which templates that quote a tool's text write
///   as it is
public record Message(
    Role role,
    String content,
    List<ToolCall> toolCalls,
    boolean endOfMessage,
    boolean jsonContent) {

  public Message {
    toolCalls = List.copyOf(toolCalls);
    if (role != Role.ASSISTANT && (!toolCalls.isEmpty() || endOfMessage)) {
      throw new IllegalArgumentException(
          "only the assistant calls tools, but a message of role %s has tool calls"
              .formatted(role));
    }
    if (jsonContent) {
      PythonJson.requireJson("a message's content", content);
    }
  }

  public Message(Role role, String content) {
    this(role, content, List.of(), false, false);
  }

  public static Message system(String content) {
    return new Message(Role.SYSTEM, content);
  }

  public static Message user(String content) {
    return new Message(Role.USER, content);
  }

  public static Message assistant(String content) {
    return new Message(Role.ASSISTANT, content);
  }

  /// An assistant's turn that asks for tools.
  public static Message assistant(String content, List<ToolCall> toolCalls) {
    return new Message(Role.ASSISTANT, content, toolCalls, false, false);
  }

  /// What a tool returned, as text.
  public static Message tool(String content) {
    return new Message(Role.TOOL, content);
  }

  /// What a tool returned, as JSON.
  public static Message toolJson(String json) {
    return new Message(Role.TOOL, json, List.of(), false, true);
  }

  /// This turn, stopping for a tool's result.
  public Message withEndOfMessage() {
    return new Message(role, content, toolCalls, true, jsonContent);
  }
}
