package io.cusco.llama.tokenizer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.cusco.llama.checkpoint.CheckpointException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.Timeout.ThreadMode;

/// A hand-made vocabulary: the 256 bytes, a few merges, Llama 3's structure.
class ByteBpeTokenizerTest {
  private static final int NORMAL = 1;
  private static final int CONTROL = 3;
  private static final int USER_DEFINED = 4;

  private final List<String> tokens = new ArrayList<>();
  private final List<Integer> types = new ArrayList<>();
  private final List<String> merges = new ArrayList<>();

  ByteBpeTokenizerTest() {
    // GPT-2's order: the printable bytes, then the others as U+0100 and up.
    for (int b = 0; b < 256; b++) {
      if ((b >= '!' && b <= '~') || (b >= 0xA1 && b <= 0xAC) || b >= 0xAE) {
        add(String.valueOf((char) b), NORMAL);
      }
    }
    for (int i = 0; tokens.size() < 256; i++) {
      add(String.valueOf((char) (256 + i)), NORMAL);
    }
  }

  @Test
  void mergesGoByRankAndSpecialTextIsTextUnlessAskedFor() {
    int ab = merge("a", "b");
    int bc = merge("b", "c");
    int bos = add("<|begin_of_text|>", CONTROL);
    int eot = add("<|eot_id|>", CONTROL);
    Tokenizer tokenizer = build("smaug-bpe");
    assertThat(tokenizer.encode("abc")).containsExactly(ab, id("c"));
    assertThat(tokenizer.encode("xbc")).containsExactly(id("x"), bc);
    assertThat(tokenizer.encode("a<|eot_id|>")).doesNotContain(eot);
    assertThat(tokenizer.encodeWithSpecialTokens("ab<|eot_id|>")).containsExactly(ab, eot);
    assertThat(tokenizer.decode(bos, ab, eot)).isEqualTo("ab");
    assertThat(tokenizer.tokenName(eot)).isEqualTo("<|eot_id|>");
    SpecialTokens special = tokenizer.specialTokens();
    assertThat(special.bos()).hasValue(bos);
    assertThat(special.addBos()).isTrue();
    assertThat(special.endOfGeneration()).containsExactly(eot);
  }

  @Test
  void aWholeWordIsLookedUpFirstWhereTheVocabularySaysSo() {
    int abc = add("abc", NORMAL);
    merge("a", "b");
    assertThat(build("llama-bpe").encode("abc")).containsExactly(abc);
    assertThat(build("smaug-bpe").encode("abc")).containsExactly(id("ab"), id("c"));
  }

  @Test
  void structureListedAsTextIsStillStructure() {
    merge("a", "b");
    int eot = add("<|eot_id|>", NORMAL);
    int end = add("<|end_of_text|>", USER_DEFINED);
    Tokenizer tokenizer = build("llama-bpe");
    assertThat(tokenizer.encode("<|eot_id|><|end_of_text|>")).doesNotContain(eot, end);
    assertThat(tokenizer.specialTokens().endOfGeneration()).containsExactlyInAnyOrder(eot, end);
  }

  @Test
  void userDefinedTokensAreTextThatIsNeverSplit() {
    merge("a", "b");
    int call = add("<tool call>", USER_DEFINED);
    Tokenizer tokenizer = build("llama-bpe");
    assertThat(tokenizer.encode("a<tool call>b")).containsExactly(id("a"), call, id("b"));
    assertThat(tokenizer.decode(call)).isEqualTo("<tool call>");
  }

  @Test
  void theLongestSpecialTokenWins() {
    merge("a", "b");
    int shorter = add("<|x|>", CONTROL);
    int longer = add("<|x|>y", CONTROL);
    Tokenizer tokenizer = build("llama-bpe");
    assertThat(tokenizer.encodeWithSpecialTokens("<|x|>y<|x|>z<|x"))
        .containsExactly(longer, shorter, id("z"), id("<"), id("|"), id("x"));
  }

  @Test
  void statedRolesWinOverNames() {
    merge("a", "b");
    add("<|begin_of_text|>", CONTROL);
    TokenRoles roles = new TokenRoles(OptionalInt.of(5), Optional.of(false), List.of(7));
    SpecialTokens special = build("llama-bpe", roles).specialTokens();
    assertThat(special.bos()).hasValue(5);
    assertThat(special.addBos()).isFalse();
    assertThat(special.endOfGeneration()).containsExactly(7);
    TokenRoles outside = new TokenRoles(OptionalInt.of(9999), Optional.empty(), List.of());
    assertThatThrownBy(() -> build("llama-bpe", outside))
        .isInstanceOf(CheckpointException.class)
        .hasMessageContainingAll("test.gguf", "9999");
  }

  @Test
  @Timeout(value = 60, threadMode = ThreadMode.SEPARATE_THREAD)
  void aMillionEqualLettersTakeNoQuadraticTime() {
    merge("a", "a");
    merge("aa", "aa");
    Tokenizer tokenizer = build("llama-bpe");
    assertThat(tokenizer.encode("a".repeat(1_000_000))).hasSize(250_000);
  }

  @Test
  void anyTextComesBackAndUnpairedSurrogatesAreReplacements() {
    merge("a", "b");
    Tokenizer tokenizer = build("llama-bpe");
    String text = "ab \u0000\uD83D\uDE00\r\n é\u0301 中";
    assertThat(tokenizer.decode(tokenizer.encode(text))).isEqualTo(text);
    assertThat(tokenizer.decode(tokenizer.encode("a\uD800"))).isEqualTo("a\uFFFD");
  }

  @Test
  void idsOutsideTheVocabularyAreRefused() {
    merge("a", "b");
    Tokenizer tokenizer = build("llama-bpe");
    for (int id : new int[] {-1, 257, Integer.MAX_VALUE}) {
      assertThatThrownBy(() -> tokenizer.decode(id))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("token %d".formatted(id));
    }
  }

  @Test
  void faultyVocabulariesAreRefusedByName() {
    assertThatThrownBy(() -> build("llama-bpe")).hasMessageContainingAll("test.gguf", "merges");
    merges.add("ab");
    assertThatThrownBy(() -> build("llama-bpe")).hasMessageContaining("merge 0");
    merges.set(0, "a b");
    assertThatThrownBy(() -> build("llama-bpe")).hasMessageContaining("not in the vocabulary");
    assertThatThrownBy(() -> build("qwen2"))
        .isInstanceOf(CheckpointException.class)
        .hasMessageContaining("\"qwen2\"");
    tokens.set(0, "missing");
    merges.set(0, "a c");
    add("ac", NORMAL);
    assertThatThrownBy(() -> build("llama-bpe")).hasMessageContaining("byte 0x21");
  }

  private int add(String token, int type) {
    tokens.add(token);
    types.add(type);
    return tokens.size() - 1;
  }

  private int merge(String left, String right) {
    merges.add(left + " " + right);
    return add(left + right, NORMAL);
  }

  private int id(String token) {
    return tokens.indexOf(token);
  }

  private Tokenizer build(String preTokenizer) {
    return build(preTokenizer, TokenRoles.UNSTATED);
  }

  private Tokenizer build(String preTokenizer, TokenRoles roles) {
    return ByteBpeTokenizer.of(
        "test.gguf",
        Utf8Strings.of(tokens.toArray(String[]::new)),
        types.stream().mapToInt(Integer::intValue).toArray(),
        Utf8Strings.of(merges.toArray(String[]::new)),
        preTokenizer,
        roles);
  }
}
