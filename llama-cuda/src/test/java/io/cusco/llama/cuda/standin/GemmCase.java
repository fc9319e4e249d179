package io.cusco.llama.cuda.standin;

import io.cusco.llama.cuda.bindings.cublas.Cublas;
import io.cusco.llama.cuda.driver.DeviceBuffer;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/// A product as cublasGemmEx takes it, with its float64 reference. All matrices are column-major.
///
/// @param gap elements between the end of a column and the start of the next
record GemmCase(
    boolean transposeA,
    boolean transposeB,
    int m,
    int n,
    int k,
    int gap,
    ElementFormat input,
    ElementFormat output) {

  private int lda() {
    return (transposeA ? k : m) + gap;
  }

  private int ldb() {
    return (transposeB ? n : k) + gap;
  }

  private int ldc() {
    return m + gap;
  }

  int sizeA() {
    return lda() * (transposeA ? m : k);
  }

  int sizeB() {
    return ldb() * (transposeB ? k : n);
  }

  int sizeC() {
    return ldc() * n;
  }

  private static int operation(boolean transposed) {
    return transposed ? Cublas.CUBLAS_OP_T() : Cublas.CUBLAS_OP_N();
  }

  /// Calls cublasGemmEx and returns its status. The factors are gone when this returns.
  int call(
      MemorySegment handle,
      float alpha,
      float beta,
      DeviceBuffer a,
      DeviceBuffer b,
      DeviceBuffer c) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment factors = arena.allocateFrom(ValueLayout.JAVA_FLOAT, alpha, beta);
      int status =
          Cublas.cublasGemmEx(
              handle,
              operation(transposeA),
              operation(transposeB),
              m,
              n,
              k,
              factors,
              MemorySegment.ofAddress(a.address()),
              input.code(),
              lda(),
              MemorySegment.ofAddress(b.address()),
              input.code(),
              ldb(),
              factors.asSlice(4),
              MemorySegment.ofAddress(c.address()),
              output.code(),
              ldc(),
              Cublas.CUBLAS_COMPUTE_32F(),
              Cublas.CUBLAS_GEMM_DEFAULT());
      factors.fill((byte) 0xff);
      return status;
    }
  }

  /// Compares `result` with alpha * op(a) * op(b) + beta * c.
  void check(
      String seed, float alpha, float beta, float[] a, float[] b, float[] c, float[] result) {
    for (int j = 0; j < n; j++) {
      for (int i = 0; i < ldc(); i++) {
        int at = j * ldc() + i;
        double expected = c[at];
        double allowed = 0;
        if (i < m) {
          expected = alpha * sum(a, b, i, j, false) + beta * (double) c[at];
          allowed = tolerance(sum(a, b, i, j, true) + Math.abs(c[at]), expected);
        }
        if (!(Math.abs(result[at] - expected) <= allowed)) {
          throw new AssertionError(
              "%s, %s: element %d, %d is %s, expected %s within %s"
                  .formatted(this, seed, i, j, result[at], expected, allowed));
        }
      }
    }
  }

  private double sum(float[] a, float[] b, int i, int j, boolean absolute) {
    double sum = 0;
    for (int p = 0; p < k; p++) {
      double left = a[transposeA ? i * lda() + p : p * lda() + i];
      double right = b[transposeB ? p * ldb() + j : j * ldb() + p];
      sum += absolute ? Math.abs(left * right) : left * right;
    }
    return sum;
  }

  /// Sums in float32 err by at most k roundings of the sum of magnitudes, the result once more by
  /// half a unit of its type.
  private double tolerance(double magnitudes, double expected) {
    double unit =
        switch (output) {
          case F32 -> 0x1p-24;
          case F16 -> 0x1p-11;
          case BF16 -> 0x1p-8;
          case E4M3, E5M2 -> throw new AssertionError("no FP8 output");
        };
    return (k + 3) * 0x1p-24 * magnitudes + unit * Math.abs(expected) + 1e-7;
  }
}
