package io.cusco.llama.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;

import io.cusco.llama.testkit.Json;
import io.cusco.llama.testkit.TestData;
import io.cusco.llama.tokenizer.Tokenizer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// Vocabularies stored as GGUF metadata encode exactly as the tokenizer files they were made from.
final class CheckpointTokenizersTest {

  @ParameterizedTest
  @CsvSource({
    "tokenizers/llama3/llama32-bigvocab-F16.gguf, llama3",
    "tokenizers/llama.cpp/ggml-vocab-llama-spm.gguf, llama2",
    "stories260k/stories260K-F32.gguf, tok512"
  })
  void vocabulariesInGgufEncodeAsTheReference(String file, String cases) {
    Path path = TestData.require(Path.of(file).getName(0).toString()).getParent().resolve(file);
    Path reference = TestData.require("tokenizers").resolve(cases + "_encode.jsonl");
    Tokenizer tokenizer = GgufCheckpoint.openTokenizer(path);
    int checked = 0;
    for (Map<String, Object> c : Json.lines(reference)) {
      if (c.containsKey("text_part")) {
        String text =
            ((String) c.get("text_part")).repeat(((Number) c.get("text_repeat")).intValue());
        assertThat(tokenizer.encode(text))
            .as("%s", c)
            .hasSize(((Number) c.get("n_ids")).intValue());
      } else {
        assertThat(tokenizer.encode((String) c.get("text")))
            .as("%s", c)
            .isEqualTo(Json.ints(c.get("ids")));
      }
      if (c.containsKey("ids_special")) {
        assertThat(tokenizer.encodeWithSpecialTokens((String) c.get("text")))
            .isEqualTo(Json.ints(c.get("ids_special")));
      }
      checked++;
    }
    System.out.println(file + ": " + checked + " cases");
    assertThat(checked).isPositive();
  }

  /// Expected ids: llama.cpp's own test vectors.
  @ParameterizedTest
  @CsvSource({
    "llama3/llama32-bigvocab-F16.gguf, llama-bpe",
    "llama.cpp/ggml-vocab-llama-spm.gguf, llama-spm"
  })
  void vocabulariesInGgufEncodeAsLlamaCpp(String file, String vectors) throws IOException {
    Path folder = TestData.require("tokenizers");
    Tokenizer tokenizer = GgufCheckpoint.openTokenizer(folder.resolve(file));
    Path base = folder.resolve("llama.cpp/ggml-vocab-" + vectors + ".gguf");
    String[] texts = Files.readString(Path.of(base + ".inp")).split("\n__ggml_vocab_test__\n", -1);
    List<String> expected = Files.readAllLines(Path.of(base + ".out"));
    for (int i = 0; i < expected.size(); i++) {
      int[] ids =
          Arrays.stream(expected.get(i).trim().split(" +"))
              .filter(id -> !id.isEmpty())
              .mapToInt(Integer::parseInt)
              .toArray();
      assertThat(tokenizer.encode(texts[i])).as("case %d '%s'", i, texts[i]).isEqualTo(ids);
    }
    System.out.println(vectors + ": " + expected.size() + " vectors");
  }

  @Test
  void everyReferenceGgufHasATokenizerOfItsVocabularySize() throws IOException {
    for (Path model : ReferenceModels.folders()) {
      for (Path path : ReferenceModels.checkpoints(model)) {
        if (!path.toString().endsWith(".gguf")) {
          continue;
        }
        try (Checkpoint checkpoint = Checkpoint.open(path)) {
          Tokenizer tokenizer = checkpoint.tokenizer();
          assertThat(tokenizer).isSameAs(checkpoint.tokenizer());
          assertThat(tokenizer.vocabSize()).isEqualTo(checkpoint.config().vocabSize());
        }
      }
    }
  }
}
