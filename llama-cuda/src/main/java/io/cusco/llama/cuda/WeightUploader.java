package io.cusco.llama.cuda;

import io.cusco.llama.backend.LoadProgress;
import io.cusco.llama.checkpoint.BlockFormats;
import io.cusco.llama.checkpoint.BlockQuantizer;
import io.cusco.llama.checkpoint.LlamaWeights;
import io.cusco.llama.checkpoint.TensorView;
import io.cusco.llama.cuda.GemvKernels.Matrix;
import io.cusco.llama.cuda.driver.CudaContext;
import io.cusco.llama.cuda.driver.CudaEvent;
import io.cusco.llama.cuda.driver.CudaStream;
import io.cusco.llama.cuda.driver.DeviceBuffer;
import io.cusco.llama.cuda.driver.PinnedBuffer;
import java.lang.foreign.MemorySegment;
import java.util.Optional;
import java.util.stream.IntStream;

/// Brings tensors from the mapped file to the device through a ring of pinned memory: while one
/// piece is on its way, the next is read from the file. Pieces are whole rows, and rows are
/// independent, so that all cores read and convert.
///
/// Types that the device can widen travel as they are; others are converted on the way. What
/// becomes e4m3 does so on the device.
final class WeightUploader implements AutoCloseable {
  private static final int RING = 4;

  /// Long enough for the bus to reach its speed, short enough to pin.
  private static final long MAX_PIECE_BYTES = 16 << 20;

  private final CudaContext context;
  private final CudaStream stream;
  private final DequantizeKernels dequantize;
  private final ActivationType type;
  private final PinnedBuffer[] ring = new PinnedBuffer[RING];
  private final CudaEvent[] copied = new CudaEvent[RING];
  private int next;
  private final long pieceBytes;
  private final LoadProgress progress;
  private final long totalBytes;
  private long loadedBytes;
  private final Optional<Fp8Kernels> fp8;
  private DeviceBuffer blocks;
  private DeviceBuffer unquantised;

  /// @param type bfloat16 if tensors are quantised
  /// @param dequantize kernels that widen to `type`
  /// @param fp8 kernels that quantise, if that is wanted
  /// @param weights all that will come
  WeightUploader(
      CudaContext context,
      CudaStream stream,
      ActivationType type,
      DequantizeKernels dequantize,
      Optional<Fp8Kernels> fp8,
      LlamaWeights weights,
      LoadProgress progress) {
    pieceBytes = Math.min(CudaWeights.largestTensorBytes(weights, type), MAX_PIECE_BYTES);
    totalBytes = CudaWeights.fileBytes(weights);
    this.progress = progress;
    this.context = context;
    this.stream = stream;
    this.type = type;
    this.dequantize = dequantize;
    this.fp8 = fp8;
    try {
      for (int i = 0; i < RING; i++) {
        ring[i] = PinnedBuffer.allocate(context, pieceBytes);
        copied[i] = CudaEvent.create(context);
      }
    } catch (RuntimeException | Error e) {
      close();
      throw e;
    }
  }

  /// Queues the copy of a whole tensor, as values of the activation type, to `offset` of `target`.
  void upload(TensorView tensor, DeviceBuffer target, long offset) {
    if (DequantizeKernels.FORMATS.contains(tensor.dtype())) {
      uploadBlocks(tensor, target, offset);
    } else if (tensor.dtype() == type.dtype()) {
      uploadAsIs(tensor, target, offset);
    } else {
      long rowBytes = (long) tensor.columns() * type.numBytes();
      copyRows(tensor, target, offset, rowBytes, this::convertRow);
    }
  }

  private void uploadBlocks(TensorView tensor, DeviceBuffer target, long offset) {
    blocks = atLeast(blocks, tensor.segment().byteSize(), "blocks of " + tensor.name());
    uploadAsIs(tensor, blocks, 0);
    widen(
        new Matrix(tensor.dtype(), blocks.address(), tensor.rows(), tensor.columns()),
        target.address(offset, tensor.numElements() * type.numBytes()));
  }

