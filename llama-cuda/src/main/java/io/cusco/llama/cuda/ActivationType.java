package io.cusco.llama.cuda;

/// The type of activations and of the matrices that meet them. Kernels compute in float32 and round
/// once per stored value; [#F32] is the exact path.
enum ActivationType {
  BF16("bf16", Short.BYTES),
  F16("f16", Short.BYTES),
  F32("f32", Float.BYTES);

  private final String suffix;
  private final int numBytes;

  ActivationType(String suffix, int numBytes) {
    this.suffix = suffix;
    this.numBytes = numBytes;
  }

  /// How kernels of this type end: `rms_norm_bf16`.
  String suffix() {
    return suffix;
  }

  /// Bytes of one element.
  int numBytes() {
    return numBytes;
  }
}
