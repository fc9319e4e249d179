package io.cusco.llama.cuda;

import io.cusco.llama.cuda.CudaWeights.Linear;
import io.cusco.llama.cuda.driver.Cublas;
import io.cusco.llama.cuda.driver.ElementType;
import io.cusco.llama.cuda.driver.Gemm;

/// The linear layers as cuBLAS products on the handle's stream, sums in float32. Operands are
/// device addresses of row-major matrices of the activation type T where nothing else is said.
final class Products {
  private final Cublas cublas;
  private final ElementType type;

  Products(Cublas cublas, ActivationType type) {
    this.cublas = cublas;
    this.type = type.elementType();
  }

  /// `to = from * W^T`.
  ///
  /// @param from `[rows, inFeatures]`
  /// @param to `[rows, outFeatures]`
  void project(Linear linear, long from, long to, int rows) {
    run(linear, from, to, rows, type, 0);
  }

  /// `residual += from * W^T`.
  ///
  /// @param residual `[rows, outFeatures]` float32
  /// @param from `[rows, inFeatures]`
  void addTo(long residual, Linear linear, long from, int rows) {
    run(linear, from, residual, rows, ElementType.F32, 1);
  }

  /// `to = from * W^T`, in float32.
  ///
  /// @param from `[rows, hiddenSize]`
  /// @param to `[rows, vocabSize]` float32
  void logits(Linear lmHead, long from, long to, int rows) {
    run(lmHead, from, to, rows, ElementType.F32, 0);
  }

  private void run(
      Linear linear, long from, long to, int rows, ElementType outputType, float beta) {
    Gemm gemm = Gemm.linear(rows, linear.outFeatures(), linear.inFeatures(), type, outputType);
    cublas.gemm(gemm, 1, from, linear.weight(), beta, to);
  }
}
