package io.cusco.llama.cuda.driver;

import static io.cusco.llama.cuda.bindings.cublas.Cublas.CUBLAS_COMPUTE_32F;
import static io.cusco.llama.cuda.bindings.cublas.Cublas.CUBLAS_COMPUTE_32F_FAST_TF32;

/// A matrix product, all matrices row-major:
///
/// ```
/// C[m, n] = alpha * op(A)[m, k] * op(B)[k, n] + beta * C[m, n]
/// ```
///
/// cuBLAS is column-major. A row-major matrix is the transpose of the column-major one in the same
/// memory, and C^T = op(B)^T * op(A)^T; so [Cublas] and [CublasLt] hand over B first and A second,
/// with m and n exchanged, and nothing is copied.
///
/// @param transposeA whether A is stored as `[k, m]`
/// @param transposeB whether B is stored as `[n, k]`, as the weights of a linear layer are
/// @param inputType type of A and B
/// @param outputType type of C
/// @param strideA,strideB,strideC elements from one row to the next
/// @param tensorFloat32 whether float32 inputs may be rounded to 10 bits of mantissa; sums are
///   float32 in any case
public record Gemm(
    boolean transposeA,
    boolean transposeB,
    int m,
    int n,
    int k,
    ElementType inputType,
    ElementType outputType,
    int strideA,
    int strideB,
    int strideC,
    boolean tensorFloat32) {

  public Gemm {
    boolean valid =
        m > 0
            && n > 0
            && k > 0
            && strideA >= (transposeA ? m : k)
            && strideB >= (transposeB ? k : n)
            && strideC >= n;
    if (!valid) {
      throw new IllegalArgumentException(
          "no product of m = %d, n = %d, k = %d with rows %d, %d and %d apart%s%s"
              .formatted(
                  m,
                  n,
                  k,
                  strideA,
                  strideB,
                  strideC,
                  transposeA ? ", A transposed" : "",
                  transposeB ? ", B transposed" : ""));
    }
  }

  /// A linear layer on packed rows: `C[tokens, outFeatures] = A[tokens, inFeatures] * B^T` with
  /// weights `B[outFeatures, inFeatures]`.
  public static Gemm linear(
      int tokens, int outFeatures, int inFeatures, ElementType inputType, ElementType outputType) {
    return new Gemm(
        false,
        true,
        tokens,
        outFeatures,
        inFeatures,
        inputType,
        outputType,
        inFeatures,
        inFeatures,
        outFeatures,
        false);
  }

  int computeType() {
    return tensorFloat32 ? CUBLAS_COMPUTE_32F_FAST_TF32() : CUBLAS_COMPUTE_32F();
  }
}
