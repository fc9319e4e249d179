package io.cusco.llama.tokenizer;

import static org.assertj.core.api.Assertions.assertThat;

import io.cusco.llama.testkit.Json;
import io.cusco.llama.testkit.TestData;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/// Every case of the reference data (made by tiktoken, sentencepiece and llama.cpp) with every file
/// form of the tokenizer it belongs to.
class TokenizerReferenceTest {

  /// A file form of a tokenizer; `cases` begins the names of its reference files.
  record Form(String cases, String llamaCppVectors, Path file) {
    Tokenizer tokenizer() {
      return TokenizerFiles.read(file);
    }

    @Override
    public String toString() {
      return cases + " from " + file.getFileName();
    }
  }

  @BeforeAll
  static void requireReferenceData() {
    TestData.require("tokenizers");
  }

  static Stream<Form> forms() {
    Path root = TestData.require("tokenizers");
    return Stream.of(
            new Form("llama3", "llama-bpe", root.resolve("llama3/tokenizer.model")),
            new Form("llama3", "llama-bpe", root.resolve("llama3/tokenizer.json")),
            new Form("llama2", "llama-spm", root.resolve("llama2/tokenizer.model")),
            new Form("llama2", "llama-spm", root.resolve("llama2/tokenizer.json")),
            new Form("tok512", "", root.resolve("tok512.model")),
            new Form("tok512", "", root.resolve("tok512.json")))
        .filter(form -> Files.exists(form.file()));
  }

  static Stream<Form> sentencePieceModels() {
    return forms()
        .filter(
            form -> !form.cases().equals("llama3") && form.file().toString().endsWith(".model"));
  }

  static Stream<Form> llama3Forms() {
    return forms().filter(form -> form.cases().equals("llama3"));
  }

  @ParameterizedTest
  @MethodSource("forms")
  void encodesAsTheReference(Form form) {
    Tokenizer tokenizer = form.tokenizer();
    List<String> wrong = new ArrayList<>();
    int numCases = 0;
    for (Map<String, Object> c : casesOf(form, "_encode.jsonl")) {
      numCases++;
      boolean isLong = c.containsKey("text_part");
      String text =
          isLong
              ? ((String) c.get("text_part")).repeat((Integer) c.get("text_repeat"))
              : (String) c.get("text");
      int[] ids = tokenizer.encode(text);
      if (isLong) {
        if (!sha256(littleEndian(ids)).equals(c.get("ids_sha256"))) {
          wrong.add("%s: %d ids".formatted(c.get("id"), ids.length));
        }
      } else if (!Arrays.equals(ids, Json.ints(c.get("ids")))) {
        wrong.add("%s %s: got %s".formatted(c.get("id"), c, Arrays.toString(ids)));
      }
      if (c.containsKey("ids_special")
          && !Arrays.equals(
              tokenizer.encodeWithSpecialTokens(text), Json.ints(c.get("ids_special")))) {
        wrong.add(c.get("id") + " with special tokens");
      }
      String expected = c.containsKey("decoded") ? (String) c.get("decoded") : text;
      if (!tokenizer.decode(ids).equals(expected)) {
        wrong.add("%s decoded to \"%s\"".formatted(c.get("id"), tokenizer.decode(ids)));
      }
    }
    assertThat(wrong).isEmpty();
    assertThat(numCases).isPositive();
  }

  @ParameterizedTest
  @MethodSource("forms")
  void decodesAndStreamsAsTheReference(Form form) {
    Tokenizer tokenizer = form.tokenizer();
    List<String> wrong = new ArrayList<>();
    for (Map<String, Object> c : casesOf(form, "_decode.jsonl")) {
      int[] ids = Json.ints(c.get("ids"));
      List<String> pieces =
          Arrays.stream(ids).mapToObj(id -> hex(tokenizer.tokenBytes(id))).toList();
      check(wrong, c, "piece_bytes_hex", pieces);
      check(wrong, c, "bytes_hex", String.join("", pieces));
      check(wrong, c, "text", tokenizer.decode(ids));
      check(wrong, c, "sp_decode", tokenizer.decode(ids));
      TokenDecoder decoder = tokenizer.newDecoder();
      List<String> stream = new ArrayList<>();
      for (int id : ids) {
        stream.add(decoder.append(id));
      }
      stream.add(decoder.flush());
      check(wrong, c, "stream", stream);
    }
    assertThat(wrong).isEmpty();
  }

