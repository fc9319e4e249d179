package io.cusco.llama.cuda;

import io.cusco.llama.LlamaException;
import io.cusco.llama.cuda.CudaWeights.Linear;
import io.cusco.llama.cuda.GemvKernels.Matrix;
import io.cusco.llama.cuda.GemvKernels.Store;
import io.cusco.llama.cuda.driver.Cublas;
import io.cusco.llama.cuda.driver.CublasLt;
import io.cusco.llama.cuda.driver.CudaContext;
import io.cusco.llama.cuda.driver.CudaStream;
import io.cusco.llama.cuda.driver.DeviceBuffer;
import io.cusco.llama.cuda.driver.ElementType;
import io.cusco.llama.cuda.driver.Gemm;
import io.cusco.llama.cuda.driver.LtMatmul;
import java.util.List;
import java.util.Optional;

/// The linear layers on one stream: few rows by kernels of ours, for which the time is that of
/// reading the matrix once, more by cuBLAS. Sums are float32. Operands are device addresses of
/// row-major arrays of the activation type T where nothing else is said.
///
/// Which way a product goes depends on the number of its rows alone; or on nothing, where a row's
/// result has to be the same in any company: then all go to cublasLt, each matrix to one algorithm.
/// Matrices of e4m3 go to [Fp8Products].
final class Products implements AutoCloseable {
  /// Passes over a matrix that is kept in blocks only, before widening it pays. In bytes moved,
  /// Q8_0 breaks even at 5 passes and Q4_0 at 8, but passes of eight rows are bound by arithmetic
  /// too; not measured.
  private static final int MAX_PASSES = 3;

  /// What a matrix in blocks is widened to at a time: rows enough for an efficient product, and few
  /// enough to be in a large GPU's cache still when it reads them.
  static final long WIDENED_BYTES = 32L << 20;

  /// Shapes kept, so that steps of equal size make none: a layer's and the head's.
  private static final int SHAPES = 8;

  /// Rows that the one algorithm of a matrix is chosen for, those of a step that decodes a large
  /// batch: it has to serve single rows and prompts too.
  static final int TYPICAL_ROWS = 128;

  private final CudaStream stream;
  private final Cublas cublas;
  private final GemvKernels gemv;
  private final DequantizeKernels dequantize;
  private final ActivationType type;
  private final DeviceBuffer widened;
  private final Optional<CublasLt> oneAlgorithm;
  private final Optional<Fp8Products> fp8;
  private final LtMatmul[] fixedShapes = new LtMatmul[SHAPES];
  private final Gemm[] shapes = new Gemm[SHAPES];
  private int nextShape;
  private int nextFixedShape;

  /// @param weights all that will be multiplied with
  /// @param widenedBytes see [#WIDENED_BYTES]; eight rows are widened if they are more
  /// @param oneAlgorithm for all products, if a row's result may not depend on how many there are
  /// @param fp8 for matrices of e4m3, if there are any; not closed here
  Products(
      CudaContext context,
      CudaStream stream,
      Cublas cublas,
      KernelModules modules,
      ActivationType type,
      List<Linear> weights,
      long widenedBytes,
      Optional<CublasLt> oneAlgorithm,
      Optional<Fp8Products> fp8) {
    this.oneAlgorithm = oneAlgorithm;
    this.fp8 = fp8;
    this.stream = stream;
    this.cublas = cublas;
    this.type = type;
    gemv = new GemvKernels(modules, type);
    dequantize = new DequantizeKernels(modules, type);
    oneAlgorithm.ifPresent(lt -> chooseAlgorithms(lt, weights));
    long bytes =
        weights.stream()
            .filter(linear -> linear.dense().isEmpty() && linear.fp8().isEmpty())
            .mapToLong(linear -> pieceBytes(linear, widenedBytes))
            .max()
            .orElse(0);
    widened = bytes == 0 ? null : DeviceBuffer.allocate(context, "widened weights", bytes);
  }

  /// Asks for the algorithms of whole matrices at once, so that a model that loads does not end in
  /// its first step.
  private void chooseAlgorithms(CublasLt lt, List<Linear> weights) {
    for (Linear linear : weights) {
      if (linear.dense().isPresent()) {
        int outputs = linear.dense().get().outFeatures();
        for (ElementType out : List.of(type.elementType(), ElementType.F32)) {
          Optional<String> refusal =
              lt.refusal(fixedShape(outputs, linear, out, LtMatmul.ALIGNMENT), 0, 0);
          if (refusal.isPresent()) {
            throw new LlamaException("deterministic: %s; load without it".formatted(refusal.get()));
          }
        }
      }
    }
  }

  private long pieceBytes(Linear linear, long wanted) {
    long rowBytes = (long) linear.inFeatures() * type.numBytes();
    return Math.max(wanted, DequantizeKernels.ROW_ALIGNMENT * rowBytes);
  }

  /// `to = from * W^T`.
  ///
  /// @param from `[rows, inFeatures]`
  /// @param to `[rows, outFeatures]`
  void project(Linear linear, long from, long to, int rows) {
    run(linear, from, to, rows, Store.ROUNDED);
  }

  /// `residual += from * W^T`.
  ///
  /// @param residual `[rows, outFeatures]` float32
  /// @param from `[rows, inFeatures]`
  void addTo(long residual, Linear linear, long from, int rows) {
    run(linear, from, residual, rows, Store.ADDED);
  }

