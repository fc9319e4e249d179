package io.cusco.llama.cuda;

import static io.cusco.llama.cuda.driver.ParameterType.INT;
import static io.cusco.llama.cuda.driver.ParameterType.POINTER;

import io.cusco.llama.cuda.GemvKernels.Store;
import io.cusco.llama.cuda.KernelModules.Family;
import io.cusco.llama.cuda.driver.CudaStream;

/// What products with e4m3 weights take beside cublasLt: rows to e4m3, scales where the library has
/// none, and products of few rows. Activations are bfloat16. Used on the context's thread, on
/// devices of compute capability 8.9 and above.
final class Fp8Kernels {
  /// What rows and columns of a matrix are whole multiples of: cublasLt's FP8 products load 16
  /// bytes (cuBLAS documentation, "cublasLtMatmul").
  static final int MULTIPLE = 16;

  /// Kernels there are, by the rows that they serve.
  private static final int[] ROWS = {1, 4, GemvKernels.MAX_ROWS};

  private static final int ROW_THREADS = 256;
  private static final int GEMV_THREADS = 128;

  /// Columns of the result that one block computes; `WARPS * PAIR` in matvec.cuh.
  private static final int GEMV_COLUMNS = 8;

  /// Elements of a thread of scale_product_fp8.
  private static final int QUAD = 4;

  private final KernelLaunch quantize;
  private final KernelLaunch scale;
  private final KernelLaunch[] gemv = new KernelLaunch[ROWS.length];

  /// A weight matrix on the device, `scales[row] * values[row]`.
  ///
  /// @param values address of `[outFeatures, inFeatures]` e4m3, a multiple of 16
  /// @param scales address of `[outFeatures]` float32, a multiple of 16
  record Fp8Matrix(long values, long scales, int outFeatures, int inFeatures) {
    Fp8Matrix {
      if (!fits(outFeatures, inFeatures)) {
        throw new IllegalArgumentException(
            "an e4m3 matrix has multiples of %d rows and columns, not %d x %d"
                .formatted(MULTIPLE, outFeatures, inFeatures));
      }
    }

    /// Whether a matrix of this shape can be multiplied as e4m3.
    static boolean fits(int outFeatures, int inFeatures) {
      return outFeatures % MULTIPLE == 0 && inFeatures % MULTIPLE == 0;
    }
  }

  /// @param modules must outlive these kernels
  /// @throws io.cusco.llama.cuda.driver.CudaException if the driver knows no FP8
  Fp8Kernels(KernelModules modules) {
    quantize =
        modules
            .kernel(Family.QUANTIZE_FP8, "quantize_rows_fp8", POINTER, POINTER, POINTER, INT)
            .block(ROW_THREADS, 1);
    scale =
        modules
            .kernel(
                Family.QUANTIZE_FP8,
                "scale_product_fp8",
                POINTER,
                POINTER,
                POINTER,
                POINTER,
                INT,
                INT)
            .block(ROW_THREADS, 1);
    for (int i = 0; i < ROWS.length; i++) {
      gemv[i] =
          modules
              .kernel(
                  Family.GEMV_FP8,
                  "gemv_fp8_" + ROWS[i],
                  POINTER,
                  POINTER,
                  POINTER,
                  POINTER,
                  INT,
                  INT,
                  INT,
                  INT,
                  INT)
              .block(GEMV_THREADS, 1);
    }
  }

  /// Queues `values = rows / scales`, each scale the row's largest magnitude over 448.
  ///
  /// @param rows device address of `[numRows, width]` bfloat16
  /// @param values device address of `[numRows, width]` e4m3
  /// @param scales device address of `[numRows]` float32
  /// @param width a multiple of [#MULTIPLE]
  void quantizeRows(
      CudaStream stream, long rows, long values, long scales, int numRows, int width) {
    quantize.rows(0, rows).rows(1, values).elements(2, scales).set(3, width);
    quantize.launch(stream, numRows);
  }

  /// Queues `out = raw * rowScales * columnScales`, stored as `store` says.
  ///
  /// @param raw device address of `[numRows, width]` float32
  /// @param rowScales device address of `[numRows]` float32
  /// @param columnScales device address of `[width]` float32
  /// @param out device address of `[numRows, width]`
  /// @param width a multiple of 4
  void scaleProduct(
      CudaStream stream,
      long raw,
      long rowScales,
      long columnScales,
      long out,
      int numRows,
      int width,
      Store store) {
    scale
        .rows(0, raw)
        .elements(1, rowScales)
        .rows(2, columnScales)
        .rows(3, out)
        .set(4, width)
        .set(5, store.code());
    scale.launch(stream, numRows, Math.ceilDiv(width, ROW_THREADS * QUAD), 1);
  }

  /// Queues `out = x * w^T` for up to [GemvKernels#MAX_ROWS] rows, as [GemvKernels#multiply] does.
  ///
  /// @param x device address of `[numRows, inFeatures]` bfloat16, a multiple of 16
  /// @param out device address of `[numRows, outFeatures]`
  void multiply(CudaStream stream, Fp8Matrix w, long x, int numRows, long out, Store store) {
    if (numRows < 1 || numRows > GemvKernels.MAX_ROWS) {
      throw new IllegalArgumentException(
          "a matrix-vector product takes 1 .. %d rows, got %d"
              .formatted(GemvKernels.MAX_ROWS, numRows));
    }
    KernelLaunch kernel = gemv[numRows == 1 ? 0 : numRows <= ROWS[1] ? 1 : 2];
    kernel
        .rows(0, x)
        .rows(1, w.values())
        .elements(2, w.scales())
        .elements(3, out)
        .set(4, numRows)
        .set(5, w.outFeatures())
        .set(6, w.inFeatures())
        .set(7, w.outFeatures())
        .set(8, store.code());
    kernel.launch(stream, Math.ceilDiv(w.outFeatures(), GEMV_COLUMNS));
  }
}
