package io.cusco.llama.backend;

/// Whether a backend that reads weights in place may copy them to where they decode faster: in
/// another order beside the file's, or as they are into large pages in place of the file's. GPUs
/// copy weights anyway and ignore it.
public enum Repack {
  /// Where decoding gains most and the copies fit easily into memory; large pages only once it is
  /// seen that much is decoded.
  AUTO,
  /// Every matrix that can be copied, as soon as there is a prompt's first token.
  ON,
  /// Weights in place only.
  OFF
}
