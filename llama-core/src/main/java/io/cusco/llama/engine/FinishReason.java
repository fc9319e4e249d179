package io.cusco.llama.engine;

/// Why a generation ended.
public enum FinishReason {
  /// An end token or a stop string.
  STOP,
  /// The token limit, or the end of the context or of the KV cache.
  LENGTH,
  /// The request's time was up.
  TIMEOUT,
  /// The caller cancelled it, or the engine was closed.
  CANCELLED,
  /// It failed; awaiting or iterating the generation throws the failure.
  ERROR
}
