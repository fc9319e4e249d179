package io.cusco.llama.cli;

import io.cusco.llama.LlamaException;
import io.cusco.llama.chat.ChatFormat;
import io.cusco.llama.checkpoint.Checkpoint;
import io.cusco.llama.checkpoint.DType;
import io.cusco.llama.checkpoint.TensorView;
import io.cusco.llama.cli.json.Json;
import io.cusco.llama.config.LlamaConfig;
import io.cusco.llama.config.RopeScaling;
import io.cusco.llama.tokenizer.ByteBpeTokenizer;
import io.cusco.llama.tokenizer.SentencePieceTokenizer;
import io.cusco.llama.tokenizer.SpecialTokens;
import io.cusco.llama.tokenizer.Tokenizer;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Collectors;
import tools.jackson.core.JsonGenerator;

/// Everything `inspect` tells about a checkpoint.
///
/// @param tokenizer empty if the checkpoint has none that can be read
/// @param tokenizerProblem why it is empty
/// @param bytesPerDType stored bytes of each element type
record Inspection(
    Checkpoint checkpoint,
    Optional<Tokenizer> tokenizer,
    Optional<String> tokenizerProblem,
    Optional<ChatFormat> chatFormat,
    Map<DType, Long> bytesPerDType,
    long parameters,
    int contextLength) {

  static Inspection of(Checkpoint checkpoint, int contextLength) {
    Optional<Tokenizer> tokenizer = Optional.empty();
    Optional<String> problem = Optional.empty();
    try {
      tokenizer = Optional.of(checkpoint.tokenizer());
    } catch (LlamaException e) {
      problem = Optional.of(e.getMessage());
    }
    Map<DType, Long> bytes = new EnumMap<>(DType.class);
    long parameters = 0;
    for (TensorView tensor : checkpoint.tensors()) {
      bytes.merge(tensor.dtype(), tensor.segment().byteSize(), Long::sum);
      parameters += tensor.numElements();
    }
    return new Inspection(
        checkpoint,
        tokenizer,
        problem,
        tokenizer.isPresent() ? ChatFormat.of(checkpoint) : Optional.empty(),
        bytes,
        parameters,
        contextLength);
  }

  long weightBytes() {
    return bytesPerDType.values().stream().mapToLong(Long::longValue).sum();
  }

  /// Bytes of keys and values of one sequence of [#contextLength()] positions.
  long kvBytes(DType dtype) {
    LlamaConfig config = checkpoint.config();
    return 2L * config.numLayers() * config.keyValueWidth() * contextLength * dtype.blockBytes();
  }

  /// The same in FP8, where a row of a head has a scale of two bytes.
  long kvBytesFp8() {
    LlamaConfig config = checkpoint.config();
    long rows = 2L * config.numLayers() * config.numKeyValueHeads() * contextLength;
    return rows * (config.headDim() + Short.BYTES);
  }

  /// The config under Hugging Face's names.
  Map<String, Object> configFacts() {
    LlamaConfig config = checkpoint.config();
    Map<String, Object> facts = new LinkedHashMap<>();
    facts.put("hidden_size", config.hiddenSize());
    facts.put("intermediate_size", config.intermediateSize());
    facts.put("num_hidden_layers", config.numLayers());
    facts.put("num_attention_heads", config.numAttentionHeads());
    facts.put("num_key_value_heads", config.numKeyValueHeads());
    facts.put("head_dim", config.headDim());
    facts.put("vocab_size", config.vocabSize());
    facts.put("max_position_embeddings", config.maxPositionEmbeddings());
    facts.put("rms_norm_eps", Double.parseDouble(Float.toString(config.rmsNormEps())));
    facts.put("rope_theta", config.ropeTheta());
    facts.put("rope_scaling", ropeScaling(config.ropeScaling()));
    facts.put("tie_word_embeddings", config.tieWordEmbeddings());
    facts.put("head", config.head().toString());
    return facts;
  }

  private static String ropeScaling(RopeScaling scaling) {
    return switch (scaling) {
      case RopeScaling.None _ -> "none";
      case RopeScaling.Linear(double factor) -> "linear, factor " + factor;
      case RopeScaling.Llama3 s ->
          "llama3, factor %s, low %s, high %s, original context %d"
              .formatted(
                  s.factor(),
                  s.lowFreqFactor(),
                  s.highFreqFactor(),
                  s.originalMaxPositionEmbeddings());
      case RopeScaling.FrequencyFactors s -> "one factor per pair, " + s.factors().length;
    };
  }

  String toJson() {
    return Json.object(json -> {
      json.writeStringProperty("model", checkpoint.modelName());
      json.writeStringProperty("source", checkpoint.source());
      json.writeStringProperty("format", checkpoint.format());
      json.writeObjectPropertyStart("config");
      configFacts().forEach((name, value) -> writeFact(json, name, value));
      json.writeEndObject();
      writeTokenizer(json);
      json.writeName("chat_format");
      chatFormat.ifPresentOrElse(f -> json.writeString(f.name()), json::writeNull);
      json.writeBooleanProperty("has_chat_template", checkpoint.chatTemplate().isPresent());
      json.writeNumberProperty("parameters", parameters);
      json.writeObjectPropertyStart("bytes_per_dtype");
      bytesPerDType.forEach((dtype, bytes) -> json.writeNumberProperty(dtype.name(), bytes));
      json.writeEndObject();
      json.writeObjectPropertyStart("memory");
      json.writeNumberProperty("context_length", contextLength);
      json.writeNumberProperty("weights_bytes", weightBytes());
      json.writeNumberProperty("kv_bytes_f32", kvBytes(DType.F32));
      json.writeNumberProperty("kv_bytes_f16", kvBytes(DType.F16));
      json.writeNumberProperty("kv_bytes_fp8", kvBytesFp8());
      json.writeEndObject();
      json.writeArrayPropertyStart("tensors");
      for (TensorView tensor : checkpoint.tensors()) {
        json.writeStartObject();
        json.writeStringProperty("name", tensor.name());
        json.writeStringProperty("dtype", tensor.dtype().name());
        long[] shape = tensor.shape();
        json.writeName("shape");
        json.writeArray(shape, 0, shape.length);
        json.writeNumberProperty("bytes", tensor.segment().byteSize());
        json.writeEndObject();
      }
      json.writeEndArray();
    });
  }

  private static void writeFact(JsonGenerator json, String name, Object value) {
    switch (value) {
      case Integer number -> json.writeNumberProperty(name, number);
      case Double number -> json.writeNumberProperty(name, number);
      case Boolean flag -> json.writeBooleanProperty(name, flag);
      default -> json.writeStringProperty(name, value.toString());
    }
  }

  private void writeTokenizer(JsonGenerator json) {
    json.writeName("tokenizer");
    if (tokenizer.isEmpty()) {
      json.writeNull();
      json.writeStringProperty("tokenizer_problem", tokenizerProblem.orElse(""));
      return;
    }
    SpecialTokens special = tokenizer.get().specialTokens();
    json.writeStartObject();
    json.writeStringProperty("kind", kind(tokenizer.get()));
    json.writeNumberProperty("vocab_size", tokenizer.get().vocabSize());
    json.writeName("bos");
    special.bos().ifPresentOrElse(json::writeNumber, json::writeNull);
    json.writeBooleanProperty("add_bos", special.addBos());
    Json.ids(json, "end_of_generation", special.endOfGeneration());
    json.writeObjectPropertyStart("special_tokens");
    special.ids().forEach((text, id) -> json.writeNumberProperty(text, id));
    json.writeEndObject();
    json.writeEndObject();
  }

  String toText() {
    StringBuilder text = new StringBuilder();
    row(text, "model", checkpoint.modelName());
    row(text, "source", checkpoint.source());
    row(text, "format", checkpoint.format());
    text.append('\n');
    configFacts().forEach((name, value) -> row(text, name, value));
    text.append('\n');
    row(text, "tokenizer", tokenizerText());
    row(text, "chat format", chatFormatText());
    text.append('\n');
    row(text, "parameters", "%,d".formatted(parameters));
    bytesPerDType.forEach((dtype, bytes) -> row(text, "stored as " + dtype, Units.bytes(bytes)));
    row(text, "weights", Units.bytes(weightBytes()));
    row(
        text,
        "KV cache",
        "%s as f32, %s as f16, %s as fp8, for %d positions of one sequence"
            .formatted(
                Units.bytes(kvBytes(DType.F32)),
                Units.bytes(kvBytes(DType.F16)),
                Units.bytes(kvBytesFp8()),
                contextLength));
    text.append('\n');
    for (TensorView tensor : checkpoint.tensors()) {
      String shape =
          Arrays.stream(tensor.shape()).mapToObj(Long::toString).collect(Collectors.joining(" x "));
      text.append(
          String.format(
              Locale.ROOT,
              "%-48s %-7s %20s %14s%n",
              tensor.name(),
              tensor.dtype(),
              shape,
              Units.bytes(tensor.segment().byteSize())));
    }
    return text.toString();
  }

  private String tokenizerText() {
    return tokenizer
        .map(t ->
            "%s, %,d tokens, %d special, begin %s%s, ends %s"
                .formatted(
                    kind(t),
                    t.vocabSize(),
                    t.specialTokens().ids().size(),
                    t.specialTokens().bos().isPresent()
                        ? String.valueOf(t.specialTokens().bos().getAsInt())
                        : "none",
                    t.specialTokens().addBos() ? "" : " (not added)",
                    t.specialTokens().endOfGeneration()))
        .orElseGet(() -> "none: " + tokenizerProblem.orElse(""));
  }

  private static String kind(Tokenizer tokenizer) {
    return switch (tokenizer) {
      case SentencePieceTokenizer _ -> "SentencePiece BPE";
      case ByteBpeTokenizer _ -> "byte-level BPE";
    };
  }

  private String chatFormatText() {
    return chatFormat
        .map(ChatFormat::name)
        .orElse(
            checkpoint.chatTemplate().isPresent()
                ? "has a template that is not a known one"
                : "not a chat model");
  }

  private static void row(StringBuilder text, String name, Object value) {
    text.append(String.format(Locale.ROOT, "%-24s %s%n", name, value));
  }
}