  @ParameterizedTest
  @MethodSource("forms")
  void encodesLlamaCppsVectors(Form form) throws IOException {
    Path folder = TestData.require("tokenizers/llama.cpp");
    if (form.llamaCppVectors().isEmpty()) {
      return;
    }
    Path input = folder.resolve("ggml-vocab-" + form.llamaCppVectors() + ".gguf.inp");
    String[] texts = Files.readString(input).split("\n__ggml_vocab_test__\n", -1);
    List<String> lines = Files.readAllLines(Path.of(input.toString().replace(".inp", ".out")));
    Tokenizer tokenizer = form.tokenizer();
    // The last text ends with the file's own newline.
    for (int i = 0; i < texts.length - 1; i++) {
      int[] expected =
          Stream.of(lines.get(i).trim().split(" +"))
              .filter(id -> !id.isEmpty())
              .mapToInt(Integer::parseInt)
              .toArray();
      assertThat(tokenizer.encode(texts[i])).as(texts[i]).isEqualTo(expected);
    }
  }

  @ParameterizedTest
  @MethodSource("llama3Forms")
  void llama3VocabularyHasTheReferenceBytesAndSpecialTokens(Form form) throws IOException {
    Tokenizer tokenizer = form.tokenizer();
    Map<?, ?> check = vocabularyCheck(form);
    assertThat(tokenizer.vocabSize()).isEqualTo(check.get("n_vocab"));
    ((Map<?, ?>) check.get("special"))
        .forEach((name, id) ->
            assertThat(tokenizer.specialTokens().find((String) name)).hasValue((Integer) id));
    MessageDigest digest = newSha256();
    for (int id = 0; id < (Integer) check.get("n_base"); id++) {
      byte[] bytes = tokenizer.tokenBytes(id);
      digest.update(littleEndian(bytes.length));
      digest.update(bytes);
    }
    assertThat(hex(digest.digest()))
        .isEqualTo(check.get("sha256_of_len_i32le_plus_bytes_for_ids_0_to_127999"));
    assertThat(tokenizer.specialTokens().bos()).hasValue(128000);
    assertThat(tokenizer.specialTokens().addBos()).isTrue();
    assertThat(tokenizer.specialTokens().endOfGeneration())
        .containsExactlyInAnyOrder(128001, 128008, 128009);
    assertThat(Llama3Split.PATTERN).isEqualTo(check.get("pattern"));
  }

  @ParameterizedTest
  @MethodSource("sentencePieceModels")
  void sentencePieceModelHasTheReferencePiecesScoresAndTypes(Form form) throws IOException {
    Map<?, ?> check = vocabularyCheck(form);
    SentencePieceReader.Model model =
        SentencePieceReader.read(form.file().toString(), Files.readAllBytes(form.file()));
    assertThat(model.pieces()).hasSize((Integer) check.get("n_vocab"));
    MessageDigest digest = newSha256();
    for (int id = 0; id < model.pieces().length; id++) {
      byte[] piece = model.pieces()[id].getBytes(StandardCharsets.UTF_8);
      digest.update(littleEndian(piece.length));
      digest.update(littleEndian(Float.floatToRawIntBits(model.scores()[id])));
      digest.update(littleEndian(model.types()[id]));
      digest.update(piece);
    }
    assertThat(hex(digest.digest()))
        .isEqualTo(check.get("sha256_of_len_i32_score_f32_type_i32_piece_utf8"));
    SpecialTokens special = form.tokenizer().specialTokens();
    assertThat(special.bos()).hasValue((Integer) check.get("bos"));
    assertThat(special.endOfGeneration()).containsExactly((Integer) check.get("eos"));
  }

  @ParameterizedTest
  @MethodSource("forms")
  void everyFileFormNamesTheSameSpecialTokens(Form form) {
    Tokenizer tokenizer = form.tokenizer();
    forms()
        .filter(other -> other.cases().equals(form.cases()))
        .forEach(other ->
            assertThat(other.tokenizer().specialTokens()).isEqualTo(tokenizer.specialTokens()));
  }

  private static List<Map<String, Object>> casesOf(Form form, String suffix) {
    return Json.lines(TestData.require("tokenizers").resolve(form.cases() + suffix));
  }

  private static Map<?, ?> vocabularyCheck(Form form) throws IOException {
    Path file = TestData.require("tokenizers").resolve(form.cases() + "_vocab_check.json");
    return (Map<?, ?>) Json.parse(Files.readString(file));
  }

  private static void check(
      List<String> wrong, Map<String, Object> c, String field, Object actual) {
    if (c.containsKey(field) && !c.get(field).equals(actual)) {
      wrong.add("%s %s: %s, got %s".formatted(c.get("id"), field, c.get(field), actual));
    }
  }

  private static String hex(byte[] bytes) {
    return HexFormat.of().formatHex(bytes);
  }

  private static byte[] littleEndian(int... values) {
    ByteBuffer buffer =
        ByteBuffer.allocate(values.length * Integer.BYTES).order(ByteOrder.LITTLE_ENDIAN);
    IntStream.of(values).forEach(buffer::putInt);
    return buffer.array();
  }

  private static String sha256(byte[] bytes) {
    return hex(newSha256().digest(bytes));
  }

  private static MessageDigest newSha256() {
    try {
      return MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException(e);
    }
  }
}
