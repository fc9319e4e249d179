package io.cusco.llama.cuda;

import io.cusco.llama.backend.ComputeMode;
import io.cusco.llama.checkpoint.DType;
import io.cusco.llama.checkpoint.LlamaWeights;
import io.cusco.llama.checkpoint.TensorView;
import io.cusco.llama.cuda.driver.ElementType;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.stream.Stream;

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

  /// The type for a model: float32 where exactness is asked for; bfloat16 beside FP8, and for a
  /// checkpoint that has matrices of it or of float32, whose range float16 may not hold; else
  /// float16, which rounds neither a float16 weight nor, by more than 2^-11, what a block of
  /// integers stands for.
  static ActivationType of(ComputeMode compute, LlamaWeights weights) {
    if (compute == ComputeMode.F32) {
      return F32;
    }
    if (compute == ComputeMode.FP8) {
      return BF16;
    }
    boolean wide =
        Stream.concat(
                Stream.concat(Stream.of(weights.embedTokens()), weights.head().stream()),
                weights.layers().stream().flatMap(ActivationType::matrices))
            .anyMatch(matrix -> matrix.dtype() == DType.BF16 || matrix.dtype() == DType.F32);
    return wide ? BF16 : F16;
  }

  static Stream<TensorView> matrices(LlamaWeights.Layer layer) {
    return Stream.of(
            layer.qProj(),
            layer.kProj(),
            layer.vProj(),
            layer.oProj(),
            layer.gateProj(),
            layer.upProj(),
            layer.downProj())
        .map(LlamaWeights.Linear::weight);
  }

  /// The same type in a checkpoint.
  DType dtype() {
    return switch (this) {
      case BF16 -> DType.BF16;
      case F16 -> DType.F16;
      case F32 -> DType.F32;
    };
  }

  /// The same type in the words of cuBLAS.
  ElementType elementType() {
    return switch (this) {
      case BF16 -> ElementType.BF16;
      case F16 -> ElementType.F16;
      case F32 -> ElementType.F32;
    };
  }

  /// Element `index` of values of this type, widened.
  float get(MemorySegment values, long index) {
    return switch (this) {
      case F32 -> values.getAtIndex(ValueLayout.JAVA_FLOAT, index);
      case F16 -> Float.float16ToFloat(values.getAtIndex(ValueLayout.JAVA_SHORT, index));
      case BF16 -> Float.intBitsToFloat(values.getAtIndex(ValueLayout.JAVA_SHORT, index) << 16);
    };
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
