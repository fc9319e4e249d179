package io.cusco.llama.cuda;

import io.cusco.llama.config.LlamaConfig;
import io.cusco.llama.cuda.driver.CudaContext;
import io.cusco.llama.cuda.driver.DeviceBuffer;
import io.cusco.llama.model.StepLimits;
import java.util.ArrayList;
import java.util.List;

/// Device buffers of the largest step, made at load; rows are tokens. `T` is the activation type.
///
/// The residual stream is float32 whatever T is: what each layer adds to it is small against what
/// is there, and would be lost in the last bits of a bfloat16.
final class CudaActivations implements AutoCloseable {
  private final CudaContext context;
  private final List<DeviceBuffer> buffers = new ArrayList<>();

  /// Residual stream, `[maxTokens, hiddenSize]` float32.
  final DeviceBuffer hidden;

  /// `[maxTokens, hiddenSize]` T.
  final DeviceBuffer normed;

  /// Queries, keys and values of a token one after the other, `[maxTokens, queryWidth + 2 *
  /// keyValueWidth]` T.
  final DeviceBuffer qkv;

  final DeviceBuffer queries;

  /// `[maxTokens, queryWidth]` T.
  final DeviceBuffer attended;

  /// Gates before ups, `[maxTokens, 2 * intermediateSize]` T.
  final DeviceBuffer gateUp;

  /// `silu(gate) * up`, `[maxTokens, intermediateSize]` T.
  final DeviceBuffer activated;

  /// Rows of the residual stream whose logits or hidden states are wanted, `[maxRows, hiddenSize]`
  /// float32.
  final DeviceBuffer lastHidden;

  /// `[maxRows, hiddenSize]` T.
  final DeviceBuffer lastNormed;

  /// `[maxLogits, numOutputs]` float32; one number a row where the network has no head.
  final DeviceBuffer logits;

  CudaActivations(CudaContext context, LlamaConfig config, StepLimits limits, ActivationType type) {
    this.context = context;
    int tokens = maxRows(limits);
    int qkvWidth = config.queryWidth() + 2 * config.keyValueWidth();
    try {
      hidden = rows("residual stream", tokens, config.hiddenSize(), Float.BYTES);
      normed = rows("normed activations", tokens, config.hiddenSize(), type.numBytes());
      qkv = rows("queries, keys and values", tokens, qkvWidth, Float.BYTES);
      queries = rows("turned queries", tokens, config.queryWidth(), type.numBytes());
      attended = rows("attention output", tokens, config.queryWidth(), type.numBytes());
      gateUp = rows("gates and ups", tokens, 2 * config.intermediateSize(), type.numBytes());
      activated = rows("activated gates", tokens, config.intermediateSize(), type.numBytes());
      lastHidden = rows("last rows", limits.maxRows(), config.hiddenSize(), Float.BYTES);
      lastNormed = rows("normed last rows", limits.maxRows(), config.hiddenSize(), type.numBytes());
      logits = rows("logits", limits.maxLogits(), Math.max(1, config.numOutputs()), Float.BYTES);
    } catch (RuntimeException | Error e) {
      close();
      throw e;
    }
  }

  /// The most rows of a step: a decode step is padded with sequences.
  static int maxRows(StepLimits limits) {
    return Math.max(limits.maxTokens(), limits.maxSequences());
  }

  private DeviceBuffer rows(String name, int rows, int width, int elementBytes) {
    DeviceBuffer buffer =
        DeviceBuffer.allocate(context, name, Math.multiplyExact((long) rows * width, elementBytes));
    buffers.add(buffer);
    return buffer;
  }

  long numBytes() {
    return buffers.stream().mapToLong(DeviceBuffer::numBytes).sum();
  }

  @Override
  public void close() {
    buffers.forEach(DeviceBuffer::close);
  }
}
