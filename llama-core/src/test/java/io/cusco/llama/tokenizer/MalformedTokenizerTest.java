package io.cusco.llama.tokenizer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowable;

import io.cusco.llama.checkpoint.CheckpointException;
import io.cusco.llama.testkit.Json;
import io.cusco.llama.testkit.TestData;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Base64;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

@Timeout(60)
class MalformedTokenizerTest {
  @TempDir Path folder;

  @Test
  void everyDamagedReferenceFileIsRefusedWithItsFault() {
    Path root = TestData.require("malformed");
    int numFiles = 0;
    for (Map<String, Object> fault : Json.lines(root.resolve("manifest.jsonl"))) {
      if (!fault.get("kind").equals("tokenizer")) {
        continue;
      }
      numFiles++;
      Path file = root.resolve((String) fault.get("path"));
      Throwable thrown = catchThrowable(() -> TokenizerFiles.read(file));
      assertThat(thrown).as("%s", fault).isInstanceOf(CheckpointException.class);
      String message = thrown.getMessage().toLowerCase(Locale.ROOT);
      assertThat(message).contains(file.getFileName().toString());
      assertThat((List<?>) fault.get("hint_words"))
          .as("%s: %s", fault, message)
          .anyMatch(word -> message.replace(file.toString(), "").contains(word.toString()));
    }
    assertThat(numFiles).isPositive();
  }

  @ParameterizedTest
  @ValueSource(strings = {"tok512.model", "tok512.json", "llama3/tokenizer.model"})
  void damagedCopiesLoadOrAreRefusedButNothingElseSeed4(String name) throws IOException {
    byte[] whole = Files.readAllBytes(TestData.require("tokenizers").resolve(name));
    // The first lines of a long file are as good as all of them.
    byte[] content = Arrays.copyOf(whole, Math.min(whole.length, 12_000));
    Random random = new Random(4);
    Path file = folder.resolve("damaged");
    for (int i = 0; i < 600; i++) {
      byte[] damaged =
          random.nextInt(4) == 0
              ? Arrays.copyOf(content, random.nextInt(content.length))
              : content.clone();
      for (int flips = random.nextInt(4); flips > 0 && damaged.length > 0; flips--) {
        damaged[random.nextInt(damaged.length)] = (byte) random.nextInt(256);
      }
      Files.write(file, damaged);
      Throwable thrown =
          catchThrowable(() -> TokenizerFiles.read(file).encode("Once upon a time 123 é"));
      if (thrown != null && !(thrown instanceof CheckpointException)) {
        throw new AssertionError("seed 4, round " + i, thrown);
      }
    }
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      value = {
        "{\"model\": 1}|an object",
        "{\"model\": {\"type\": \"Unigram\", \"vocab\": []}}|\"Unigram\"",
        "{\"model\": {\"vocab\": {\"a\": \"b\"}}}|token \"a\"",
        "{\"model\": {\"vocab\": {\"a\": -1}}}|id -1",
        "{\"model\": {\"vocab\": {\"a\": 2000000000}}}|id 2000000000",
        "{\"model\": {\"vocab\": {\"a\": 99999999999}}}|JSON",
        "{\"model\": {\"vocab\": {\"a\": 0, \"b\": 0}}}|same id 0",
        "{\"model\": {\"vocab\": {\"a\": 0}, \"merges\": [\"a\"]}}|merge 0",
        "{\"model\": {\"vocab\": {\"a\": 0}, \"merges\": [[\"a\"]]}}|merge 0",
        "{\"model\": {\"vocab\": {\"a\": 0}, \"merges\": [[\"a\", \"b\", \"c\"]]}}|merge 0",
        "{\"model\": {\"merges\": []}}|\"vocab\"",
        "{\"added_tokens\": [{\"id\": 1}], \"model\": {\"vocab\": {}}}|added token 0",
        "{\"model\": {\"vocab\": {\"a\": 0}}}|U+2581",
        "{\"pre_tokenizer\": {\"type\": \"ByteLevel\"}, \"model\": {\"vocab\": {\"a\": 0}}}|pattern",
        "{\"pre_tokenizer\": {\"type\": \"Digits\"}, \"model\": {\"vocab\": {\"a\": 0}}}|Digits",
        "{\"model\": {\"vocab\": {\"a\": 0}|JSON",
      })
  void faultyTokenizerJsonIsRefusedWithItsFault(String json, String fault) throws IOException {
    assertRefused(json.getBytes(StandardCharsets.UTF_8), fault);
  }

