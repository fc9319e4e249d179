package io.cusco.llama.tokenizer;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class Utf8StreamTest {

  // The Unicode Standard 16.0, section 3.9.6, tables 3-8 to 3-11; "?" stands for U+FFFD.
  @ParameterizedTest
  @CsvSource({
    "F18080E180C262806380BF64, ???b?c??d",
    "C0AFE080BFF0818241, ????????A",
    "EDA080EDBFBFEDAF41, ????????A",
    "F4919293FF4180BF42, ?????A??B",
    "E180E2F09192F1BF41, ????A",
    "E180, ?",
    "EDA7, ??",
    "F09F92, ?"
  })
  void eachMaximalMalformedPartBecomesOneReplacement(String hex, String expected) {
    assertThat(decode(HexFormat.of().parseHex(hex))).isEqualTo(expected.replace('?', '\uFFFD'));
  }

  @Test
  void everyCharacterComesBack() {
    for (int c = 0; c <= Character.MAX_CODE_POINT; c++) {
      if (Character.getType(c) == Character.SURROGATE) {
        continue;
      }
      byte[] utf8 = new byte[4];
      int length = Utf8.encode(c, utf8, 0);
      byte[] bytes = Arrays.copyOf(utf8, length);
      String text = Character.toString(c);
      if (!decode(bytes).equals(text)
          || !Arrays.equals(bytes, text.getBytes(StandardCharsets.UTF_8))
          || Utf8.characterLength(bytes, 0, length) != length) {
        assertThat(decode(bytes)).as("U+%04X", c).isEqualTo(text);
      }
    }
  }

  @Test
  void randomBytesDecodeAlikeHoweverTheyAreCutSeed2() {
    Random random = new Random(2);
    byte[] alphabet = HexFormat.of().parseHex("41808F909FA0BFC2DFE0E1EDEFF0F1F4F5FF");
    for (int i = 0; i < 20_000; i++) {
      byte[] bytes = new byte[random.nextInt(9)];
      for (int j = 0; j < bytes.length; j++) {
        bytes[j] = alphabet[random.nextInt(alphabet.length)];
      }
      Utf8Stream stream = new Utf8Stream();
      StringBuilder text = new StringBuilder();
      for (byte b : bytes) {
        stream.append(new byte[] {b}, text);
      }
      stream.finish(text);
      assertThat(text.toString()).isEqualTo(decode(bytes));
    }
  }

  @Test
  void unpairedSurrogatesAreEncodedAsReplacements() {
    assertThat(Utf8.encode("a\uD800b\uDC00"))
        .isEqualTo("a\uFFFDb\uFFFD".getBytes(StandardCharsets.UTF_8));
  }

  private static String decode(byte[] bytes) {
    Utf8Stream stream = new Utf8Stream();
    StringBuilder text = new StringBuilder();
    stream.append(bytes, text);
    stream.finish(text);
    return text.toString();
  }
}
