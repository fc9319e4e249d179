package io.cusco.llama.cuda;

import io.cusco.llama.checkpoint.BlockFormats;
import io.cusco.llama.checkpoint.LlamaWeights;
import io.cusco.llama.checkpoint.TensorView;
import io.cusco.llama.cuda.GemvKernels.Matrix;
import io.cusco.llama.cuda.driver.CudaContext;
import io.cusco.llama.cuda.driver.DeviceBuffer;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/// The checkpoint's tensors on the device. Matrices are of the activation type, row-major; those
/// that meet the same input are one matrix, so that one product does for all of them. Norms and
/// biases are float32.
final class CudaWeights implements AutoCloseable {

  /// A projection.
  ///
  /// @param bias device address of `[outFeatures]` float32, or 0
  record Linear(Matrix matrix, long bias) {}

  /// @param qkv queries, keys and values one after the other
  /// @param gateUp gates before ups
  record Layer(
      long inputNorm,
      Linear qkv,
      Linear oProj,
      long postAttentionNorm,
      Linear gateUp,
      Linear down) {}

  private final CudaContext context;
  private final ActivationType type;
  private final WeightUploader uploader;
  private final List<DeviceBuffer> buffers = new ArrayList<>();
  private final List<Layer> layers = new ArrayList<>();
  private final Matrix embedTokens;
  private final long norm;
  private final Linear lmHead;

  /// Queues the copy of all tensors; they have arrived when the uploader is closed.
  CudaWeights(
      CudaContext context, LlamaWeights weights, ActivationType type, WeightUploader uploader) {
    this.context = context;
    this.type = type;
    this.uploader = uploader;
    try {
      embedTokens = matrix(List.of(weights.embedTokens()));
      for (LlamaWeights.Layer layer : weights.layers()) {
        layers.add(layer(layer));
      }
      norm = vector(List.of(Optional.of(weights.norm())), List.of(weights.norm()));
      boolean tied = weights.lmHead().equals(weights.embedTokens());
      lmHead = new Linear(tied ? embedTokens : matrix(List.of(weights.lmHead())), 0);
    } catch (RuntimeException | Error e) {
      close();
      throw e;
    }
  }

  /// What the largest tensor takes, in the file or on the device.
  static long largestTensorBytes(LlamaWeights weights, ActivationType type) {
    return Stream.concat(
            Stream.of(weights.embedTokens(), weights.lmHead()),
            weights.layers().stream().flatMap(ActivationType::matrices))
        .mapToLong(
            tensor -> Math.max(tensor.segment().byteSize(), tensor.numElements() * type.numBytes()))
        .max()
        .orElseThrow();
  }

  private Layer layer(LlamaWeights.Layer layer) {
    return new Layer(
        norm(layer.inputNorm()),
        linear(layer.qProj(), layer.kProj(), layer.vProj()),
        linear(layer.oProj()),
        norm(layer.postAttentionNorm()),
        linear(layer.gateProj(), layer.upProj()),
        linear(layer.downProj()));
  }

  private long norm(TensorView weight) {
    return vector(List.of(Optional.of(weight)), List.of(weight));
  }

  private Linear linear(LlamaWeights.Linear... parts) {
    List<TensorView> weights = new ArrayList<>();
    List<Optional<TensorView>> biases = new ArrayList<>();
    boolean biased = false;
    for (LlamaWeights.Linear part : parts) {
      weights.add(part.weight());
      biases.add(part.bias());
      biased |= part.bias().isPresent();
    }
    return new Linear(matrix(weights), biased ? vector(biases, weights) : 0);
  }

  private Matrix matrix(List<TensorView> parts) {
    int rows = parts.stream().mapToInt(TensorView::rows).sum();
    int columns = parts.getFirst().columns();
    long rowBytes = (long) columns * type.numBytes();
    DeviceBuffer buffer = allocate(parts.getFirst().name(), rows * rowBytes);
    long at = 0;
    for (TensorView part : parts) {
      uploader.upload(part, buffer, at);
      at += part.rows() * rowBytes;
    }
    return new Matrix(type.dtype(), buffer.address(), rows, columns);
  }

  /// Vectors one after the other in float32, zeros for one that is not there.
  ///
  /// @param rowsOf as many rows as the vector has elements
  private long vector(List<Optional<TensorView>> parts, List<TensorView> rowsOf) {
    int size = 0;
    for (int i = 0; i < parts.size(); i++) {
      size += length(parts.get(i), rowsOf.get(i));
    }
    DeviceBuffer buffer = allocate(rowsOf.getFirst().name(), (long) size * Float.BYTES);
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment values = arena.allocate((long) size * Float.BYTES, Float.BYTES);
      int at = 0;
      for (int i = 0; i < parts.size(); i++) {
        int count = length(parts.get(i), rowsOf.get(i));
        if (parts.get(i).isPresent()) {
          TensorView part = parts.get(i).get();
          float[] floats = new float[count];
          BlockFormats.dequantize(part.dtype(), part.segment(), 0, floats, 0, count);
          MemorySegment.copy(
              floats, 0, values, ValueLayout.JAVA_FLOAT, (long) at * Float.BYTES, count);
        }
        at += count;
      }
      buffer.copyFrom(values, 0);
    }
    return buffer.address();
  }

  private static int length(Optional<TensorView> vector, TensorView rowsOf) {
    return vector.map(view -> Math.toIntExact(view.numElements())).orElse(rowsOf.rows());
  }

  private DeviceBuffer allocate(String name, long numBytes) {
    DeviceBuffer buffer = DeviceBuffer.allocate(context, name, numBytes);
    buffers.add(buffer);
    return buffer;
  }

  /// `[vocabSize, hiddenSize]`.
  long embedTokens() {
    return embedTokens.address();
  }

  List<Layer> layers() {
    return layers;
  }

  long norm() {
    return norm;
  }

  Linear lmHead() {
    return lmHead;
  }

  /// Bytes on the device.
  long numBytes() {
    return buffers.stream().mapToLong(DeviceBuffer::numBytes).sum();
  }

  @Override
  public void close() {
    buffers.forEach(DeviceBuffer::close);
  }
}
