package io.cusco.llama.cuda;

import io.cusco.llama.LlamaException;
import io.cusco.llama.cuda.Fp8Kernels.Fp8Matrix;
import io.cusco.llama.cuda.GemvKernels.Store;
import io.cusco.llama.cuda.driver.CublasLt;
import io.cusco.llama.cuda.driver.CudaContext;
import io.cusco.llama.cuda.driver.CudaStream;
import io.cusco.llama.cuda.driver.DeviceBuffer;
import io.cusco.llama.cuda.driver.ElementType;
import io.cusco.llama.cuda.driver.Gemm;
import io.cusco.llama.cuda.driver.LtMatmul;
import io.cusco.llama.cuda.driver.LtMatmul.Rows;
import io.cusco.llama.cuda.driver.LtMatmul.Scaling;
import java.util.List;
import java.util.Optional;

/// Products with e4m3 weights. Few rows of bfloat16 are multiplied as they are by a kernel of ours,
/// for which the time is that of reading the matrix. More rows become e4m3 themselves, with a scale
/// each, and go to cublasLt:
///
/// ```
/// from bf16 --quantizeRows--> values e4m3, scales --cublasLt, scales per row--> to
///                                                 --cublasLt--> raw f32 --scaleProduct--> to
/// ```
///
/// The first way needs cublasLt 12.9 and compute capability 9; the second works wherever there are
/// FP8 products. The library is asked once, when a model is loaded.
final class Fp8Products implements AutoCloseable {
  /// What products that cublasLt does not scale are put down in, piece by piece; small enough for a
  /// large GPU's cache, where it is read again at once.
  static final long RAW_BYTES = 32L << 20;

  /// Products kept, so that steps of equal size make none: those of a layer, for a few sizes.
  private static final int SHAPES = 32;

  /// Algorithms are chosen for powers of two from here on, and serve the numbers of rows below.
  private static final int SMALLEST_BUCKET = 16;

  private final CudaStream stream;
  private final CublasLt cublasLt;
  private final Fp8Kernels kernels;
  private final boolean sameResults;
  private final Owned owned = new Owned();
  private final DeviceBuffer values;
  private final DeviceBuffer scales;

  /// Null where cublasLt scales.
  private final DeviceBuffer raw;

  private final String way;
  private final LtMatmul[] shapes = new LtMatmul[SHAPES];
  private int nextShape;

  /// @param matrices all that will be multiplied with, at least one
  /// @param maxRows the most rows of a product
  /// @param rawBytes see [#RAW_BYTES]; one row is put down if it is more
  /// @param sameResults whether all products go to cublasLt, each matrix to one algorithm, so that
  ///   a row's result does not depend on how many there are
  /// @throws LlamaException if cublasLt has no FP8 products here
  Fp8Products(
      CudaContext context,
      CudaStream stream,
      CublasLt cublasLt,
      KernelModules modules,
      List<Fp8Matrix> matrices,
      int maxRows,
      long rawBytes,
      boolean sameResults) {
    this.stream = stream;
    this.cublasLt = cublasLt;
    this.sameResults = sameResults;
    kernels = new Fp8Kernels(modules);
    int widest = matrices.stream().mapToInt(Fp8Matrix::inFeatures).max().orElseThrow();
    int longest = matrices.stream().mapToInt(Fp8Matrix::outFeatures).max().orElseThrow();
    try {
      values = owned.own(DeviceBuffer.allocate(context, "e4m3 rows", (long) maxRows * widest));
      scales = owned.own(DeviceBuffer.allocate(context, "scales", (long) maxRows * Float.BYTES));
      Optional<String> refusal = refusal(matrices, maxRows, Scaling.PER_ROW);
      if (refusal.isEmpty()) {
        raw = null;
        way = "scaled per row by cublasLt";
      } else {
        Optional<String> second = refusal(matrices, maxRows, Scaling.NONE);
        if (second.isPresent()) {
          throw new LlamaException("compute fp8: %s; use compute auto".formatted(second.get()));
        }
        long bytes = Math.max(rawBytes, (long) longest * Float.BYTES);
        raw = owned.own(DeviceBuffer.allocate(context, "unscaled products", bytes));
        way = "scaled by a kernel of ours, because %s".formatted(refusal.get());
      }
    } catch (RuntimeException | Error e) {
      owned.close();
      throw e;
    }
  }

