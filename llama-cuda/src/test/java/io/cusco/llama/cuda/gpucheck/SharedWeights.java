package io.cusco.llama.cuda.gpucheck;

import io.cusco.llama.checkpoint.DType;
import io.cusco.llama.checkpoint.LlamaWeights;
import io.cusco.llama.checkpoint.LlamaWeights.Layer;
import io.cusco.llama.checkpoint.LlamaWeights.Linear;
import io.cusco.llama.checkpoint.LlamaWeights.RotaryLayout;
import io.cusco.llama.checkpoint.TensorView;
import io.cusco.llama.config.LlamaConfig;
import io.cusco.llama.memory.NativeMemory;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Collections;
import java.util.Optional;
import java.util.SplittableRandom;
import java.util.stream.LongStream;

/// A network of a true shape whose matrices are all cut out of one piece of random bfloat16 memory:
/// on the host it takes no more than its largest matrix, on the device all of its size. For
/// benchmarks, to which it does not matter that layers are alike.
final class SharedWeights implements AutoCloseable {
  /// transformers' `initializer_range` for Llama: activations and logits stay of order one.
  private static final double STANDARD_DEVIATION = 0.02;

  /// Matrices that meet the same input begin this many values apart, so that they differ.
  private static final long STAGGER = 4099;

  private static final int ROLES = 8;
  private static final long CHUNK = 1 << 16;
  private static final long SEED = 20261121;

  private final Arena arena = Arena.ofShared();
  private final LlamaWeights weights;

  SharedWeights(LlamaConfig config) {
    int hidden = config.hiddenSize();
    int intermediate = config.intermediateSize();
    int query = config.queryWidth();
    int keyValue = config.keyValueWidth();
    long largest =
        (long) hidden
            * Math.max(config.vocabSize(), Math.max(intermediate, Math.max(query, keyValue)));
    MemorySegment values =
        NativeMemory.allocateZeroed((largest + ROLES * STAGGER) * Short.BYTES, arena);
    fillRandom(values);
    MemorySegment ones = NativeMemory.allocateZeroed((long) hidden * Float.BYTES, arena);
    for (long i = 0; i < hidden; i++) {
      ones.setAtIndex(ValueLayout.JAVA_FLOAT, i, 1);
    }
    TensorView norm = new TensorView("norm", DType.F32, new long[] {hidden}, ones);
    Layer layer =
        new Layer(
            norm,
            linear(values, "qProj", 0, query, hidden),
            linear(values, "kProj", 1, keyValue, hidden),
            linear(values, "vProj", 2, keyValue, hidden),
            linear(values, "oProj", 3, hidden, query),
            norm,
            linear(values, "gateProj", 4, intermediate, hidden),
            linear(values, "upProj", 5, intermediate, hidden),
            linear(values, "downProj", 6, hidden, intermediate));
    TensorView embedTokens = matrix(values, "embedTokens", 0, config.vocabSize(), hidden);
    TensorView lmHead =
        config.tieWordEmbeddings()
            ? embedTokens
            : matrix(values, "lmHead", 7, config.vocabSize(), hidden);
    weights =
        new LlamaWeights(
            embedTokens,
            Collections.nCopies(config.numLayers(), layer),
            norm,
            Optional.of(lmHead),
            RotaryLayout.ROTATE_HALF);
  }

  private static Linear linear(MemorySegment values, String name, int role, int rows, int columns) {
    return new Linear(matrix(values, name, role, rows, columns), Optional.empty());
  }

  private static TensorView matrix(
      MemorySegment values, String name, int role, int rows, int columns) {
    long[] shape = {rows, columns};
    long numBytes = (long) rows * columns * Short.BYTES;
    return new TensorView(
        name, DType.BF16, shape, values.asSlice(role * STAGGER * Short.BYTES, numBytes));
  }

  /// Uniform values of the wanted spread, on all cores.
  private static void fillRandom(MemorySegment values) {
    long count = values.byteSize() / Short.BYTES;
    double width = STANDARD_DEVIATION * Math.sqrt(3);
    LongStream.range(0, Math.ceilDiv(count, CHUNK))
        .parallel()
        .forEach(chunk -> {
          SplittableRandom random = new SplittableRandom(SEED + chunk);
          for (long i = chunk * CHUNK; i < Math.min(count, (chunk + 1) * CHUNK); i++) {
            float value = (float) random.nextDouble(-width, width);
            values.setAtIndex(
                ValueLayout.JAVA_SHORT, i, (short) (Float.floatToRawIntBits(value) >>> Short.SIZE));
          }
        });
  }

  LlamaWeights weights() {
    return weights;
  }

  @Override
  public void close() {
    arena.close();
  }
}
