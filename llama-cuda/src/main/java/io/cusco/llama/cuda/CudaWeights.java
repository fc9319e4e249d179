package io.cusco.llama.cuda;

import io.cusco.llama.checkpoint.BlockFormats;
import io.cusco.llama.checkpoint.DType;
import io.cusco.llama.checkpoint.LlamaWeights;
import io.cusco.llama.checkpoint.TensorView;
import io.cusco.llama.cuda.Fp8Kernels.Fp8Matrix;
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

/// The checkpoint's tensors on the device. Matrices are row-major, of the activation type, in
/// blocks of the file's formats, or both; those that meet the same input are one matrix, so that
/// one product does for all of them. Norms and biases are float32.
///
/// Where FP8 is asked for, the layers' matrices are e4m3 instead, all but those whose sizes
/// products of e4m3 do not take; embeddings and head are as without.
///
/// Blocks are for products of few rows, which take the time of reading the matrix. Many rows need
/// it widened: it is kept so beside the blocks if all of that takes at most half of the memory that
/// they leave. Otherwise [Products] widens it piece by piece each time, and the KV cache has the
/// room.
final class CudaWeights implements AutoCloseable {

  /// A projection: dense, in blocks, or both; or of e4m3 alone.
  ///
  /// @param dense of the activation type
  /// @param blocks in the file's formats, each the rows after the last one's; may be empty
  /// @param bias device address of `[outFeatures]` float32, or 0
  record Linear(
      int outFeatures,
      int inFeatures,
      Optional<Matrix> dense,
      List<Matrix> blocks,
      Optional<Fp8Matrix> fp8,
      long bias) {}

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
  private final boolean keepsWidened;
  private final boolean fp8;
  private final List<DeviceBuffer> buffers = new ArrayList<>();
  private final List<Layer> layers = new ArrayList<>();
  private final long embedTokens;
  private final long norm;
  private final Optional<Linear> head;

  /// Queues the copy of all tensors; they have arrived when the uploader is closed.
  ///
  /// @param keepsWidened whether matrices that the file has in blocks are also kept widened
  /// @param fp8 whether the layers' matrices become e4m3; the uploader can then quantise
  CudaWeights(
      CudaContext context,
      LlamaWeights weights,
      ActivationType type,
      WeightUploader uploader,
      boolean keepsWidened,
      boolean fp8) {
    this.context = context;
    this.type = type;
    this.uploader = uploader;
    this.keepsWidened = keepsWidened;
    this.fp8 = fp8;
    try {
      // Rows of the embedding are gathered one by one, which takes a dense matrix.
      boolean tied = weights.isTied();
      head = weights.head().map(matrix -> linear(List.of(matrix), 0, tied || keepsWidened));
      embedTokens =
          tied
              ? head.flatMap(Linear::dense).orElseThrow().address()
              : dense(List.of(weights.embedTokens()), List.of()).address();
      for (LlamaWeights.Layer layer : weights.layers()) {
        layers.add(layer(layer));
      }
      norm = norm(weights.norm());
    } catch (RuntimeException | Error e) {
      close();
      throw e;
    }
  }

  /// What the largest tensor takes, in the file or on the device.
  static long largestTensorBytes(LlamaWeights weights, ActivationType type) {
    return matrices(weights)
        .mapToLong(
            tensor -> Math.max(tensor.segment().byteSize(), tensor.numElements() * type.numBytes()))
        .max()
        .orElseThrow();
  }

  /// Bytes of the file that are copied.
  static long fileBytes(LlamaWeights weights) {
    return matrices(weights).mapToLong(tensor -> tensor.segment().byteSize()).sum();
  }

  /// Whether there is room to keep matrices in blocks also widened.
  ///
  /// @param freeBytes of device memory, before anything is loaded
  static boolean hasRoomToWiden(LlamaWeights weights, ActivationType type, long freeBytes) {
    long widened =
        matrices(weights)
            .filter(tensor -> isInBlocks(List.of(tensor)))
            .mapToLong(tensor -> tensor.numElements() * type.numBytes())
            .sum();
    return widened <= (freeBytes - fileBytes(weights)) / 2;
  }

