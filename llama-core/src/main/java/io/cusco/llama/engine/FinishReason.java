package io.cusco.llama.engine;

/// Why a generation ended.
public enum FinishReason {
  /// An end token or a stop string.
  STOP,
  /// The token limit or the end of the context.
  LENGTH,
  /// The caller cancelled it.
  CANCELLED,
  /// It failed; the generation carries the exception.
  ERROR
}
