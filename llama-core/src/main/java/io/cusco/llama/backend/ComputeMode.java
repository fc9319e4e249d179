package io.cusco.llama.backend;

/// How exactly a backend computes.
public enum ComputeMode {
  /// Weights widened to float32 and float32 arithmetic, on every backend.
  F32,
  /// The backend's fast path for the weights' types.
  AUTO,
  /// The layers' weights as FP8 numbers (e4m3) with a scale for each row, whatever the checkpoint
  /// has: on GPUs of compute capability 8.9 and above. Refused where there is no such GPU.
  FP8
}
