package io.cusco.llama.checkpoint;

import io.cusco.llama.config.LlamaConfig;
import io.cusco.llama.config.OutputHead;
import io.cusco.llama.config.RopeScaling;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.IntStream;

/// Reads a Hugging Face `config.json`, in the form that transformers 4 writes (`rope_theta`,
/// `rope_scaling`) and in that of transformers 5 (`rope_parameters`).
///
/// Source: transformers, `configuration_llama.py` and `modeling_rope_utils.py`.
final class HuggingFaceConfig {
  private static final String MODEL_TYPE = "llama";
  private static final String CAUSAL_LM = "LlamaForCausalLM";
  private static final String CLASSIFIER = "LlamaForSequenceClassification";
  private static final String BASE = "LlamaModel";
  private static final List<String> ARCHITECTURES = List.of(CAUSAL_LM, CLASSIFIER, BASE);

  // What transformers' LlamaConfig takes for a missing key; old files leave these out.
  private static final double DEFAULT_ROPE_THETA = 10000;
  private static final double DEFAULT_RMS_NORM_EPS = 1e-6;
  private static final int DEFAULT_MAX_POSITION_EMBEDDINGS = 2048;
  private static final String DEFAULT_HIDDEN_ACT = "silu";
  private static final int DEFAULT_NUM_LABELS = 2;

  private HuggingFaceConfig() {}

  /// @param file what to name in messages
  /// @throws CheckpointException if a key is missing or wrong, or asks for something that is not
  ///   supported
  static LlamaConfig read(String file, JsonObject json) {
    checkArchitecture(file, json);
    int hiddenSize = json.requireInt("hidden_size");
    int numHeads = json.requireInt("num_attention_heads");
    try {
      OutputHead head = head(file, json);
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
          head instanceof OutputHead.Vocabulary && json.booleanOr("tie_word_embeddings", false),
          head);
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
        || !(architectures.isEmpty() || architectures.stream().anyMatch(ARCHITECTURES::contains))) {
      throw new CheckpointException(
          "%s: model_type '%s', architectures %s; only '%s' with one of %s can be run"
              .formatted(file, modelType, architectures, MODEL_TYPE, ARCHITECTURES));
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

  private static OutputHead head(String file, JsonObject json) {
    List<String> architectures = json.strings("architectures");
    if (architectures.isEmpty() || architectures.contains(CAUSAL_LM)) {
      return OutputHead.VOCABULARY;
    }
    return architectures.contains(CLASSIFIER)
        ? new OutputHead.Scores(labels(file, json))
        : OutputHead.NONE;
  }

  /// As in transformers, `id2label` wins over `num_labels`, and neither is written for the default.
  private static List<String> labels(String file, JsonObject json) {
    Optional<JsonObject> names = json.findObject("id2label");
    if (names.isPresent()) {
      List<String> labels = new ArrayList<>();
      for (int id = 0; id < names.get().keys().size(); id++) {
        labels.add(names.get().requireString(Integer.toString(id)));
      }
      return labels;
    }
    int count = json.intOr("num_labels", DEFAULT_NUM_LABELS);
    if (count < 1 || count > OutputHead.Scores.MAX_LABELS) {
      throw new CheckpointException(
          "%s: num_labels must be 1 .. %d, got %d"
              .formatted(file, OutputHead.Scores.MAX_LABELS, count));
    }
    return IntStream.range(0, count).mapToObj(id -> "LABEL_" + id).toList();
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
