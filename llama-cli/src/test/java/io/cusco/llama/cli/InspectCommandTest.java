package io.cusco.llama.cli;

import static org.assertj.core.api.Assertions.assertThat;

import io.cusco.llama.testkit.Json;
import io.cusco.llama.testkit.TestData;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class InspectCommandTest {
  private static String stories() {
    return TestData.require("stories260k").resolve("stories260K-F32.gguf").toString();
  }

  @Test
  void jsonTellsConfigTokenizerTensorsAndMemory() {
    Cli.Result result = Cli.run("inspect", "-m", stories(), "--json", "--context-length", "100");
    assertThat(result.code()).as(result.err()).isZero();
    Map<String, Object> json = result.json();
    assertThat(Json.object(json.get("config")))
        .containsEntry("hidden_size", 64)
        .containsEntry("num_key_value_heads", 4)
        .containsEntry("rms_norm_eps", 1e-5)
        .containsEntry("tie_word_embeddings", true);
    assertThat(Json.object(json.get("tokenizer")))
        .containsEntry("kind", "SentencePiece BPE")
        .containsEntry("vocab_size", 512)
        .containsEntry("bos", 1);
    assertThat(json.get("chat_format")).isNull();
    // 5 layers, 4 key/value heads of 8, keys and values, 100 positions.
    assertThat(Json.object(json.get("memory")))
        .containsEntry("context_length", 100)
        .containsEntry("kv_bytes_f32", 5 * 4 * 8 * 2 * 100 * 4)
        .containsEntry("kv_bytes_f16", 5 * 4 * 8 * 2 * 100 * 2)
        .containsEntry("kv_bytes_fp8", 5 * 4 * (8 + 2) * 2 * 100);
    List<Object> tensors = Json.array(json.get("tensors"));
    assertThat(tensors).hasSize(47);
    assertThat(Json.object(tensors.getFirst()))
        .containsEntry("name", "token_embd.weight")
        .containsEntry("dtype", "F32")
        .containsEntry("shape", List.of(512, 64))
        .containsEntry("bytes", 512 * 64 * 4);
    assertThat(json).containsEntry("parameters", 260_032);
  }

  @Test
  void textHasOneLinePerTensor() {
    Cli.Result result = Cli.run("inspect", "-m", stories());
    assertThat(result.out()).contains("GGUF v3", "260,032", "KV cache");
    assertThat(result.out().lines().filter(line -> line.startsWith("blk.0."))).hasSize(9);
  }

  @Test
  void aModelWithoutATokenizerSaysWhy() {
    String model = TestData.require("models").resolve("odd-sizes/hf-f32").toString();
    Cli.Result result = Cli.run("inspect", "-m", model, "--json");
    assertThat(result.code()).as(result.err()).isZero();
    if (result.json().get("tokenizer") == null) {
      assertThat((String) result.json().get("tokenizer_problem")).isNotBlank();
    }
  }
}
