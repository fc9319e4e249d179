package io.cusco.llama.backend;

/// Whether a backend that reads weights in place may also keep a copy of them in an order that
/// decodes faster. GPUs copy weights anyway and ignore it.
public enum Repack {
  /// Where decoding gains most and the copy fits easily into memory.
  AUTO,
  /// Every matrix that can be copied.
  ON,
  /// Weights in place only.
  OFF
}