  @Test
  void deeplyNestedJsonDoesNotExhaustTheStack() throws IOException {
    String json = "{\"normalizer\": " + "[".repeat(100_000);
    assertRefused(json.getBytes(StandardCharsets.UTF_8), "JSON");
  }

  @ParameterizedTest
  @CsvSource({
    "QQ==, no rank",
    "QQ== x, not a rank",
    "QQ== 99999999999, too large",
    "= 0, base64",
    "QQ== 0\\nQg== 0, rank 0 was given",
    "QQ== 1, none has rank 0",
    "QQ== 0, byte 0x00"
  })
  void faultyTiktokenRanksAreRefusedWithTheLine(String text, String fault) throws IOException {
    assertRefused(text.replace("\\n", "\n").getBytes(StandardCharsets.UTF_8), fault);
  }

  @Test
  void tiktokenRanksMayBeAnyNumberOfTokensAndAreFollowedByLlama3sSpecialTokens()
      throws IOException {
    StringBuilder lines = new StringBuilder();
    for (int b = 0; b < 256; b++) {
      String token = Base64.getEncoder().encodeToString(new byte[] {(byte) b});
      lines.append(token).append(' ').append(b).append("\r\n");
    }
    lines.append(Base64.getEncoder().encodeToString("ab".getBytes(StandardCharsets.UTF_8)));
    lines.append(" 256");
    Path file = Files.writeString(folder.resolve("tokenizer.model"), lines);
    Tokenizer tokenizer = TokenizerFiles.read(file);
    assertThat(tokenizer.vocabSize()).isEqualTo(257 + 256);
    assertThat(tokenizer.encode("abb")).containsExactly(256, 'b');
    assertThat(tokenizer.specialTokens().find("<|begin_of_text|>")).hasValue(257);
    assertThat(tokenizer.specialTokens().find("<|reserved_special_token_247|>")).hasValue(512);
  }

  @Test
  void aMissingFileIsNamed() {
    assertThatThrownBy(() -> TokenizerFiles.read(folder.resolve("nowhere.model")))
        .isInstanceOf(CheckpointException.class)
        .hasMessageContaining("nowhere.model");
  }

  @ParameterizedTest
  @CsvSource({
    // piece of length 5, one byte follows
    "0A0501, truncated",
    // a length of 2^63 - 1
    "0AFFFFFFFFFFFFFFFF7F00, truncated",
    // a varint without an end
    "0AFFFFFFFFFFFFFFFFFFFFFFFF, 64 bits",
    // a piece that is not UTF-8
    "0A030A01FF, UTF-8",
    // a piece without text
    "0A00, no text",
    // piece "a", and no trainer_spec: the default model type is unigram
    "0A030A0161, model type 1",
    // the same as BPE, but the normalizer's defaults remove white space
    "0A030A0161120218021A00, remove_extra_whitespaces",
    // wire type 3
    "0A030A01610B, wire type 3"
  })
  void faultySentencePieceModelsAreRefusedWithTheirFault(String hex, String fault)
      throws IOException {
    assertRefused(HexFormat.of().parseHex(hex), fault);
  }

  private void assertRefused(byte[] content, String fault) throws IOException {
    Path file = Files.write(folder.resolve("faulty"), content);
    assertThatThrownBy(() -> TokenizerFiles.read(file))
        .isInstanceOf(CheckpointException.class)
        .hasMessageContainingAll(file.toString(), fault);
  }
}