  /// Scratch memory that is used again once the stream has passed.
  private DeviceBuffer atLeast(DeviceBuffer before, long numBytes, String name) {
    if (before != null && before.numBytes() >= numBytes) {
      return before;
    }
    if (before != null) {
      stream.synchronize();
      before.close();
    }
    return DeviceBuffer.allocate(context, name, numBytes);
  }

  /// Queues the copy of a whole tensor as rows of e4m3 with a scale each, rounded to bfloat16
  /// before that.
  ///
  /// @param values `[.., columns]` e4m3, to be filled from `firstRow` on
  /// @param scales `[..]` float32, as many as `values` has rows
  void quantise(TensorView tensor, DeviceBuffer values, DeviceBuffer scales, int firstRow) {
    long count = tensor.numElements();
    unquantised = atLeast(unquantised, count * type.numBytes(), tensor.name());
    upload(tensor, unquantised, 0);
    fp8.orElseThrow()
        .quantizeRows(
            stream,
            unquantised.address(),
            values.address((long) firstRow * tensor.columns(), count),
            scales.address((long) firstRow * Float.BYTES, (long) tensor.rows() * Float.BYTES),
            tensor.rows(),
            tensor.columns());
  }

  /// Queues the copy of a tensor's bytes to `offset` of `target`.
  void uploadAsIs(TensorView tensor, DeviceBuffer target, long offset) {
    copyRows(tensor, target, offset, tensor.rowBytes(), this::copyRow);
  }

  /// Queues the widening of a matrix that is on the device to the activation type.
  ///
  /// @param out device address of `[outFeatures, inFeatures]`
  void widen(Matrix matrix, long out) {
    dequantize.widen(stream, matrix, 0, matrix.outFeatures(), out);
  }

  private interface RowCopy {
    void copy(TensorView tensor, int row, MemorySegment piece, long at);
  }

  private void copyRows(
      TensorView tensor, DeviceBuffer target, long offset, long rowBytes, RowCopy copy) {
    int perPiece = Math.toIntExact(Math.max(1, pieceBytes / rowBytes));
    if (rowBytes > pieceBytes) {
      throw new IllegalArgumentException(
          "tensor %s: a row of %d bytes is longer than the %d that are moved at once"
              .formatted(tensor.name(), rowBytes, pieceBytes));
    }
    for (int first = 0; first < tensor.rows(); first += perPiece) {
      int start = first;
      int rows = Math.min(perPiece, tensor.rows() - first);
      copied[next].synchronize();
      MemorySegment piece = ring[next].segment();
      IntStream.range(0, rows)
          .parallel()
          .forEach(i -> copy.copy(tensor, start + i, piece, i * rowBytes));
      target.copyFrom(piece, rows * rowBytes, offset + start * rowBytes, stream);
      stream.record(copied[next]);
      next = (next + 1) % RING;
      loadedBytes += rows * tensor.rowBytes();
      progress.loaded(loadedBytes, totalBytes);
    }
  }

  private void copyRow(TensorView tensor, int row, MemorySegment piece, long at) {
    MemorySegment.copy(tensor.segment(), row * tensor.rowBytes(), piece, at, tensor.rowBytes());
  }

  private void convertRow(TensorView tensor, int row, MemorySegment piece, long at) {
    float[] values = new float[tensor.columns()];
    BlockFormats.dequantizeRow(tensor, row, values);
    BlockQuantizer.quantize(type.dtype(), values, 0, values.length, piece, at);
  }

  @Override
  public void close() {
    stream.synchronize();
    for (int i = 0; i < RING; i++) {
      if (copied[i] != null) {
        copied[i].close();
      }
      if (ring[i] != null) {
        ring[i].close();
      }
    }
    if (blocks != null) {
      blocks.close();
    }
    if (unquantised != null) {
      unquantised.close();
    }
  }
}
