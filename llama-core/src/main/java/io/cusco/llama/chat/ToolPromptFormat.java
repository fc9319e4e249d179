package io.cusco.llama.chat;

/// How Meta's reference writes a tool call in an assistant's turn (`ToolPromptFormat` in
/// llama-models). Built-in tools have their own form in all three.
public enum ToolPromptFormat {
  /// `{"type": "function", "name": "f", "parameters": {"x": 1}}`
  JSON,
  /// `<function=f>{"x": 1}</function>`
  FUNCTION_TAG,
  /// `[f(x=1)]`
  PYTHON_LIST
}
