package io.cusco.llama.tokenizer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.cusco.llama.checkpoint.CheckpointException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.Timeout.ThreadMode;

/// Hand-made vocabularies; expectations follow from sentencepiece's rules.
class SentencePieceTokenizerTest {
  private static final int NORMAL = 1;
  private static final int UNKNOWN = 2;
  private static final int CONTROL = 3;
  private static final int USER_DEFINED = 4;
  private static final int BYTE = 6;

  private final List<String> pieces = new ArrayList<>();
  private final List<Float> scores = new ArrayList<>();
  private final List<Integer> types = new ArrayList<>();

  @Test
  void controlPiecesAreNeverMatchedInText() {
    addLlamaStart();
    add("▁", -1, NORMAL);
    Tokenizer tokenizer = build(true);
    assertThat(tokenizer.encode("<s>")).doesNotContain(1);
    assertThat(tokenizer.encodeWithSpecialTokens("<s>")).containsExactly(1);
    assertThat(tokenizer.decode(1)).isEmpty();
    assertThat(tokenizer.decode(tokenizer.encode("<s> </s>"))).isEqualTo("<s> </s>");
  }

  @Test
  void userDefinedPiecesAreMatchedWholeAndTheLongestFirst() {
    addLlamaStart();
    int space = add("▁", -1, NORMAL);
    int a = add("a", -2, NORMAL);
    add("a<", -0.5f, NORMAL);
    int pre = add("<PRE>", 0, USER_DEFINED);
    int preX = add("<PRE>x", 0, USER_DEFINED);
    Tokenizer tokenizer = build(true);
    assertThat(tokenizer.encode("a<PRE>a")).containsExactly(space, a, pre, a);
    assertThat(tokenizer.encode("<PRE>x")).containsExactly(space, preX);
    assertThat(tokenizer.specialTokens().find("<PRE>")).hasValue(pre);
  }

  @Test
  void charactersThatAreNoPiecesMergeIntoPieces() {
    addLlamaStart();
    int ab = add("ab", -1, NORMAL);
    Tokenizer tokenizer = build(false);
    assertThat(tokenizer.encode("ab")).containsExactly(ab);
    assertThat(tokenizer.encode("b")).containsExactly(3 + 'b');
  }

  @Test
  void withoutBytePiecesARunOfUnknownCharactersIsOneUnknownToken() {
    add("<unk>", 0, UNKNOWN);
    int a = add("a", -1, NORMAL);
    Tokenizer tokenizer = build(false);
    assertThat(tokenizer.encode("axya")).containsExactly(a, 0, a);
    assertThat(tokenizer.decode(a, 0)).isEqualTo("a \u2047 ");
  }

  @Test
  void onlyTheFirstSpaceOfATextIsDropped() {
    addLlamaStart();
    int space = add("▁", -1, NORMAL);
    Tokenizer tokenizer = build(true);
    assertThat(tokenizer.decode(1, space, space, 3 + 'x')).isEqualTo(" x");
    assertThat(tokenizer.decode(tokenizer.encode("  x "))).isEqualTo("  x ");
    assertThat(tokenizer.encodeContinuation("x")).containsExactly(3 + 'x');
    assertThat(tokenizer.encode("")).isEmpty();
  }

  @Test
  void randomTextsMergeAsInTheQuadraticTwinSeed3() {
    addLlamaStart();
    Random random = new Random(3);
    String letters = "abc▁";
    Map<String, Integer> ids = new HashMap<>();
    for (int i = 0; i < 60; i++) {
      StringBuilder piece = new StringBuilder();
      int length = i < 4 ? 1 : 1 + random.nextInt(4);
      for (int j = 0; j < length; j++) {
        piece.append(letters.charAt(i < 4 ? i : random.nextInt(letters.length())));
      }
      if (!ids.containsKey(piece.toString())) {
        // Few different scores, so that ties are common.
        ids.put(piece.toString(), add(piece.toString(), -random.nextInt(8), NORMAL));
      }
    }
    Tokenizer tokenizer = build(true);
    for (int i = 0; i < 3_000; i++) {
      StringBuilder text = new StringBuilder();
      int length = 1 + random.nextInt(20);
      for (int j = 0; j < length; j++) {
        text.append("abc ".charAt(random.nextInt(4)));
      }
      assertThat(tokenizer.encode(text.toString()))
          .as("\"%s\"", text)
          .isEqualTo(twin("▁" + text.toString().replace(' ', '▁'), ids));
    }
  }

