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
import java.util.stream.IntStream;

/// Brings tensors from the mapped file to the device through a ring of pinned memory: while one
/// piece is on its way, the next is read from the file. Pieces are whole rows, and rows are
/// independent, so that all cores read and convert.
///
/// Types that the device can widen travel as they are; others are converted on the way.
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
  private DeviceBuffer blocks;

  /// @param dequantize kernels that widen to `type`
  /// @param weights all that will come
  WeightUploader(
      CudaContext context,
      CudaStream stream,
      ActivationType type,
      DequantizeKernels dequantize,
      LlamaWeights weights,
      LoadProgress progress) {
    pieceBytes = Math.min(CudaWeights.largestTensorBytes(weights, type), MAX_PIECE_BYTES);
    totalBytes = CudaWeights.fileBytes(weights);
    this.progress = progress;
    this.context = context;
    this.stream = stream;
    this.type = type;
    this.dequantize = dequantize;
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
    long numBytes = tensor.segment().byteSize();
    if (blocks == null || blocks.numBytes() < numBytes) {
      if (blocks != null) {
        stream.synchronize();
        blocks.close();
      }
      blocks = DeviceBuffer.allocate(context, "blocks of " + tensor.name(), numBytes);
    }
    uploadAsIs(tensor, blocks, 0);
    widen(
        new Matrix(tensor.dtype(), blocks.address(), tensor.rows(), tensor.columns()),
        target.address(offset, tensor.numElements() * type.numBytes()));
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
  }
}
