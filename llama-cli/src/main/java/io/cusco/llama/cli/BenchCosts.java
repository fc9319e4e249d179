package io.cusco.llama.cli;

import com.sun.management.OperatingSystemMXBean;
import io.cusco.llama.LlamaException;
import io.cusco.llama.backend.ComputeMode;
import io.cusco.llama.backend.KvType;
import io.cusco.llama.checkpoint.DType;
import io.cusco.llama.checkpoint.LlamaWeights;
import io.cusco.llama.checkpoint.LlamaWeights.Layer;
import io.cusco.llama.checkpoint.LlamaWeights.Linear;
import io.cusco.llama.checkpoint.TensorView;
import io.cusco.llama.config.LlamaConfig;
import java.lang.management.ManagementFactory;
import java.util.EnumMap;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Stream;

/// What a model's steps cost at least: every weight read once per step, every key and value once
/// per step and sequence.
final class BenchCosts {
  private final long layerBytes;
  private final long layerParameters;
  private final TensorView lmHead;
  private final long kvBytesPerToken;
  private final long attentionFlopsPerKey;

  /// @param compute exactly keys and values are kept as f32 unless `kvType` says something else,
  ///   otherwise they have 16 bits; as FP8 a parameter of the layers is a byte
  BenchCosts(LlamaConfig config, LlamaWeights weights, ComputeMode compute, KvType kvType) {
    layerParameters = matrices(weights).mapToLong(TensorView::numElements).sum();
    layerBytes =
        compute == ComputeMode.FP8
            ? layerParameters
            : matrices(weights).mapToLong(m -> m.segment().byteSize()).sum();
    lmHead =
        weights
            .head()
            .filter(_ -> config.generates())
            .orElseThrow(() ->
                new LlamaException(
                    "bench decodes text, and this model has %s; name one that generates"
                        .formatted(config.head())));
    kvBytesPerToken =
        2L
            * config.numLayers()
            * config.numKeyValueHeads()
            * rowBytes(config, compute == ComputeMode.F32, kvType);
    // A product with the key and one with the value, each a multiplication and an addition.
    attentionFlopsPerKey = 4L * config.numLayers() * config.queryWidth();
  }

  /// Bytes of one head's key or value; one in FP8 has a scale of two bytes beside it.
  private static long rowBytes(LlamaConfig config, boolean exact, KvType kvType) {
    return switch (kvType) {
      case AUTO -> config.headDim() * (long) (exact ? Float.BYTES : Short.BYTES);
      case FP8 -> config.headDim() + (long) Short.BYTES;
    };
  }

  private static Stream<TensorView> matrices(LlamaWeights weights) {
    return weights.layers().stream().flatMap(BenchCosts::matrices);
  }

  private static Stream<TensorView> matrices(Layer layer) {
    return Stream.of(
            layer.qProj(),
            layer.kProj(),
            layer.vProj(),
            layer.oProj(),
            layer.gateProj(),
            layer.upProj(),
            layer.downProj())
        .map(Linear::weight);
  }

  /// The system promises memory that it does not have, and ends the process when it is touched; so
  /// ask before weights of type `dtype` are made.
  ///
  /// @throws LlamaException if this machine has not enough
  static void requireMemory(LlamaConfig config, DType dtype) {
    long needed = numParameters(config) / dtype.blockSize() * dtype.blockBytes();
    long total =
        ManagementFactory.getPlatformMXBean(OperatingSystemMXBean.class).getTotalMemorySize();
    if (needed > total) {
      throw new LlamaException(
          "the weights take %s, this machine has %s; take a smaller model or type"
              .formatted(Units.bytes(needed), Units.bytes(total)));
    }
  }

  /// Parameters in all matrices.
  private static long numParameters(LlamaConfig config) {
    long hidden = config.hiddenSize();
    long layer =
        hidden * (2L * config.queryWidth() + 2L * config.keyValueWidth())
            + 3L * hidden * config.intermediateSize();
    long embeddings = hidden * config.vocabSize() * (config.tieWordEmbeddings() ? 1 : 2);
    return embeddings + config.numLayers() * layer;
  }

  /// The type that most bytes of the layers have: "q8_0"; "fp8" where they become that.
  static String mainType(LlamaWeights weights, ComputeMode compute) {
    if (compute == ComputeMode.FP8) {
      return "fp8";
    }
    Map<DType, Long> bytes = new EnumMap<>(DType.class);
    matrices(weights).forEach(m -> bytes.merge(m.dtype(), m.segment().byteSize(), Long::sum));
    return bytes.entrySet().stream()
        .max(Map.Entry.comparingByValue())
        .orElseThrow()
        .getKey()
        .name()
        .toLowerCase(Locale.ROOT);
  }

  double prefillBytes(BenchRun.Prefill prefill, int batch, int tokens) {
    return (double) prefill.steps() * layerBytes
        + (double) prefill.stepsWithLogits() * lmHead.segment().byteSize()
        + (double) batch * tokens * kvBytesPerToken;
  }

  double prefillFlops(int batch, int tokens) {
    double keys = tokens * (tokens + 1.0) / 2;
    return batch
        * (2.0 * tokens * layerParameters
            + 2.0 * lmHead.numElements()
            + keys * attentionFlopsPerKey);
  }

  double decodeBytes(int batch, int context, int steps) {
    return (double) steps * (layerBytes + lmHead.segment().byteSize())
        + batch * keysRead(context, steps) * kvBytesPerToken;
  }

  double decodeFlops(int batch, int context, int steps) {
    return batch
        * (2.0 * steps * (layerParameters + lmHead.numElements())
            + keysRead(context, steps) * attentionFlopsPerKey);
  }

  /// Step `i` sees `context + i + 1` keys.
  private static double keysRead(int context, int steps) {
    return steps * (context + (steps + 1) / 2.0);
  }
}
