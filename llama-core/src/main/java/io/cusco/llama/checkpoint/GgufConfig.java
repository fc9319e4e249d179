package io.cusco.llama.checkpoint;

import io.cusco.llama.config.LlamaConfig;
import io.cusco.llama.config.RopeScaling;
import java.util.Arrays;
import java.util.Optional;

/// Reads the `llama.*` keys of a GGUF header.
///
/// Source: GGUF specification, "LLM" keys, and llama.cpp's `llama_model::load_hparams` for what a
/// missing key means.
final class GgufConfig {
  private static final String ARCHITECTURE = "llama";
  private static final double DEFAULT_ROPE_THETA = 10000; // llama.cpp: rope_freq_base_train
  private static final String ROPE_FREQS = "rope_freqs.weight";

  private GgufConfig() {}

  /// @throws CheckpointException if a key is missing, has the wrong type or a value that is not
  ///   supported, or the vocabulary and the embedding disagree
  static LlamaConfig read(GgufFile header, TensorTable tensors) {
    String file = header.file();
    GgufMetadata metadata = header.metadata();
    checkArchitecture(file, metadata);
    int hiddenSize = metadata.requireInt("llama.embedding_length");
    int numHeads = uniform(file, metadata, "llama.attention.head_count");
    int headDim = headDim(file, metadata, hiddenSize, numHeads);
    try {
      return new LlamaConfig(
          hiddenSize,
          uniform(file, metadata, "llama.feed_forward_length"),
          metadata.requireInt("llama.block_count"),
          numHeads,
          metadata.contains("llama.attention.head_count_kv")
              ? uniform(file, metadata, "llama.attention.head_count_kv")
              : numHeads,
          headDim,
          vocabSize(file, metadata, tensors),
          metadata.requireInt("llama.context_length"),
          (float) metadata.requireFloat("llama.attention.layer_norm_rms_epsilon"),
          metadata.findFloat("llama.rope.freq_base").orElse(DEFAULT_ROPE_THETA),
          ropeScaling(file, metadata, tensors, headDim),
          tensors.find(TensorNames.GGUF.lmHead() + TensorNames.WEIGHT).isEmpty());
    } catch (IllegalArgumentException e) {
      throw new CheckpointException(file + ": " + e.getMessage(), e);
    }
  }

  private static void checkArchitecture(String file, GgufMetadata metadata) {
    String architecture = metadata.requireString("general.architecture");
    if (!architecture.equals(ARCHITECTURE)) {
      throw new CheckpointException(
          "%s: general.architecture is '%s'; only '%s' models can be run"
              .formatted(file, architecture, ARCHITECTURE));
    }
    int numExperts = metadata.findInt("llama.expert_count").orElse(0);
    if (numExperts > 0) {
      throw new CheckpointException(
          "%s: a mixture of %d experts (llama.expert_count); only dense models can be run"
              .formatted(file, numExperts));
    }
    int window = metadata.findInt("llama.attention.sliding_window").orElse(0);
    if (window > 0) {
      throw new CheckpointException(
          "%s: sliding-window attention (llama.attention.sliding_window %d) is not supported"
              .formatted(file, window));
    }
  }

  /// A number that may be stored once or once per layer; layers that differ are not supported.
  private static int uniform(String file, GgufMetadata metadata, String key) {
    if (!metadata.isArray(key)) {
      return metadata.requireInt(key);
    }
    int[] values = metadata.ints(key);
    if (values.length == 0 || Arrays.stream(values).anyMatch(value -> value != values[0])) {
      throw new CheckpointException(
          "%s: %s differs from layer to layer; only equal layers are supported"
              .formatted(file, key));
    }
    return values[0];
  }

  private static int headDim(String file, GgufMetadata metadata, int hiddenSize, int numHeads) {
    int headDim;
    if (metadata.contains("llama.attention.key_length")) {
      headDim = metadata.requireInt("llama.attention.key_length");
    } else {
      if (numHeads <= 0 || hiddenSize % numHeads != 0) {
        throw new CheckpointException(
            "%s: llama.embedding_length %d is not divisible by llama.attention.head_count %d"
                .formatted(file, hiddenSize, numHeads));
      }
      headDim = hiddenSize / numHeads;
    }
    requireHeadDim(file, metadata, "llama.attention.value_length", headDim);
    requireHeadDim(file, metadata, "llama.rope.dimension_count", headDim);
    return headDim;
  }

  private static void requireHeadDim(String file, GgufMetadata metadata, String key, int headDim) {
    int value = metadata.findInt(key).orElse(headDim);
    if (value != headDim) {
      throw new CheckpointException(
          "%s: %s is %d, expected %d, the head size that follows from embedding or key length"
              .formatted(file, key, value, headDim));
    }
  }

  private static int vocabSize(String file, GgufMetadata metadata, TensorTable tensors) {
    String name = TensorNames.GGUF.embedTokens() + TensorNames.WEIGHT;
    TensorView embedding =
        tensors
            .find(name)
            .orElseThrow(() ->
                new CheckpointException(
                    "%s: tensor %s is missing; the file holds only a vocabulary or is incomplete"
                        .formatted(file, name)));
    long rows = embedding.numElements() / embedding.columns();
    if (rows > Integer.MAX_VALUE) {
      throw new CheckpointException("%s: tensor %s has %d rows".formatted(file, name, rows));
    }
    if (metadata.contains(GgufCheckpoint.TOKENS)) {
      int numTokens = metadata.arrayLength(GgufCheckpoint.TOKENS);
      if (numTokens != rows) {
        throw new CheckpointException(
            "%s: %s lists %d tokens, but %s has %d rows; vocabulary and weights do not belong together"
                .formatted(file, GgufCheckpoint.TOKENS, numTokens, name, rows));
      }
    }
    return (int) rows;
  }

  private static RopeScaling ropeScaling(
      String file, GgufMetadata metadata, TensorTable tensors, int headDim) {
    RopeScaling declared = declaredScaling(file, metadata);
    Optional<TensorView> factors = tensors.find(ROPE_FREQS);
    if (factors.isEmpty()) {
      return declared;
    }
    if (!(declared instanceof RopeScaling.None)) {
      throw new CheckpointException(
          "%s: both %s and rope scaling %s; only one of them is supported"
              .formatted(file, ROPE_FREQS, declared));
    }
    TensorView tensor = tensors.require(file, ROPE_FREQS, headDim / 2);
    if (!tensor.dtype().isFloat()) {
      throw new CheckpointException(
          "%s: tensor %s is stored as %s, expected F32"
              .formatted(file, ROPE_FREQS, tensor.dtype()));
    }
    float[] values = new float[headDim / 2];
    BlockFormats.dequantizeRow(tensor, 0, values);
    return new RopeScaling.FrequencyFactors(values);
  }

  /// `llama.rope.scaling.*`, or `llama.rope.scale_linear` of older files.
  private static RopeScaling declaredScaling(String file, GgufMetadata metadata) {
    String type = metadata.findString("llama.rope.scaling.type").orElse("");
    double factor =
        metadata
            .findFloat("llama.rope.scaling.factor")
            .or(() -> metadata.findFloat("llama.rope.scale_linear"))
            .orElse(0.0);
    return switch (type) {
      case "none" -> new RopeScaling.None();
      // Zero and one both mean "not scaled"; a factor alone means linear.
      case "linear", "" ->
          factor == 0 || factor == 1 ? new RopeScaling.None() : new RopeScaling.Linear(factor);
      default ->
          throw new CheckpointException(
              "%s: rope scaling '%s' is not supported; none, linear and Llama 3's factors are"
                  .formatted(file, type));
    };
  }
}
