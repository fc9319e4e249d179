package io.cusco.llama.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import io.cusco.llama.config.LlamaConfig;
import io.cusco.llama.config.OutputHead;
import io.cusco.llama.config.RopeScaling;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Random;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/// Hugging Face folders made here, whole and broken.
final class HuggingFaceCheckpointTest {
  /// As the first Llama conversions wrote it: no KV heads, no theta, no bias keys.
  private static final String CONFIG =
      "{\"architectures\": [\"LlamaForCausalLM\"], \"model_type\": \"llama\", \"hidden_size\": 8,"
          + " \"intermediate_size\": 4, \"num_hidden_layers\": 1, \"num_attention_heads\": 2,"
          + " \"vocab_size\": 6, \"rms_norm_eps\": 1e-06, \"bos_token_id\": 1,"
          + " \"eos_token_id\": 2%s}";

  @TempDir Path folder;

  @Test
  void oldConfigsTakeTransformersDefaults() throws IOException {
    write("");
    try (HuggingFaceCheckpoint checkpoint = HuggingFaceCheckpoint.open(folder)) {
      assertThat(checkpoint.config())
          .isEqualTo(
              new LlamaConfig(
                  8, 4, 1, 2, 2, 4, 6, 2048, 1e-6f, 10000, new RopeScaling.None(), false));
      assertThat(checkpoint.weights().layers().getFirst().qProj().bias()).isEmpty();
      assertThat(checkpoint.format()).isEqualTo("Hugging Face safetensors (1 file)");
      assertThat(checkpoint.bosTokenId()).hasValue(1);
      assertThat(checkpoint.chatTemplate()).isEmpty();
      assertThatExceptionOfType(CheckpointException.class)
          .isThrownBy(checkpoint::tokenizer)
          .withMessageContaining("tokenizer.json");
    }
  }

  @Test
  void generationConfigAddsEndsAndUnusedTensorsAreIgnored() throws IOException {
    Map<String, long[]> tensors = tensors();
    tensors.put("model.layers.0.self_attn.rotary_emb.inv_freq", new long[] {2});
    write("", tensors);
    Files.writeString(folder.resolve("generation_config.json"), "{\"eos_token_id\": [3, 2, 99]}");
    try (Checkpoint checkpoint = Checkpoint.open(folder)) {
      assertThat(checkpoint.eosTokenIds()).containsExactly(3, 2); // 99 is outside the vocabulary
      assertThat(checkpoint.weights().layers()).hasSize(1);
    }
  }

