package io.cusco.llama.testkit;

import io.cusco.llama.checkpoint.DType;
import io.cusco.llama.checkpoint.LlamaWeights;
import io.cusco.llama.checkpoint.LlamaWeights.Layer;
import io.cusco.llama.checkpoint.LlamaWeights.Linear;
import io.cusco.llama.checkpoint.LlamaWeights.RotaryLayout;
import io.cusco.llama.checkpoint.TensorView;
import io.cusco.llama.config.LlamaConfig;
import io.cusco.llama.config.OutputHead;
import io.cusco.llama.config.RopeScaling;
import io.cusco.llama.memory.NativeMemory;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Random;

/// A float32 network of random weights in the sizes a test asks for, with every bias there is.
public final class RandomModel implements AutoCloseable {
  private final Arena arena = Arena.ofShared();
  private final Random random;
  private final LlamaConfig config;
  private final LlamaWeights weights;

  public RandomModel(LlamaConfig config, RotaryLayout rotaryLayout, long seed) {
    this.config = config;
    random = new Random(seed);
    TensorView embedTokens = matrix("embed", config.vocabSize(), config.hiddenSize());
    List<Layer> layers = new ArrayList<>();
    for (int i = 0; i < config.numLayers(); i++) {
      layers.add(
          new Layer(
              norm("inputNorm"),
              linear("q", config.queryWidth(), config.hiddenSize()),
              linear("k", config.keyValueWidth(), config.hiddenSize()),
              linear("v", config.keyValueWidth(), config.hiddenSize()),
              linear("o", config.hiddenSize(), config.queryWidth()),
              norm("postAttentionNorm"),
              linear("gate", config.intermediateSize(), config.hiddenSize()),
              linear("up", config.intermediateSize(), config.hiddenSize()),
              linear("down", config.hiddenSize(), config.intermediateSize())));
    }
    Optional<TensorView> head =
        switch (config.head()) {
          case OutputHead.None _ -> Optional.empty();
          case OutputHead.Vocabulary _ when config.tieWordEmbeddings() -> Optional.of(embedTokens);
          case OutputHead.Vocabulary _, OutputHead.Scores _ ->
              Optional.of(matrix("head", config.numOutputs(), config.hiddenSize()));
        };
    weights = new LlamaWeights(embedTokens, layers, norm("norm"), head, rotaryLayout);
  }

  /// No size is a multiple of 8; three query heads share a key/value head of 18.
  public static LlamaConfig oddConfig() {
    return new LlamaConfig(
        54, 101, 3, 6, 2, 18, 263, 512, 1e-5f, 1e4, new RopeScaling.Linear(2), false);
  }

  public LlamaConfig config() {
    return config;
  }

  public LlamaWeights weights() {
    return weights;
  }

  @Override
  public void close() {
    arena.close();
  }

  private Linear linear(String name, int rows, int columns) {
    return new Linear(
        matrix(name, rows, columns), Optional.of(tensor(name + ".bias", 0, 0.1, rows)));
  }

  private TensorView matrix(String name, int rows, int columns) {
    return tensor(name, 0, 1 / Math.sqrt(columns), rows, columns);
  }

  private TensorView norm(String name) {
    return tensor(name, 1, 0.2, config.hiddenSize());
  }

  private TensorView tensor(String name, double mean, double std, long... shape) {
    long size = 1;
    for (long dimension : shape) {
      size *= dimension;
    }
    MemorySegment values = NativeMemory.allocateZeroed(size * Float.BYTES, arena);
    for (long i = 0; i < size; i++) {
      values.setAtIndex(ValueLayout.JAVA_FLOAT, i, (float) (mean + std * random.nextGaussian()));
    }
    return new TensorView(name, DType.F32, shape, values);
  }
}
