package io.cusco.llama.backend;

/// What a model's keys and values are kept as from step to step.
public enum KvType {
  /// As attention computes with them: float16 on a CPU, or float32; the type of activations on a
  /// GPU.
  AUTO,
  /// 8-bit floating point (e4m3), each row scaled by itself: half the memory of 16 bits and half of
  /// what attention reads, less exact. For GPUs of compute capability 8.9 and above.
  FP8
}
