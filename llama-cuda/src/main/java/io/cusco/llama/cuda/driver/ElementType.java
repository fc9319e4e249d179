package io.cusco.llama.cuda.driver;

import io.cusco.llama.cuda.bindings.cublas.Cublas;

/// Types of matrix elements, as `cudaDataType` names them.
public enum ElementType {
  F32(Cublas.CUDA_R_32F(), 4),
  F16(Cublas.CUDA_R_16F(), 2),
  BF16(Cublas.CUDA_R_16BF(), 2),
  /// 4 bits of exponent, 3 of mantissa; from compute capability 8.9 on, cublasLt only.
  FP8_E4M3(Cublas.CUDA_R_8F_E4M3(), 1),
  FP8_E5M2(Cublas.CUDA_R_8F_E5M2(), 1);

  private final int code;
  private final int numBytes;

  ElementType(int code, int numBytes) {
    this.code = code;
    this.numBytes = numBytes;
  }

  int code() {
    return code;
  }

  public int numBytes() {
    return numBytes;
  }
}
