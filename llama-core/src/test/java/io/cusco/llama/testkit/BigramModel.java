package io.cusco.llama.testkit;

import io.cusco.llama.checkpoint.DType;
import io.cusco.llama.checkpoint.LlamaWeights;
import io.cusco.llama.checkpoint.LlamaWeights.Layer;
import io.cusco.llama.checkpoint.LlamaWeights.Linear;
import io.cusco.llama.checkpoint.LlamaWeights.RotaryLayout;
import io.cusco.llama.checkpoint.TensorView;
import io.cusco.llama.config.LlamaConfig;
import io.cusco.llama.config.RopeScaling;
import io.cusco.llama.memory.NativeMemory;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/// A network that says what a test wants: which token follows depends on the last one alone. Hidden
/// states have an element for each token, layers add nothing to them, and the head looks up what
/// comes next.
public final class BigramModel implements AutoCloseable {
  private final Arena arena = Arena.ofShared();
  private final LlamaConfig config;
  private final LlamaWeights weights;

  /// @param next which token follows which; after others comes token 0
  public BigramModel(int vocabSize, Map<Integer, Integer> next) {
    config =
        new LlamaConfig(
            vocabSize, 8, 1, 2, 1, 8, vocabSize, 4096, 1e-5f, 1e4, new RopeScaling.None(), false);
    TensorView embedTokens = zeros("embed", vocabSize, vocabSize);
    TensorView head = zeros("head", vocabSize, vocabSize);
    for (int id = 0; id < vocabSize; id++) {
      set(embedTokens, id, id);
      set(head, next.getOrDefault(id, 0), id);
    }
    TensorView norm = zeros("norm", vocabSize);
    for (int i = 0; i < vocabSize; i++) {
      set(norm, 0, i);
    }
    Layer layer =
        new Layer(
            norm,
            linear(config.queryWidth(), vocabSize),
            linear(config.keyValueWidth(), vocabSize),
            linear(config.keyValueWidth(), vocabSize),
            linear(vocabSize, config.queryWidth()),
            norm,
            linear(config.intermediateSize(), vocabSize),
            linear(config.intermediateSize(), vocabSize),
            linear(vocabSize, config.intermediateSize()));
    weights =
        new LlamaWeights(
            embedTokens, List.of(layer), norm, Optional.of(head), RotaryLayout.ROTATE_HALF);
  }

  public LlamaConfig config() {
    return config;
  }

  public LlamaWeights weights() {
    return weights;
  }

  private Linear linear(int rows, int columns) {
    return new Linear(zeros("linear", rows, columns), Optional.empty());
  }

  private TensorView zeros(String name, long... shape) {
    long size = 1;
    for (long dimension : shape) {
      size *= dimension;
    }
    MemorySegment values = NativeMemory.allocateZeroed(size * Float.BYTES, arena);
    return new TensorView(name, DType.F32, shape, values);
  }

  private static void set(TensorView tensor, int row, int column) {
    tensor.segment().setAtIndex(ValueLayout.JAVA_FLOAT, (long) row * tensor.columns() + column, 1f);
  }

  @Override
  public void close() {
    arena.close();
  }
}
