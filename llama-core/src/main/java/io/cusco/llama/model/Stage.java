package io.cusco.llama.model;

/// The stages of the forward pass, in order. Every backend's forward pass uses these names, so that
/// two of them can be held side by side and compared stage by stage.
public enum Stage {
  /// Embedding rows, `[numTokens, hiddenSize]`.
  EMBED,
  /// First RMSNorm of a block, `[numTokens, hiddenSize]`.
  INPUT_NORM,
  /// Queries before rotation, `[numTokens, queryWidth]`.
  Q_PROJ,
  /// Keys before rotation, `[numTokens, keyValueWidth]`.
  K_PROJ,
  /// Values, `[numTokens, keyValueWidth]`.
  V_PROJ,
  /// Queries after rotation, `[numTokens, queryWidth]`.
  ROPE_Q,
  /// Attention output before its projection, `[numTokens, queryWidth]`.
  ATTENTION,
  /// Residual stream after attention, `[numTokens, hiddenSize]`.
  ATTENTION_RESIDUAL,
  /// Second RMSNorm of a block, `[numTokens, hiddenSize]`.
  POST_ATTENTION_NORM,
  /// `silu(gate) * up`, `[numTokens, intermediateSize]`.
  SILU_MUL,
  /// Residual stream after the feed-forward layer, `[numTokens, hiddenSize]`.
  FEED_FORWARD_RESIDUAL,
  /// Final RMSNorm of the rows whose logits are wanted, `[numLogits, hiddenSize]`.
  FINAL_NORM,
  /// What the head makes of them, `[numLogits, numOutputs]`.
  LOGITS
}