  /// Why cublasLt cannot do one of the products; empty if it can do all, and has chosen how.
  private Optional<String> refusal(List<Fp8Matrix> matrices, int maxRows, Scaling scaling) {
    for (Fp8Matrix matrix : matrices) {
      for (ElementType out : outputs(scaling)) {
        for (int rows = SMALLEST_BUCKET; rows <= bucket(maxRows); rows *= 2) {
          boolean scaled = scaling == Scaling.PER_ROW;
          Optional<String> refusal =
              cublasLt.refusal(
                  shape(matrix, rows, out, scaling),
                  scaled ? scales.address() : 0,
                  scaled ? matrix.scales() : 0);
          if (refusal.isPresent()) {
            return refusal;
          }
        }
      }
    }
    return Optional.empty();
  }

  private static List<ElementType> outputs(Scaling scaling) {
    return scaling == Scaling.PER_ROW
        ? List.of(ElementType.BF16, ElementType.F32)
        : List.of(ElementType.F32);
  }

  /// How products of many rows get their scales, for people.
  String way() {
    return way;
  }

  /// Bytes on the device.
  long numBytes() {
    return values.numBytes() + scales.numBytes() + (raw == null ? 0 : raw.numBytes());
  }

  /// `to = from * W^T`, stored as `store` says.
  ///
  /// @param from `[rows, inFeatures]` bfloat16
  /// @param to `[rows, outFeatures]`
  void run(Fp8Matrix matrix, long from, long to, int rows, Store store) {
    if (rows == 0) {
      return;
    }
    if (!sameResults && rows <= GemvKernels.MAX_ROWS) {
      kernels.multiply(stream, matrix, from, rows, to, store);
      return;
    }
    kernels.quantizeRows(
        stream, from, values.address(), scales.address(), rows, matrix.inFeatures());
    if (raw == null) {
      ElementType out = store == Store.ROUNDED ? ElementType.BF16 : ElementType.F32;
      cublasLt.scaledMatmul(
          shape(matrix, rows, out, Scaling.PER_ROW),
          rows,
          values.address(),
          scales.address(),
          matrix.values(),
          matrix.scales(),
          store == Store.ADDED ? 1 : 0,
          to,
          stream);
    } else {
      multiplyAndScale(matrix, to, rows, store);
    }
  }

  private void multiplyAndScale(Fp8Matrix matrix, long to, int rows, Store store) {
    int outputs = matrix.outFeatures();
    int atOnce = (int) Math.min(rows, raw.numBytes() / ((long) outputs * Float.BYTES));
    int outBytes = store == Store.ROUNDED ? Short.BYTES : Float.BYTES;
    for (int first = 0; first < rows; first += atOnce) {
      int count = Math.min(atOnce, rows - first);
      cublasLt.matmul(
          shape(matrix, count, ElementType.F32, Scaling.NONE),
          count,
          values.address() + (long) first * matrix.inFeatures(),
          matrix.values(),
          0,
          raw.address(),
          stream);
      kernels.scaleProduct(
          stream,
          raw.address(),
          scales.address() + (long) first * Float.BYTES,
          matrix.scales(),
          to + (long) first * outputs * outBytes,
          count,
          outputs,
          store);
    }
  }

  /// One of the last shapes, if it is the same.
  private LtMatmul shape(Fp8Matrix matrix, int rows, ElementType out, Scaling scaling) {
    int bucket = sameResults ? Products.TYPICAL_ROWS : bucket(rows);
    for (LtMatmul known : shapes) {
      if (known != null
          && known.gemm().m() == bucket
          && known.gemm().n() == matrix.outFeatures()
          && known.gemm().k() == matrix.inFeatures()
          && known.gemm().outputType() == out
          && known.scaling() == scaling) {
        return known;
      }
    }
    LtMatmul shape =
        LtMatmul.ofAnyRows(
            Gemm.linear(
                bucket, matrix.outFeatures(), matrix.inFeatures(), ElementType.FP8_E4M3, out),
            scaling,
            sameResults ? Rows.ANY_WITH_SAME_RESULTS : Rows.ANY,
            LtMatmul.ALIGNMENT);
    shapes[nextShape] = shape;
    nextShape = (nextShape + 1) % SHAPES;
    return shape;
  }

  private static int bucket(int rows) {
    return Math.max(SMALLEST_BUCKET, Integer.highestOneBit(2 * rows - 1));
  }

  @Override
  public void close() {
    owned.close();
  }
}