  private static Stream<TensorView> matrices(LlamaWeights weights) {
    Stream<TensorView> ends =
        weights.isTied()
            ? Stream.of(weights.embedTokens())
            : Stream.concat(Stream.of(weights.embedTokens()), weights.head().stream());
    return Stream.concat(ends, weights.layers().stream().flatMap(ActivationType::matrices));
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
    long bias = biased ? vector(biases, weights) : 0;
    int columns = weights.getFirst().columns();
    if (fp8 && Fp8Matrix.fits(rows(weights), columns)) {
      Optional<Fp8Matrix> quantised = Optional.of(quantised(weights));
      return new Linear(rows(weights), columns, Optional.empty(), List.of(), quantised, bias);
    }
    return linear(weights, bias, keepsWidened);
  }

  private Fp8Matrix quantised(List<TensorView> parts) {
    int columns = parts.getFirst().columns();
    String name = parts.getFirst().name();
    DeviceBuffer values = allocate("e4m3 of " + name, (long) rows(parts) * columns);
    DeviceBuffer scales = allocate("scales of " + name, (long) rows(parts) * Float.BYTES);
    int row = 0;
    for (TensorView part : parts) {
      uploader.quantise(part, values, scales, row);
      row += part.rows();
    }
    return new Fp8Matrix(values.address(), scales.address(), rows(parts), columns);
  }

  private Linear linear(List<TensorView> parts, long bias, boolean widened) {
    List<Matrix> blocks = isInBlocks(parts) ? blocks(parts) : List.of();
    Optional<Matrix> dense =
        widened || blocks.isEmpty() ? Optional.of(dense(parts, blocks)) : Optional.empty();
    return new Linear(
        rows(parts), parts.getFirst().columns(), dense, blocks, Optional.empty(), bias);
  }

  private static boolean isInBlocks(List<TensorView> parts) {
    return parts.stream().allMatch(part -> DequantizeKernels.FORMATS.contains(part.dtype()));
  }

  private static int rows(List<TensorView> parts) {
    return parts.stream().mapToInt(TensorView::rows).sum();
  }

  /// Neighbours of one format become one matrix.
  private List<Matrix> blocks(List<TensorView> parts) {
    List<Matrix> blocks = new ArrayList<>();
    int first = 0;
    while (first < parts.size()) {
      DType format = parts.get(first).dtype();
      int end = first;
      while (end < parts.size() && parts.get(end).dtype() == format) {
        end++;
      }
      blocks.add(blocksOfOneFormat(parts.subList(first, end)));
      first = end;
    }
    return List.copyOf(blocks);
  }

  private Matrix blocksOfOneFormat(List<TensorView> parts) {
    TensorView first = parts.getFirst();
    DeviceBuffer buffer = allocate("blocks of " + first.name(), rows(parts) * first.rowBytes());
    long at = 0;
    for (TensorView part : parts) {
      uploader.uploadAsIs(part, buffer, at);
      at += part.segment().byteSize();
    }
    return new Matrix(first.dtype(), buffer.address(), rows(parts), first.columns());
  }

  /// @param blocks the same matrix, if it is on the device already
  private Matrix dense(List<TensorView> parts, List<Matrix> blocks) {
    int columns = parts.getFirst().columns();
    long rowBytes = (long) columns * type.numBytes();
    DeviceBuffer buffer = allocate(parts.getFirst().name(), rows(parts) * rowBytes);
    long at = 0;
    if (blocks.isEmpty()) {
      for (TensorView part : parts) {
        uploader.upload(part, buffer, at);
        at += part.rows() * rowBytes;
      }
    }
    for (Matrix part : blocks) {
      uploader.widen(part, buffer.address(at, part.outFeatures() * rowBytes));
      at += part.outFeatures() * rowBytes;
    }
    return new Matrix(type.dtype(), buffer.address(), rows(parts), columns);
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
    return embedTokens;
  }

  List<Layer> layers() {
    return layers;
  }

  long norm() {
    return norm;
  }

  /// Empty where the network has none.
  Optional<Linear> head() {
    return head;
  }

  /// All projections.
  List<Linear> linears() {
    List<Linear> linears = new ArrayList<>();
    for (Layer layer : layers) {
      linears.addAll(List.of(layer.qkv(), layer.oProj(), layer.gateUp(), layer.down()));
    }
    head.ifPresent(linears::add);
    return linears;
  }

  /// All matrices of e4m3.
  List<Fp8Matrix> fp8Matrices() {
    return linears().stream().flatMap(linear -> linear.fp8().stream()).toList();
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
