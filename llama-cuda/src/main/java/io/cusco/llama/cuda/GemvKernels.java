package io.cusco.llama.cuda;

import static io.cusco.llama.cuda.driver.ParameterType.INT;
import static io.cusco.llama.cuda.driver.ParameterType.POINTER;

import io.cusco.llama.checkpoint.DType;
import io.cusco.llama.cuda.KernelModules.Family;
import io.cusco.llama.cuda.driver.CudaStream;
import java.util.EnumMap;
import java.util.EnumSet;
import java.util.Locale;
import java.util.Map;
import java.util.Set;

/// Products of up to [#MAX_ROWS] rows of activations with a weight matrix, for decoding: the time
/// is that of reading the matrix once. More rows are cuBLAS's business.
///
/// Matrices are of the activation type or in GGUF's blocks as the file has them. Products and sums
/// are float32. An element's bits do not depend on how many rows there are. Used on the context's
/// thread.
final class GemvKernels {
  /// The most rows of one launch.
  static final int MAX_ROWS = 8;

  /// Kernels there are, by the rows that they serve.
  private static final int[] ROWS = {1, 4, MAX_ROWS};

  private static final int THREADS = 128;

  /// Columns of the result that one block computes; `WARPS * PAIR` in matvec.cuh.
  private static final int COLUMNS = 8;

  private final ActivationType type;
  private final DType dense;
  private final Map<DType, KernelLaunch[]> kernels = new EnumMap<>(DType.class);

  /// What becomes of the sums.
  enum Store {
    /// Rounded to the activation type.
    ROUNDED(0),
    /// Added to what is there, which is float32: the residual stream.
    ADDED(1),
    /// As float32: logits.
    FLOAT(2);

    /// As in matvec.cuh.
    private final int code;

    Store(int code) {
      this.code = code;
    }

    int code() {
      return code;
    }
  }

  /// A weight matrix on the device, row-major.
  ///
  /// @param format the activation type's, or one of [DequantizeKernels#FORMATS]
  /// @param address of `[outFeatures, inFeatures]`, a multiple of 16
  record Matrix(DType format, long address, int outFeatures, int inFeatures) {}

  /// @param modules must outlive these kernels
  /// @param type of the activations
  GemvKernels(KernelModules modules, ActivationType type) {
    this.type = type;
    dense = type.dtype();
    kernels.put(dense, kernels(modules, Family.GEMV, "gemv"));
    for (DType format : DequantizeKernels.FORMATS) {
      String name = "gemv_" + format.name().toLowerCase(Locale.ROOT);
      kernels.put(format, kernels(modules, Family.GEMV_BLOCKS, name));
    }
  }

  private KernelLaunch[] kernels(KernelModules modules, Family family, String name) {
    KernelLaunch[] launches = new KernelLaunch[ROWS.length];
    for (int i = 0; i < ROWS.length; i++) {
      launches[i] =
          modules
              .kernel(
                  family,
                  "%s_%d_%s".formatted(name, ROWS[i], type.suffix()),
                  POINTER,
                  POINTER,
                  POINTER,
                  INT,
                  INT,
                  INT,
                  INT,
                  INT)
              .block(THREADS, 1);
    }
    return launches;
  }

  /// The formats that a matrix may have.
  Set<DType> formats() {
    return EnumSet.copyOf(kernels.keySet());
  }

  /// Queues `out = x * w^T`.
  ///
  /// @param x device address of `[numRows, inFeatures]` of the activation type, a multiple of 16
  /// @param out device address of `[numRows, outFeatures]`; not part of `x`
  /// @param outStride elements from one row of `out` to the next, at least outFeatures
  /// @throws IllegalArgumentException for more than [#MAX_ROWS] rows, a format that there is no
  ///   kernel for, or rows that are no whole number of blocks
  void multiply(
      CudaStream stream, Matrix w, long x, int numRows, long out, int outStride, Store store) {
    if (numRows < 0 || numRows > MAX_ROWS) {
      throw new IllegalArgumentException(
          "a matrix-vector product takes up to %d rows, got %d".formatted(MAX_ROWS, numRows));
    }
    KernelLaunch[] launches = kernels.get(w.format());
    if (launches == null) {
      throw new IllegalArgumentException(
          "no kernel multiplies %s activations with %s weights; there are %s"
              .formatted(type, w.format(), kernels.keySet()));
    }
    w.format().numBytes(w.inFeatures()); // refuses rows that are no whole number of blocks
    if (numRows == 0) {
      return;
    }
    KernelLaunch kernel = launches[numRows == 1 ? 0 : numRows <= ROWS[1] ? 1 : 2];
    kernel
        .rows(0, x)
        .rows(1, w.address())
        .elements(2, out)
        .set(3, numRows)
        .set(4, w.outFeatures())
        .set(5, w.inFeatures())
        .set(6, outStride)
        .set(7, store.code);
    kernel.launch(stream, Math.ceilDiv(w.outFeatures(), COLUMNS));
  }
}
