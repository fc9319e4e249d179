package io.cusco.llama.cli;

import com.sun.management.OperatingSystemMXBean;
import io.cusco.llama.LlamaException;
import io.cusco.llama.checkpoint.DType;
import io.cusco.llama.checkpoint.LlamaWeights;
import io.cusco.llama.checkpoint.TensorView;
import io.cusco.llama.config.LlamaConfig;
import io.cusco.llama.memory.NativeMemory;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.management.ManagementFactory;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.LongStream;

/// A model of true shapes with random weights, made in memory, for measuring speed: speed depends
/// on shapes and types, not on values. All matrices have one type, the norms are f32, as in GGUF
/// files.
final class SyntheticModel implements AutoCloseable {
  private final Arena arena = Arena.ofShared();
  private final LlamaConfig config;
  private final LlamaWeights weights;

  private SyntheticModel(LlamaConfig config, DType dtype) {
    this.config = config;
    try {
      requireMemory(config, dtype);
      this.weights = new Maker(config, dtype, arena).weights();
    } catch (RuntimeException e) {
      arena.close();
      throw e;
    }
  }

  /// @throws LlamaException if the machine has not enough memory
  static SyntheticModel make(LlamaConfig config, DType dtype) {
    return new SyntheticModel(config, dtype);
  }

  LlamaConfig config() {
    return config;
  }

  LlamaWeights weights() {
    return weights;
  }

  @Override
  public void close() {
    if (arena.scope().isAlive()) {
      arena.close();
    }
  }

  /// Parameters in all matrices.
  static long numParameters(LlamaConfig config) {
    long hidden = config.hiddenSize();
    long layer =
        hidden * (2L * config.queryWidth() + 2L * config.keyValueWidth())
            + 3L * hidden * config.intermediateSize();
    long embeddings = hidden * config.vocabSize() * (config.tieWordEmbeddings() ? 1 : 2);
    return embeddings + config.numLayers() * layer;
  }

  private static void requireMemory(LlamaConfig config, DType dtype) {
    long needed = dtype.numBytes(numParameters(config));
    long total =
        ManagementFactory.getPlatformMXBean(OperatingSystemMXBean.class).getTotalMemorySize();
    // The system promises memory that it does not have, and ends the process when it is touched.
    if (needed > total) {
      throw new LlamaException(
          "the weights take %s, this machine has %s; take a smaller model or type"
              .formatted(Units.bytes(needed), Units.bytes(total)));
    }
  }

  /// Allocates and fills tensors by copying one block of random values over and over.
  private static final class Maker {
    private static final long FILL_CHUNK = 16 << 20;

    private final LlamaConfig config;
    private final DType dtype;
    private final Arena arena;
    private final MemorySegment pattern;

    Maker(LlamaConfig config, DType dtype, Arena arena) {
      this.config = config;
      this.dtype = dtype;
      this.arena = arena;
      this.pattern = new RandomBlocks(dtype, config.hiddenSize()).pattern();
    }

    LlamaWeights weights() {
      int hidden = config.hiddenSize();
      TensorView embedTokens = matrix("embed_tokens", config.vocabSize(), hidden);
      List<LlamaWeights.Layer> layers = new ArrayList<>();
      for (int i = 0; i < config.numLayers(); i++) {
        layers.add(
            new LlamaWeights.Layer(
                norm("input_norm"),
                linear("q_proj", config.queryWidth(), hidden),
                linear("k_proj", config.keyValueWidth(), hidden),
                linear("v_proj", config.keyValueWidth(), hidden),
                linear("o_proj", hidden, config.queryWidth()),
                norm("post_attention_norm"),
                linear("gate_proj", config.intermediateSize(), hidden),
                linear("up_proj", config.intermediateSize(), hidden),
                linear("down_proj", hidden, config.intermediateSize())));
      }
      TensorView lmHead =
          config.tieWordEmbeddings() ? embedTokens : matrix("lm_head", config.vocabSize(), hidden);
      return new LlamaWeights(
          embedTokens, layers, norm("norm"), lmHead, LlamaWeights.RotaryLayout.INTERLEAVED);
    }

    private LlamaWeights.Linear linear(String name, int rows, int columns) {
      return new LlamaWeights.Linear(matrix(name, rows, columns), Optional.empty());
    }

    private TensorView matrix(String name, int rows, int columns) {
      long numBytes = dtype.numBytes(Math.multiplyExact((long) rows, columns));
      MemorySegment segment = NativeMemory.allocateZeroed(numBytes, arena);
      long chunk = FILL_CHUNK / pattern.byteSize() * pattern.byteSize();
      LongStream.range(0, Math.ceilDiv(numBytes, chunk))
          .parallel()
          .forEach(i -> fill(segment, i * chunk, Math.min(numBytes, (i + 1) * chunk)));
      return new TensorView(name, dtype, new long[] {rows, columns}, segment);
    }

    private void fill(MemorySegment segment, long start, long end) {
      for (long offset = start; offset < end; offset += pattern.byteSize()) {
        long length = Math.min(pattern.byteSize(), end - offset);
        MemorySegment.copy(pattern, 0, segment, offset, length);
      }
    }

    private TensorView norm(String name) {
      int width = config.hiddenSize();
      MemorySegment segment = NativeMemory.allocateZeroed((long) width * Float.BYTES, arena);
      for (int i = 0; i < width; i++) {
        segment.setAtIndex(ValueLayout.JAVA_FLOAT, i, 1f);
      }
      return new TensorView(name, DType.F32, new long[] {width}, segment);
    }
  }
}