  /// `to = from * W^T`, not rounded.
  ///
  /// @param from `[rows, inFeatures]`
  /// @param to `[rows, outFeatures]` float32
  void projectToFloat(Linear linear, long from, long to, int rows) {
    run(linear, from, to, rows, Store.FLOAT);
  }

  private void run(Linear linear, long from, long to, int rows, Store store) {
    if (linear.fp8().isPresent()) {
      fp8.orElseThrow().run(linear.fp8().get(), from, to, rows, store);
      return;
    }
    int passes = linear.dense().isPresent() ? 1 : MAX_PASSES;
    if (oneAlgorithm.isEmpty() && rows <= passes * GemvKernels.MAX_ROWS) {
      fewRows(linear, from, to, rows, store);
    } else if (linear.dense().isPresent()) {
      Matrix dense = linear.dense().get();
      manyRows(dense.address(), dense.outFeatures(), linear, from, to, rows, store);
    } else {
      widenAndMultiply(linear, from, to, rows, store);
    }
  }

  private void fewRows(Linear linear, long from, long to, int rows, Store store) {
    int inputs = linear.inFeatures();
    int outputs = linear.outFeatures();
    List<Matrix> blocks = linear.blocks();
    for (int row = 0; row < rows; row += GemvKernels.MAX_ROWS) {
      int count = Math.min(GemvKernels.MAX_ROWS, rows - row);
      long x = from + (long) row * inputs * type.numBytes();
      long out = to + (long) row * outputs * elementBytes(store);
      if (blocks.isEmpty()) {
        gemv.multiply(stream, linear.dense().orElseThrow(), x, count, out, outputs, store);
      }
      for (int i = 0; i < blocks.size(); i++) {
        Matrix part = blocks.get(i);
        gemv.multiply(stream, part, x, count, out, outputs, store);
        out += (long) part.outFeatures() * elementBytes(store);
      }
    }
  }

  private void widenAndMultiply(Linear linear, long from, long to, int rows, Store store) {
    long fitting = widened.numBytes() / ((long) linear.inFeatures() * type.numBytes());
    int atOnce = (int) Math.min(fitting, Integer.MAX_VALUE);
    atOnce -= atOnce % DequantizeKernels.ROW_ALIGNMENT;
    long out = to;
    for (int i = 0; i < linear.blocks().size(); i++) {
      Matrix part = linear.blocks().get(i);
      for (int first = 0; first < part.outFeatures(); first += atOnce) {
        int count = Math.min(atOnce, part.outFeatures() - first);
        dequantize.widen(stream, part, first, count, widened.address());
        manyRows(widened.address(), count, linear, from, out, rows, store);
        out += (long) count * elementBytes(store);
      }
    }
  }

  /// The product with `outFeatures` rows of a matrix, whose results lie in rows of the whole one's.
  private void manyRows(
      long weights, int outFeatures, Linear whole, long from, long to, int rows, Store store) {
    ElementType out = store == Store.ROUNDED ? type.elementType() : ElementType.F32;
    float kept = store == Store.ADDED ? 1 : 0;
    if (oneAlgorithm.isPresent()) {
      LtMatmul product = fixedShape(outFeatures, whole, out, alignment(to));
      oneAlgorithm.get().matmul(product, rows, from, weights, kept, to, stream);
      return;
    }
    Gemm gemm = gemm(rows, outFeatures, whole.inFeatures(), out, whole.outFeatures());
    cublas.gemm(gemm, 1, from, weights, kept, to);
  }

  /// One of the last shapes, if it is the same.
  private Gemm gemm(int rows, int outputs, int inputs, ElementType out, int outStride) {
    for (Gemm known : shapes) {
      if (known != null
          && known.m() == rows
          && known.n() == outputs
          && known.k() == inputs
          && known.outputType() == out
          && known.strideC() == outStride) {
        return known;
      }
    }
    ElementType in = type.elementType();
    Gemm gemm =
        new Gemm(false, true, rows, outputs, inputs, in, out, inputs, inputs, outStride, false);
    shapes[nextShape] = gemm;
    nextShape = (nextShape + 1) % SHAPES;
    return gemm;
  }

  /// One of the last products of any number of rows, if it is the same.
  private LtMatmul fixedShape(int outputs, Linear whole, ElementType out, int alignment) {
    for (LtMatmul known : fixedShapes) {
      if (known != null
          && known.gemm().n() == outputs
          && known.gemm().k() == whole.inFeatures()
          && known.gemm().outputType() == out
          && known.gemm().strideC() == whole.outFeatures()
          && known.alignment() == alignment) {
        return known;
      }
    }
    int inputs = whole.inFeatures();
    int stride = whole.outFeatures();
    ElementType in = type.elementType();
    LtMatmul product =
        LtMatmul.ofAnyRows(
            new Gemm(
                false, true, TYPICAL_ROWS, outputs, inputs, in, out, inputs, inputs, stride, false),
            LtMatmul.Scaling.NONE,
            LtMatmul.Rows.ANY_WITH_SAME_RESULTS,
            alignment);
    fixedShapes[nextFixedShape] = product;
    nextFixedShape = (nextFixedShape + 1) % SHAPES;
    return product;
  }

  /// Parts of a matrix start anywhere in the rows of the result.
  private static int alignment(long address) {
    return (int) Math.min(Long.lowestOneBit(address), LtMatmul.ALIGNMENT);
  }

  private int elementBytes(Store store) {
    return store == Store.ROUNDED ? type.numBytes() : Float.BYTES;
  }

  @Override
  public void close() {
    if (widened != null) {
      widened.close();
    }
  }
}
