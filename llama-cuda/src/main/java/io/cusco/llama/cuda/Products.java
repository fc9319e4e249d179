package io.cusco.llama.cuda;

import io.cusco.llama.cuda.CudaWeights.Linear;
import io.cusco.llama.cuda.GemvKernels.Matrix;
import io.cusco.llama.cuda.GemvKernels.Store;
import io.cusco.llama.cuda.driver.Cublas;
import io.cusco.llama.cuda.driver.CudaStream;
import io.cusco.llama.cuda.driver.ElementType;
import io.cusco.llama.cuda.driver.Gemm;

/// The linear layers on one stream: few rows by kernels of ours, for which the time is that of
/// reading the matrix once, more by cuBLAS. Sums are float32. Operands are device addresses of
/// row-major arrays of the activation type T where nothing else is said.
final class Products {
  private final CudaStream stream;
  private final Cublas cublas;
  private final GemvKernels gemv;
  private final ElementType type;

  Products(CudaStream stream, Cublas cublas, GemvKernels gemv, ActivationType type) {
    this.stream = stream;
    this.cublas = cublas;
    this.gemv = gemv;
    this.type = type.elementType();
  }

  /// `to = from * W^T`.
  ///
  /// @param from `[rows, inFeatures]`
  /// @param to `[rows, outFeatures]`
  void project(Linear linear, long from, long to, int rows) {
    run(linear.matrix(), from, to, rows, Store.ROUNDED);
  }

  /// `residual += from * W^T`.
  ///
  /// @param residual `[rows, outFeatures]` float32
  /// @param from `[rows, inFeatures]`
  void addTo(long residual, Linear linear, long from, int rows) {
    run(linear.matrix(), from, residual, rows, Store.ADDED);
  }

  /// `to = from * W^T`, in float32.
  ///
  /// @param from `[rows, hiddenSize]`
  /// @param to `[rows, vocabSize]` float32
  void logits(Linear lmHead, long from, long to, int rows) {
    run(lmHead.matrix(), from, to, rows, Store.FLOAT);
  }

  private void run(Matrix matrix, long from, long to, int rows, Store store) {
    if (rows <= GemvKernels.MAX_ROWS) {
      gemv.multiply(stream, matrix, from, rows, to, store);
      return;
    }
    ElementType outputType = store == Store.ROUNDED ? type : ElementType.F32;
    Gemm gemm = Gemm.linear(rows, matrix.outFeatures(), matrix.inFeatures(), type, outputType);
    cublas.gemm(gemm, 1, from, matrix.address(), store == Store.ADDED ? 1 : 0, to);
  }
}
