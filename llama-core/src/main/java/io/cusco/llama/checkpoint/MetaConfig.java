package io.cusco.llama.checkpoint;

import io.cusco.llama.config.LlamaConfig;
import io.cusco.llama.config.RopeScaling;

/// Reads Meta's `params.json`. It leaves out what Meta's code knows by itself; each such number has
/// its name and source here.
///
/// Source: Meta's llama-models repository, `models/llama3/args.py` and `model.py`.
final class MetaConfig {
  private static final double DEFAULT_ROPE_THETA = 10000; // llama, model.py: precompute_freqs_cis

  // No params.json states the context. transformers, convert_llama_weights_to_hf.py:
  // CONTEXT_LENGTH_FOR_VERSION, and 16384 where theta is raised in a version before 3.
  private static final int LLAMA_1_CONTEXT = 2048;
  private static final int LLAMA_2_CONTEXT = 4096;
  private static final int CODE_LLAMA_CONTEXT = 16384;
  private static final int LLAMA_3_CONTEXT = 8192;
  private static final int LLAMA_3_1_CONTEXT = 131072;

  // What tells the versions apart: llama.cpp's early convert.py goes by epsilon and theta too.
  private static final double LLAMA_1_EPS = 1e-6; // 65B alone has Llama 2's 1e-5
  private static final double CODE_LLAMA_THETA = 1e6;
  private static final double LLAMA_3_THETA = 5e5;

  // model.py, apply_scaling.
  private static final double SCALING_FACTOR = 8;
  private static final double LOW_FREQ_FACTOR = 1;
  private static final double HIGH_FREQ_FACTOR = 4;
  private static final int ORIGINAL_CONTEXT = 8192;

  /// Llama 3.2's 1B and 3B, whose params.json look like 3.1's, were published with factor 32
  /// (transformers, convert_llama_weights_to_hf.py); every 3.1 and 3.3 is 4096 wide or more.
  private static final double LLAMA_3_2_SCALING_FACTOR = 32;

  private static final int LEAST_LLAMA_3_1_WIDTH = 4096;

  private MetaConfig() {}

  /// @param file what to name in messages
  /// @param vocabSize rows of the embedding
  /// @param intermediateSize rows of `w1`, all shards together
  /// @throws CheckpointException if a key is missing or wrong, disagrees with the tensors, or asks
  ///   for something that is not supported
  static LlamaConfig read(
      String file, JsonObject json, int vocabSize, int intermediateSize, boolean tied) {
    refuseOtherModels(file, json);
    int hiddenSize = json.requireInt("dim");
    int numHeads = json.requireInt("n_heads");
    if (numHeads <= 0 || hiddenSize % numHeads != 0) {
      throw new CheckpointException(
          "%s: dim %d is not divisible by n_heads %d".formatted(file, hiddenSize, numHeads));
    }
    checkVocabSize(file, json, vocabSize);
    checkIntermediateSize(file, json, hiddenSize, intermediateSize);
    double eps = json.requireDouble("norm_eps");
    double theta = json.findDouble("rope_theta").orElse(DEFAULT_ROPE_THETA);
    boolean scaled = json.booleanOr("use_scaled_rope", false);
    try {
      return new LlamaConfig(
          hiddenSize,
          intermediateSize,
          json.requireInt("n_layers"),
          numHeads,
          json.intOr("n_kv_heads", numHeads),
          hiddenSize / numHeads,
          vocabSize,
          contextLength(eps, theta, scaled),
          (float) eps,
          theta,
          scaled ? ropeScaling(json, hiddenSize) : new RopeScaling.None(),
          tied);
    } catch (IllegalArgumentException e) {
      throw new CheckpointException(file + ": " + e.getMessage(), e);
    }
  }

  private static void refuseOtherModels(String file, JsonObject json) {
    if (json.intOr("vision_num_cross_attention_layers", 0) > 0) {
      throw new CheckpointException(
          file
              + ": a vision model (vision_num_cross_attention_layers); only text models can be run");
    }
    if (json.contains("moe_args")) {
      throw new CheckpointException(
          file + ": a mixture of experts (moe_args); only dense models can be run");
    }
    if (json.contains("quantization_args")) {
      throw new CheckpointException(
          file + ": Meta's quantised layout (quantization_args) is not supported; use a GGUF");
    }
  }

  private static int contextLength(double eps, double theta, boolean scaled) {
    if (scaled) {
      return LLAMA_3_1_CONTEXT;
    }
    if (theta == LLAMA_3_THETA) {
      return LLAMA_3_CONTEXT;
    }
    if (theta == CODE_LLAMA_THETA) {
      return CODE_LLAMA_CONTEXT;
    }
    return eps == LLAMA_1_EPS ? LLAMA_1_CONTEXT : LLAMA_2_CONTEXT;
  }

  private static RopeScaling ropeScaling(JsonObject json, int hiddenSize) {
    double assumed = hiddenSize < LEAST_LLAMA_3_1_WIDTH ? LLAMA_3_2_SCALING_FACTOR : SCALING_FACTOR;
    return new RopeScaling.Llama3(
        json.findDouble("rope_scaling_factor").orElse(assumed),
        LOW_FREQ_FACTOR,
        json.findDouble("rope_high_freq_factor").orElse(HIGH_FREQ_FACTOR),
        ORIGINAL_CONTEXT);
  }

  /// -1, and an absent key, mean that only the tokenizer knows.
  private static void checkVocabSize(String file, JsonObject json, int vocabSize) {
    int declared = json.intOr("vocab_size", -1);
    if (declared != -1 && declared != vocabSize) {
      throw new CheckpointException(
          "%s: vocab_size is %d, but tok_embeddings.weight has %d rows"
              .formatted(file, declared, vocabSize));
    }
  }

  /// Meta's FeedForward: two thirds of 4 dim, times the multiplier, rounded up to `multiple_of`.
  private static void checkIntermediateSize(
      String file, JsonObject json, int hiddenSize, int intermediateSize) {
    int multipleOf = json.intOr("multiple_of", 0);
    if (multipleOf <= 0) {
      return;
    }
    long width = 8L * hiddenSize / 3;
    width = (long) (json.findDouble("ffn_dim_multiplier").orElse(1.0) * width);
    width = Math.ceilDiv(width, multipleOf) * multipleOf;
    if (width != intermediateSize) {
      throw new CheckpointException(
          "%s: dim, multiple_of and ffn_dim_multiplier give a feed-forward width of %d, tensors have %d"
              .formatted(file, width, intermediateSize));
    }
  }
}