  @Test
  void theChatTemplateIsFoundInEveryFormInItsOrder() throws IOException {
    write("");
    Path config = folder.resolve("tokenizer_config.json");
    try (Checkpoint checkpoint = Checkpoint.open(folder)) {
      Files.writeString(config, "{\"chat_template\": \"one\"}");
      assertThat(checkpoint.chatTemplate()).hasValue("one");
      Files.writeString(
          config,
          "{\"chat_template\": [{\"name\": \"tool_use\", \"template\": \"no\"},"
              + " {\"name\": \"default\", \"template\": \"two\"}]}");
      assertThat(checkpoint.chatTemplate()).hasValue("two");
      Files.writeString(folder.resolve("chat_template.jinja"), "three");
      assertThat(checkpoint.chatTemplate()).hasValue("three");
    }
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        ", \"rope_scaling\": {\"type\": \"yarn\", \"factor\": 4} | 'yarn' is not supported",
        ", \"rope_scaling\": {\"rope_type\": \"dynamic\", \"factor\": 4} | 'dynamic'",
        ", \"rope_scaling\": {\"rope_type\": \"longrope\"} | 'longrope'",
        ", \"rope_scaling\": {\"rope_type\": \"linear\"} | rope_scaling.factor is missing",
        ", \"rope_scaling\": 7 | rope_scaling must be an object",
        ", \"hidden_act\": \"gelu\" | hidden_act 'gelu'",
        ", \"attention_bias\": true | self_attn.q_proj.bias is missing",
        ", \"mlp_bias\": true | mlp.gate_proj.bias is missing",
        ", \"num_key_value_heads\": 3 | not divisible by num_key_value_heads",
        ", \"num_key_value_heads\": \"2\" | num_key_value_heads must be an integer",
        ", \"head_dim\": 3 | head_dim 3 is odd",
        ", \"head_dim\": 6 | expected [12, 8] from config, file has [8, 8]",
        ", \"quantization_config\": {\"quant_method\": \"gptq\"} | (gptq) is not supported",
        ", \"rope_theta\": 1e999 | rope_theta must be positive and finite",
        ", \"rope_theta\": NaN | not valid JSON",
        ", \"max_position_embeddings\": 4294967296 | below 2^31",
        ", \"vocab_size\": 7 | twice"
      })
  void configsThatContradictOrAreNotSupportedAreRefused(String more, String message)
      throws IOException {
    write(more);
    assertRefused(message);
  }

  @ParameterizedTest
  @ValueSource(strings = {"MistralForCausalLM", "LlamaForTokenClassification"})
  void otherArchitecturesAreRefusedByName(String architecture) throws IOException {
    write("");
    String config = CONFIG.formatted("").replace("LlamaForCausalLM", architecture);
    Files.writeString(folder.resolve("config.json"), config);
    assertRefused(architecture);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        ", \"id2label\": {\"0\": \"reward\"} | 1 | [reward]",
        ", \"id2label\": {\"1\": \"bad\", \"0\": \"good\", \"2\": \"?\"} | 3 | [good, bad, ?]",
        ", \"num_labels\": 1, \"tie_word_embeddings\": true | 1 | [LABEL_0]",
        ", \"num_labels\": 5, \"id2label\": {\"0\": \"x\"} | 1 | [x]",
        "'' | 2 | [LABEL_0, LABEL_1]"
      })
  void aClassifierEndsInScoresForItsLabels(String more, int labels, String names)
      throws IOException {
    Map<String, long[]> tensors = tensors();
    tensors.remove("lm_head.weight");
    tensors.put("score.weight", new long[] {labels, 8});
    writeAs("LlamaForSequenceClassification", more, tensors);
    try (Checkpoint checkpoint = Checkpoint.open(folder)) {
      assertThat(checkpoint.config().head()).isInstanceOf(OutputHead.Scores.class);
      OutputHead.Scores head = (OutputHead.Scores) checkpoint.config().head();
      assertThat(head.labels()).hasToString(names);
      assertThat(checkpoint.config().numOutputs()).isEqualTo(labels);
      assertThat(checkpoint.config().generates()).isFalse();
      assertThat(checkpoint.weights().head().orElseThrow().rows()).isEqualTo(labels);
    }
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        ", \"id2label\": {} | num_labels must be 1 .. 65536, got 0",
        ", \"id2label\": {\"0\": \"a\", \"2\": \"b\"} | id2label.1 is missing",
        ", \"id2label\": {\"0\": 7} | id2label.0 must be a string",
        ", \"num_labels\": 0 | num_labels must be 1 .. 65536, got 0",
        ", \"num_labels\": 2147483647 | num_labels must be 1 .. 65536, got 2147483647",
        ", \"num_labels\": 4 | tensor score.weight: expected [4, 8] from config, file has [3, 8]"
      })
  void classifiersWithWrongLabelsAreRefused(String more, String message) throws IOException {
    Map<String, long[]> tensors = tensors();
    tensors.put("score.weight", new long[] {3, 8});
    writeAs("LlamaForSequenceClassification", more, tensors);
    assertRefused(message);
  }

  @ParameterizedTest
  @ValueSource(strings = {"model.", ""})
  void aModelWithoutHeadIsReadUnderBothNames(String prefix) throws IOException {
    Map<String, long[]> tensors = new LinkedHashMap<>();
    tensors().forEach((name, shape) -> tensors.put(name.replaceFirst("^model\\.", prefix), shape));
    tensors.remove("lm_head.weight");
    writeAs("LlamaModel", "", tensors);
    try (Checkpoint checkpoint = Checkpoint.open(folder)) {
      assertThat(checkpoint.config().head()).isEqualTo(OutputHead.NONE);
      assertThat(checkpoint.config().numOutputs()).isZero();
      assertThat(checkpoint.weights().head()).isEmpty();
      assertThat(checkpoint.weights().layers()).hasSize(1);
    }
  }

  private void writeAs(String architecture, String more, Map<String, long[]> tensors)
      throws IOException {
    write(more, tensors);
    String config = CONFIG.formatted(more).replace("LlamaForCausalLM", architecture);
    Files.writeString(folder.resolve("config.json"), config);
  }

  @ParameterizedTest
  @ValueSource(strings = {"../x.safetensors", "/etc/x.safetensors", "..\\x.safetensors", "a/b"})
  void shardsOutsideTheFolderAreNeverOpened(String name) throws IOException {
    Files.writeString(folder.resolve("config.json"), CONFIG.formatted(""));
    Files.writeString(
        folder.resolve("model.safetensors.index.json"),
        "{\"weight_map\": {\"t\": \"%s\"}}".formatted(name.replace("\\", "\\\\")));
    assertRefused("invalid path");
  }

  /// As JSON escapes: NUL, and half of a surrogate pair.
  @ParameterizedTest
  @ValueSource(strings = {"\\u0000", "\\ud800"})
  void shardNamesThatNoFileCanHaveAreRefused(String character) throws IOException {
    Files.writeString(folder.resolve("config.json"), CONFIG.formatted(""));
    Files.writeString(
        folder.resolve("model.safetensors.index.json"),
        "{\"weight_map\": {\"t\": \"%s.safetensors\"}}".formatted(character));
    assertRefused("invalid path");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "{\"a\": {\"dtype\": \"F32\", \"shape\": [1], \"data_offsets\": [4, 8]}} | leaving a gap",
        "{\"a\": {\"dtype\": \"F32\", \"shape\": [1], \"data_offsets\": [0, 4]}} | but 8 bytes",
        "{\"a\": {\"dtype\": \"F32\", \"shape\": [2], \"data_offsets\": [0, 4]}} | takes 8 bytes",
        "{\"a\": {\"dtype\": \"F32\", \"shape\": [0], \"data_offsets\": [0, 0]}} | must be positive",
        "{\"a\": {\"dtype\": \"F32\", \"shape\": [-2], \"data_offsets\": [0, 8]}} | must be positive",
        "{\"a\": {\"dtype\": \"F32\", \"shape\": 2, \"data_offsets\": [0, 8]}} | must be a list",
        "{\"a\": {\"dtype\": \"F32\", \"shape\": [2], \"data_offsets\": [8, 0]}} | not [begin, end)",
        "{\"a\": {\"dtype\": \"F32\", \"shape\": [1.5], \"data_offsets\": [0, 8]}} | integers",
        "{\"a\": {\"dtype\": \"I64\", \"shape\": [1], \"data_offsets\": [0, 8]}} | dtype I64",
        "{\"a\": 1, \"a\": 2} | twice",
        "[1] | JSON object expected",
        "{\"a\": | not valid JSON"
      })
  void damagedHeadersAreRefused(String header, String message) throws IOException {
    write("");
    Files.write(folder.resolve("model.safetensors"), file(header, 8));
    assertRefused(message);
  }

  @Test
  void flippedAndTruncatedFilesOnlyEndInCheckpointExceptions() throws IOException {
    write("");
    Path file = folder.resolve("model.safetensors");
    byte[] intact = Files.readAllBytes(file);
    for (int length = 0; length < intact.length; length += 17) {
      Files.write(file, Arrays.copyOf(intact, length));
      assertRefused("model.safetensors");
    }
    long seed = 11;
    System.out.println("flippedAndTruncatedFilesOnlyEndInCheckpointExceptions seed " + seed);
    Random random = new Random(seed);
    for (int round = 0; round < 400; round++) {
      byte[] damaged = intact.clone();
      damaged[random.nextInt(damaged.length)] ^= (byte) (1 << random.nextInt(8));
      Files.write(file, damaged);
      try (Checkpoint checkpoint = Checkpoint.open(folder)) {
        checkpoint.weights();
      } catch (CheckpointException e) {
        assertThat(e).hasMessageContaining(folder.toString());
      }
    }
  }

  private void assertRefused(String message) {
    assertThatExceptionOfType(CheckpointException.class)
        .isThrownBy(() -> {
          try (Checkpoint checkpoint = Checkpoint.open(folder)) {
            checkpoint.weights();
          }
        })
        .withMessageContaining(message)
        .withMessageContaining(folder.toString());
  }

  private void write(String more) throws IOException {
    write(more, tensors());
  }

  private void write(String more, Map<String, long[]> tensors) throws IOException {
    Files.writeString(folder.resolve("config.json"), CONFIG.formatted(more));
    long offset = 0;
    StringBuilder header = new StringBuilder("{\"__metadata__\":{\"format\":\"pt\"}");
    for (Map.Entry<String, long[]> tensor : tensors.entrySet()) {
      long end = offset + Float.BYTES * Arrays.stream(tensor.getValue()).reduce(1, (a, b) -> a * b);
      header.append(
          ",\"%s\":{\"dtype\":\"F32\",\"shape\":[%s],\"data_offsets\":[%d,%d]}"
              .formatted(
                  tensor.getKey(),
                  Arrays.stream(tensor.getValue())
                      .mapToObj(Long::toString)
                      .collect(Collectors.joining(",")),
                  offset,
                  end));
      offset = end;
    }
    Files.write(
        folder.resolve("model.safetensors"), file(header.append("}").toString(), (int) offset));
  }

  private static byte[] file(String header, int dataBytes) {
    byte[] json = header.getBytes(StandardCharsets.UTF_8);
    ByteArrayOutputStream file = new ByteArrayOutputStream();
    file.writeBytes(
        ByteBuffer.allocate(Long.BYTES)
            .order(ByteOrder.LITTLE_ENDIAN)
            .putLong(json.length)
            .array());
    file.writeBytes(json);
    file.writeBytes(new byte[dataBytes]);
    return file.toByteArray();
  }

  private static Map<String, long[]> tensors() {
    Map<String, long[]> tensors = new LinkedHashMap<>();
    tensors.put("model.embed_tokens.weight", new long[] {6, 8});
    String layer = "model.layers.0.";
    tensors.put(layer + "input_layernorm.weight", new long[] {8});
    for (String name : new String[] {"q_proj", "k_proj", "v_proj", "o_proj"}) {
      tensors.put(layer + "self_attn." + name + ".weight", new long[] {8, 8});
    }
    tensors.put(layer + "post_attention_layernorm.weight", new long[] {8});
    tensors.put(layer + "mlp.gate_proj.weight", new long[] {4, 8});
    tensors.put(layer + "mlp.up_proj.weight", new long[] {4, 8});
    tensors.put(layer + "mlp.down_proj.weight", new long[] {8, 4});
    tensors.put("model.norm.weight", new long[] {8});
    tensors.put("lm_head.weight", new long[] {6, 8});
    return tensors;
  }
}
