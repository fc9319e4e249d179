package io.cusco.llama.cuda;

import io.cusco.llama.LlamaException;
import io.cusco.llama.backend.KvType;
import io.cusco.llama.cuda.KernelModules.Family;
import io.cusco.llama.cuda.driver.CudaDevice;

/// What a model's cache holds, and the types of the kernels that write and read it.
///
/// @param activations the model's type, which attention's results have
/// @param fp8 whether keys and values are e4m3, with a scale beside each row (`fp8_cache.cuh`);
///   otherwise they have the model's type
record KvFormat(ActivationType activations, boolean fp8) {
  /// A power of two as a bfloat16.
  private static final int SCALE_BYTES = Short.BYTES;

  /// A cache of the model's type.
  static KvFormat plain(ActivationType activations) {
    return new KvFormat(activations, false);
  }

  /// @throws LlamaException if the device has no instructions for it
  static KvFormat of(KvType type, ActivationType activations, CudaDevice device) {
    if (type == KvType.FP8 && !device.hasCompute(8, 9)) {
      throw new LlamaException(
          "an FP8 KV cache needs compute capability 8.9 (Ada) or above, %s is of %d.%d: leave --kv-type out"
              .formatted(device.label(), device.computeMajor(), device.computeMinor()));
    }
    return switch (type) {
      case AUTO -> plain(activations);
      case FP8 -> new KvFormat(activations, true);
    };
  }

  /// The type of turned queries: e4m3 widens to float16, whatever 16-bit type the model has.
  ActivationType queries() {
    return fp8 && activations == ActivationType.BF16 ? ActivationType.F16 : activations;
  }

  /// Bytes of one head's key or value of one token, its scale included.
  ///
  /// @param headDim elements
  int rowBytes(int headDim) {
    return headDim * elementBytes() + scaleBytes();
  }

  /// Bytes of one element of a key or value.
  int elementBytes() {
    return fp8 ? Byte.BYTES : activations.numBytes();
  }

  /// Bytes of a row's scale; 0 if rows have none.
  int scaleBytes() {
    return fp8 ? SCALE_BYTES : 0;
  }

  /// The family of kernels over this cache that does what `plain` does over one of the model's
  /// type.
  Family family(Family plain) {
    return fp8 ? Family.valueOf(plain.name() + "_FP8") : plain;
  }

  /// How attention kernels end.
  String suffix() {
    return fp8 ? "fp8_" + activations.suffix() : activations.suffix();
  }

  /// How the kernels end that fill the cache.
  String storeSuffix() {
    return fp8 ? "fp8_" + queries().suffix() : activations.suffix();
  }

  /// The cache's type in a few letters.
  String label() {
    return fp8 ? "fp8" : activations.suffix();
  }
}
