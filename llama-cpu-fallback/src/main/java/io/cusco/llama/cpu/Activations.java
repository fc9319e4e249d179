package io.cusco.llama.cpu;

import io.cusco.llama.config.LlamaConfig;
import io.cusco.llama.memory.NativeMemory;
import io.cusco.llama.model.StepLimits;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/// The buffers between the stages of a step, float32, row-major, one row per token; sized when the
/// model is loaded.
final class Activations {
  /// The residual stream, `[maxTokens, hiddenSize]`.
  final MemorySegment hidden;

  /// A norm's output, `[maxTokens, hiddenSize]`.
  final MemorySegment normed;

  /// `[maxTokens, queryWidth]`.
  final MemorySegment queries;

  /// `[maxTokens, keyValueWidth]`.
  final MemorySegment keys;

  /// `[maxTokens, keyValueWidth]`.
  final MemorySegment values;

  /// `[maxTokens, queryWidth]`.
  final MemorySegment attended;

  /// `[maxTokens, intermediateSize]`.
  final MemorySegment gate;

  /// `[maxTokens, intermediateSize]`.
  final MemorySegment up;

  /// The rows whose logits or hidden states are wanted, `[maxRows, hiddenSize]`.
  final MemorySegment lastNormed;

  /// `[maxLogits, numOutputs]`.
  final MemorySegment logits;

  Activations(LlamaConfig config, StepLimits limits, Arena arena) {
    int tokens = limits.maxTokens();
    hidden = floats(tokens, config.hiddenSize(), arena);
    normed = floats(tokens, config.hiddenSize(), arena);
    queries = floats(tokens, config.queryWidth(), arena);
    keys = floats(tokens, config.keyValueWidth(), arena);
    values = floats(tokens, config.keyValueWidth(), arena);
    attended = floats(tokens, config.queryWidth(), arena);
    gate = floats(tokens, config.intermediateSize(), arena);
    up = floats(tokens, config.intermediateSize(), arena);
    lastNormed = floats(limits.maxRows(), config.hiddenSize(), arena);
    logits = floats(limits.maxLogits(), config.numOutputs(), arena);
  }

  private static MemorySegment floats(int rows, int columns, Arena arena) {
    return NativeMemory.allocateZeroed(
        Math.multiplyExact((long) rows * columns, Float.BYTES), arena);
  }
}
