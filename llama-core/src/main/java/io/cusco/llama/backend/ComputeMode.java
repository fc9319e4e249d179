package io.cusco.llama.backend;

/// How exactly a backend computes.
public enum ComputeMode {
  /// Weights widened to float32 and float32 arithmetic, on every backend.
  F32,
  /// The backend's fast path for the weights' types.
  AUTO
}