  @Test
  @Timeout(value = 60, threadMode = ThreadMode.SEPARATE_THREAD)
  void aMillionEqualLettersTakeNoQuadraticTime() {
    addLlamaStart();
    add("a", -3, NORMAL);
    add("aa", -1, NORMAL);
    add("aaaa", -2, NORMAL);
    Tokenizer tokenizer = build(false);
    assertThat(tokenizer.encode("a".repeat(1_000_000))).hasSize(250_000);
  }

  @Test
  void inconsistentVocabulariesAreRefusedByName() {
    addLlamaStart();
    String[] names = pieces.toArray(String[]::new);
    float[] noScores = new float[3];
    int[] kinds = types.stream().mapToInt(Integer::intValue).toArray();
    assertThatThrownBy(() ->
            SentencePieceTokenizer.of("m.gguf", names, noScores, kinds, true, TokenRoles.UNSTATED))
        .isInstanceOf(CheckpointException.class)
        .hasMessageContainingAll("m.gguf", "259 tokens", "3 scores");
    scores.set(5, Float.NaN);
    assertThatThrownBy(() -> build(true)).hasMessageContainingAll("token 5", "score");
    scores.set(5, 0f);
    pieces.set(7, "<0xZZ>");
    assertThatThrownBy(() -> build(true)).hasMessageContaining("byte token 7");
    types.set(7, 9);
    assertThatThrownBy(() -> build(true)).hasMessageContainingAll("token 7", "type 9");
  }

  /// The best score first, the leftmost of equals; looks at all pairs again after each merge.
  private int[] twin(String text, Map<String, Integer> ids) {
    List<String> symbols = new ArrayList<>(List.of(text.split("")));
    while (true) {
      int best = -1;
      for (int i = 0; i + 1 < symbols.size(); i++) {
        Integer id = ids.get(symbols.get(i) + symbols.get(i + 1));
        if (id != null && (best < 0 || scores.get(id) > scoreOf(symbols, best, ids))) {
          best = i;
        }
      }
      if (best < 0) {
        return symbols.stream().mapToInt(ids::get).toArray();
      }
      symbols.set(best, symbols.get(best) + symbols.remove(best + 1));
    }
  }

  private float scoreOf(List<String> symbols, int left, Map<String, Integer> ids) {
    return scores.get(ids.get(symbols.get(left) + symbols.get(left + 1)));
  }

  private void addLlamaStart() {
    add("<unk>", 0, UNKNOWN);
    add("<s>", 0, CONTROL);
    add("</s>", 0, CONTROL);
    for (int b = 0; b < 256; b++) {
      add("<0x%02X>".formatted(b), 0, BYTE);
    }
  }

  private int add(String piece, float score, int type) {
    pieces.add(piece);
    scores.add(score);
    types.add(type);
    return pieces.size() - 1;
  }

  private Tokenizer build(boolean addDummyPrefix) {
    float[] values = new float[scores.size()];
    for (int i = 0; i < values.length; i++) {
      values[i] = scores.get(i);
    }
    return SentencePieceTokenizer.of(
        "test.gguf",
        pieces.toArray(String[]::new),
        values,
        types.stream().mapToInt(Integer::intValue).toArray(),
        addDummyPrefix,
        TokenRoles.UNSTATED);
  }
}
