package io.cusco.llama.cuda;

import static io.cusco.llama.cuda.driver.ParameterType.INT;
import static io.cusco.llama.cuda.driver.ParameterType.POINTER;

import io.cusco.llama.checkpoint.DType;
import io.cusco.llama.cuda.GemvKernels.Matrix;
import io.cusco.llama.cuda.KernelModules.Family;
import io.cusco.llama.cuda.driver.CudaStream;
import java.util.EnumMap;
import java.util.EnumSet;
import java.util.Locale;
import java.util.Map;
import java.util.Set;

/// Widens GGUF's blocks on the device, bit for bit as [io.cusco.llama.checkpoint.BlockFormats]
/// does, shorter types rounded to the nearest. A value beyond 65,504 becomes infinite as float16;
/// no weight of a working model is. Used on the context's thread.
final class DequantizeKernels {
  /// The formats there are kernels for.
  static final Set<DType> FORMATS = EnumSet.of(DType.Q8_0, DType.Q4_0, DType.Q4_K, DType.Q6_K);

  /// So many rows of any width take a multiple of 16 bytes in every format.
  static final int ROW_ALIGNMENT = 8;

  private static final int THREADS = 256;

  /// Values that one block widens; `TILE_VALUES` in dequantize.cu.
  private static final int TILE = THREADS * 8;

  private final ActivationType target;
  private final Map<DType, KernelLaunch> kernels = new EnumMap<>(DType.class);

  /// @param modules must outlive these kernels
  /// @param target what to widen to
  DequantizeKernels(KernelModules modules, ActivationType target) {
    this.target = target;
    for (DType format : FORMATS) {
      String name =
          "dequantize_%s_%s".formatted(format.name().toLowerCase(Locale.ROOT), target.suffix());
      kernels.put(
          format, modules.kernel(Family.DEQUANTIZE, name, POINTER, POINTER, INT).block(THREADS, 1));
    }
  }

  /// Queues the widening of rows of a matrix in blocks.
  ///
  /// @param firstRow a multiple of [#ROW_ALIGNMENT]
  /// @param out device address, a multiple of 16, of `[numRows, inFeatures]` of the target type
  void widen(CudaStream stream, Matrix matrix, int firstRow, int numRows, long out) {
    long rowBytes = matrix.format().numBytes(matrix.inFeatures());
    // Values are counted in ints by the kernels.
    int rowsAtOnce =
        Math.max(ROW_ALIGNMENT, (1 << 30) / matrix.inFeatures() / ROW_ALIGNMENT * ROW_ALIGNMENT);
    for (int row = 0; row < numRows; row += rowsAtOnce) {
      long values = (long) Math.min(rowsAtOnce, numRows - row) * matrix.inFeatures();
      dequantize(
          stream,
          matrix.format(),
          matrix.address() + (firstRow + row) * rowBytes,
          out + (long) row * matrix.inFeatures() * target.numBytes(),
          values);
    }
  }

  /// Queues the widening of `numValues` values.
  ///
  /// @param format one of [#FORMATS]
  /// @param blocks device address of the first block, a multiple of 16
  /// @param out device address, a multiple of 16, of `numValues` values of the target type
  /// @throws IllegalArgumentException for another format, or a number of values that is no whole
  ///   number of blocks
  void dequantize(CudaStream stream, DType format, long blocks, long out, long numValues) {
    KernelLaunch kernel = kernels.get(format);
    if (kernel == null) {
      throw new IllegalArgumentException(
          "no kernel widens %s to %s; there are %s".formatted(format, target, FORMATS));
    }
    format.numBytes(numValues); // refuses counts that are no whole number of blocks
    kernel.rows(0, blocks).rows(1, out).set(2, Math.toIntExact(numValues / format.blockSize()));
    kernel.launch(stream, Math.toIntExact(Math.ceilDiv(numValues, TILE)));
  }
}
