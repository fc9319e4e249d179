package io.cusco.llama.cuda.standin;

import io.cusco.llama.cuda.emulator.DeviceMemory;
import io.cusco.llama.cuda.emulator.DeviceRange;
import java.util.Arrays;

/// One product as cuBLAS defines it, all matrices column-major:
///
/// ```
/// D[m, n] = alpha * scales * op(A)[m, k] * op(B)[k, n] + beta * C[m, n] + bias[m]
/// ```
///
/// Inputs are widened to float32 exactly, products are summed in float32 in the order of k, and the
/// result is rounded once to the type of D. cuBLAS sums in another order, which nobody may rely on.
///
/// @param a stored [m, k], or [k, m] if `transposeA`
/// @param b stored [k, n], or [n, k] if `transposeB`
/// @param c read only where beta is not zero; may be D itself
/// @param tensorFloat32 whether float32 inputs are rounded to TF32 first
/// @param extras scales and bias, or [Extras#NONE]
record MatrixProduct(
    DeviceMatrix a,
    boolean transposeA,
    DeviceMatrix b,
    boolean transposeB,
    DeviceMatrix c,
    DeviceMatrix d,
    float alpha,
    float beta,
    boolean tensorFloat32,
    Extras extras) {

  /// Rows and depth of the part of A that stays in the cache while all columns of B pass: half a
  /// megabyte.
  private static final int BLOCK_ROWS = 512;

  private static final int BLOCK_DEPTH = 256;

  /// What cublasLt adds to a product; all addresses are device addresses and 0 where there is
  /// nothing.
  ///
  /// @param scaleA,scaleB float32 factors
  /// @param perVector whether there is one for each row of op(A) and column of op(B), not one for
  ///   each matrix
  /// @param bias m elements of the type of D
  record Extras(long scaleA, long scaleB, boolean perVector, long bias) {
    static final Extras NONE = new Extras(0, 0, false, 0);
  }

  /// The product of a batch that is this many elements further on.
  MatrixProduct shifted(long elementsA, long elementsB, long elementsC, long elementsD) {
    return new MatrixProduct(
        a.shifted(elementsA),
        transposeA,
        b.shifted(elementsB),
        transposeB,
        c.shifted(elementsC),
        d.shifted(elementsD),
        alpha,
        beta,
        tensorFloat32,
        extras);
  }

  @Override
  public String toString() {
    return "GEMM %s x %s x %s, %s to %s".formatted(m(), n(), k(), a.format(), d.format());
  }

  private int m() {
    return d.rows();
  }

  private int n() {
    return d.columns();
  }

  private int k() {
    return transposeA ? a.rows() : a.columns();
  }

  void run(DeviceMemory memory) {
    if (m() == 0 || n() == 0) {
      return;
    }
    float[][] sums = new float[n()][m()];
    if (alpha != 0 && k() > 0) {
      // A as [k][m] and B as [n][k], whatever way they are stored.
      float[][] left = transposeA ? a.readTransposed(memory) : a.read(memory);
      float[][] right = transposeB ? b.readTransposed(memory) : b.read(memory);
      if (tensorFloat32) {
        roundToTensorFloat32(left);
        roundToTensorFloat32(right);
      }
      multiply(left, right, sums, m(), k());
    }
    store(memory, sums);
  }

  private static void roundToTensorFloat32(float[][] values) {
    for (float[] row : values) {
      for (int i = 0; i < row.length; i++) {
        row[i] = ElementFormat.toTensorFloat32(row[i]);
      }
    }
  }

  private static void multiply(float[][] a, float[][] b, float[][] sums, int m, int k) {
    for (int k0 = 0; k0 < k; k0 += BLOCK_DEPTH) {
      int k1 = Math.min(k0 + BLOCK_DEPTH, k);
      for (int m0 = 0; m0 < m; m0 += BLOCK_ROWS) {
        int m1 = Math.min(m0 + BLOCK_ROWS, m);
        for (int j = 0; j < sums.length; j++) {
          int p = k0;
          for (; p + 4 <= k1; p += 4) {
            addFourScaled(a, p, b[j], sums[j], m0, m1);
          }
          for (; p < k1; p++) {
            addScaled(a[p], b[j][p], sums[j], m0, m1);
          }
        }
      }
    }
  }

  /// Four terms of every sum in one pass over the sums. The compiler makes vectors of such loops
  /// only where all arrays have the same index; hence an array for each row of A.
  private static void addFourScaled(
      float[][] a, int p, float[] factors, float[] target, int from, int to) {
    float[] a0 = a[p];
    float[] a1 = a[p + 1];
    float[] a2 = a[p + 2];
    float[] a3 = a[p + 3];
    float f0 = factors[p];
    float f1 = factors[p + 1];
    float f2 = factors[p + 2];
    float f3 = factors[p + 3];
    for (int i = from; i < to; i++) {
      target[i] = target[i] + a0[i] * f0 + a1[i] * f1 + a2[i] * f2 + a3[i] * f3;
    }
  }

  private static void addScaled(float[] source, float factor, float[] target, int from, int to) {
    for (int i = from; i < to; i++) {
      target[i] += source[i] * factor;
    }
  }

  private void store(DeviceMemory memory, float[][] sums) {
    float[] rowFactors = factors(memory, extras.scaleA(), m(), "scales of A");
    float[] columnFactors = factors(memory, extras.scaleB(), n(), "scales of B");
    float[] bias = new float[m()];
    if (extras.bias() != 0) {
      long numBytes = (long) m() * d.format().numBytes();
      d.format()
          .read(memory.range(extras.bias(), numBytes, false, "bias of a GEMM"), 0, bias, 0, m());
    }
    DeviceRange old = beta == 0 ? null : c.range(memory, false);
    DeviceRange target = d.range(memory, true);
    float[] column = new float[m()];
    for (int j = 0; j < n(); j++) {
      if (old != null) {
        c.format().read(old, j * c.leadingDimension(), column, 0, m());
      }
      for (int i = 0; i < m(); i++) {
        float value = alpha * rowFactors[i] * columnFactors[j] * sums[j][i];
        value += beta == 0 ? 0 : beta * column[i];
        d.format().write(target, j * d.leadingDimension() + i, value + bias[i]);
      }
    }
  }

  private float[] factors(DeviceMemory memory, long address, int count, String what) {
    float[] factors = new float[count];
    if (address == 0) {
      Arrays.fill(factors, 1);
      return factors;
    }
    int stored = extras.perVector() ? count : 1;
    memory.range(address, 4L * stored, false, what).getFloats(0, factors, 0, stored);
    if (!extras.perVector()) {
      Arrays.fill(factors, factors[0]);
    }
    return factors;
  }
}
