package io.cusco.llama.checkpoint;

import io.cusco.llama.config.LlamaConfig;
import io.cusco.llama.config.RopeScaling;
import java.util.List;
import java.util.Optional;

/// Reads a Hugging Face `config.json`, in the form that transformers 4 writes (`rope_theta`,
/// `rope_scaling`) and in that of transformers 5 (`rope_parameters`).
///
/// Source: transformers, `configuration_llama.py` and `modeling_rope_utils.py`.
final class HuggingFaceConfig {
  private static final String MODEL_TYPE = "llama";
  private static final String ARCHITECTURE = "LlamaForCausalLM";

  // What transformers' LlamaConfig takes for a missing key; old files leave these out.
  private static final double DEFAULT_ROPE_THETA = 10000;
  private static final double DEFAULT_RMS_NORM_EPS = 1e-6;
  private static final int DEFAULT_MAX_POSITION_EMBEDDINGS = 2048;
  private static final String DEFAULT_HIDDEN_ACT = "silu";

  private HuggingFaceConfig() {}

  /// @param file what to name in messages
  /// @throws CheckpointException if a key is missing or wrong, or asks for something that is not
  ///   supported
  static LlamaConfig read(String file, JsonObject json) {
    checkArchitecture(file, json);
    int hiddenSize = json.requireInt("hidden_size");
    int numHeads = json.requireInt("num_attention_heads");
    try {
      return new LlamaConfig(
          hiddenSize,
          json.requireInt("intermediate_size"),
          json.requireInt("num_hidden_layers"),
          numHeads,
          json.intOr("num_key_value_heads", numHeads),
          headDim(file, json, hiddenSize, numHeads),
          json.requireInt("vocab_size"),
          json.intOr("max_position_embeddings", DEFAULT_MAX_POSITION_EMBEDDINGS),
          json.findDouble("rms_norm_eps").orElse(DEFAULT_RMS_NORM_EPS).floatValue(),
          ropeTheta(json),
          ropeScaling(file, json),
          json.booleanOr("tie_word_embeddings", false));
    } catch (IllegalArgumentException e) {
      throw new CheckpointException(file + ": " + e.getMessage(), e);
    }
  }

  static WeightAssembler.RequiredBiases requiredBiases(JsonObject json) {
    return new WeightAssembler.RequiredBiases(
        json.booleanOr("attention_bias", false), json.booleanOr("mlp_bias", false));
  }

  private static void checkArchitecture(String file, JsonObject json) {
    String modelType = json.findString("model_type").orElse(MODEL_TYPE);
    List<String> architectures = json.strings("architectures");
    if (!modelType.equals(MODEL_TYPE)
        || !(architectures.isEmpty() || architectures.contains(ARCHITECTURE))) {
      throw new CheckpointException(
          "%s: model_type '%s', architectures %s; only '%s' with %s can be run"
              .formatted(file, modelType, architectures, MODEL_TYPE, ARCHITECTURE));
    }
    String activation = json.findString("hidden_act").orElse(DEFAULT_HIDDEN_ACT);
    if (!activation.equals(DEFAULT_HIDDEN_ACT)) {
      throw new CheckpointException(
          "%s: hidden_act '%s' is not supported; Llama's is '%s'"
              .formatted(file, activation, DEFAULT_HIDDEN_ACT));
    }
    json.findObject("quantization_config")
        .ifPresent(quantization -> {
          throw new CheckpointException(
              "%s: quantization_config (%s) is not supported; use unquantised safetensors or a GGUF"
                  .formatted(file, quantization.findString("quant_method").orElse("unnamed")));
        });
  }

  private static int headDim(String file, JsonObject json, int hiddenSize, int numHeads) {
    if (json.contains("head_dim")) {
      return json.requireInt("head_dim");
    }
    if (numHeads <= 0 || hiddenSize % numHeads != 0) {
      throw new CheckpointException(
          "%s: hidden_size %d is not divisible by num_attention_heads %d, and there is no head_dim"
              .formatted(file, hiddenSize, numHeads));
    }
    return hiddenSize / numHeads;
  }

  private static double ropeTheta(JsonObject json) {
    return json.findObject("rope_parameters")
        .flatMap(parameters -> parameters.findDouble("rope_theta"))
        .or(() -> json.findDouble("rope_theta"))
        .orElse(DEFAULT_ROPE_THETA);
  }

  private static RopeScaling ropeScaling(String file, JsonObject json) {
    Optional<JsonObject> found =
        json.findObject("rope_parameters").or(() -> json.findObject("rope_scaling"));
    if (found.isEmpty()) {
      return new RopeScaling.None();
    }
    JsonObject scaling = found.get();
    String type =
        scaling.findString("rope_type").or(() -> scaling.findString("type")).orElse("default");
    return switch (type) {
      case "default" -> new RopeScaling.None();
      case "linear" -> new RopeScaling.Linear(scaling.requireDouble("factor"));
      case "llama3" ->
          new RopeScaling.Llama3(
              scaling.requireDouble("factor"),
              scaling.requireDouble("low_freq_factor"),
              scaling.requireDouble("high_freq_factor"),
              scaling.requireInt("original_max_position_embeddings"));
      default ->
          throw new CheckpointException(
              "%s: rope scaling '%s' is not supported; default, linear and llama3 are"
                  .formatted(file, type));
    };
  }
}
