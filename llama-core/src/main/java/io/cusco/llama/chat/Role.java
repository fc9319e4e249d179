package io.cusco.llama.chat;

/// Who speaks.
public enum Role {
  SYSTEM,
  USER,
  ASSISTANT,
  /// The result of a tool call; Llama 3.1 calls it `ipython`.
  TOOL
}
