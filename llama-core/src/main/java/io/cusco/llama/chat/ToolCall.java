package io.cusco.llama.chat;

/// An assistant's request to run a tool.
///
/// @param name the tool's name
/// @param arguments its arguments, the text of a JSON object
public record ToolCall(String name, String arguments) {
  public ToolCall {
    if (name.isEmpty()) {
      throw new IllegalArgumentException("a tool call needs the tool's name");
    }
    PythonJson.requireObject("the arguments of tool call " + name, arguments);
  }
}
