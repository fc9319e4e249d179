package io.cusco.llama.tokenizer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.util.List;
import org.junit.jupiter.api.Test;

class Utf8StringsTest {
  @Test
  void textsComeBackAsTheyWere() {
    List<String> texts = List.of("", "a", "\u0120the", "\u20ac", "\ud83d\ude00", "");
    Utf8Strings strings = Utf8Strings.of(texts.toArray(String[]::new));
    assertThat(strings.size()).isEqualTo(6);
    for (int i = 0; i < 6; i++) {
      assertThat(strings.get(i)).isEqualTo(texts.get(i));
    }
  }

  @Test
  void textsOutsideTheBytesAreRefused() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> new Utf8Strings(new byte[3], new int[] {1}, new int[] {4}))
        .withMessageContaining("[1, 4) of 3 bytes");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> new Utf8Strings(new byte[3], new int[] {2}, new int[] {1}));
    assertThatIllegalArgumentException()
        .isThrownBy(() -> new Utf8Strings(new byte[3], new int[] {2, 3}, new int[] {3}));
  }

  /// Every char's spelling in UTF-8, and what UTF-8 forbids.
  @Test
  void onlyCharactersOfTheByteAlphabetAreDecoded() {
    boolean[] seen = new boolean[256];
    byte[] target = new byte[1];
    for (char c = 0; c < 0x900; c++) {
      byte[] utf8 = Utf8.encode(String.valueOf(c));
      int end = ByteAlphabet.decode(utf8, 0, utf8.length, target, 0);
      boolean known =
          (c >= '!' && c <= '~') || (c >= 0xA1 && c <= 0xAC) || (c >= 0xAE && c < 256 + 68);
      assertThat(end == 1).as("U+%04X", (int) c).isEqualTo(known);
      if (known) {
        assertThat(seen[target[0] & 0xFF]).as("U+%04X", (int) c).isFalse();
        seen[target[0] & 0xFF] = true;
      }
    }
    assertThat(seen).containsOnly(true);
    for (String broken :
        List.of("\u00C4", "\u00C1\u00A1", "\u00C4A", "\u00A1", "\u00E0\u0084\u00A0")) {
      byte[] bytes = broken.getBytes(java.nio.charset.StandardCharsets.ISO_8859_1);
      assertThat(ByteAlphabet.decode(bytes, 0, bytes.length, new byte[8], 0)).isNegative();
    }
  }
}
