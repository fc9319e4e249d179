package io.cusco.llama.tokenizer;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;

/// The scanner against its slow obvious twin, the pattern itself in `java.util.regex`.
class Llama3SplitTest {
  private static final Pattern TWIN =
      Pattern.compile(Llama3Split.PATTERN, Pattern.UNICODE_CHARACTER_CLASS | Pattern.UNICODE_CASE);

  private static final String[] PARTS = {
    "a",
    "Z",
    "é",
    "ſ",
    "ǅ",
    "ʰ",
    "中",
    "\uD801\uDC00",
    "\u0301",
    "1",
    "٣",
    "Ⅷ",
    "²",
    "\uD835\uDFD8",
    " ",
    "  ",
    "\t",
    "\n",
    "\r",
    "\r\n",
    "\u000B",
    "\u0085",
    "\u00A0",
    "\u1680",
    "\u2003",
    "\u2028",
    "\u3000",
    "\u001C",
    "\u180E",
    "\u200B",
    "'",
    "'s",
    "'S",
    "'ſ",
    "'ll",
    "'LL",
    "'re",
    "'vE",
    "'d",
    "'r",
    "’",
    "!",
    "_",
    "+",
    "😀",
    "\uFFFD",
    "\u0000",
    "\u00AD",
    "<|",
    "'\u212A"
  };

  @Test
  void randomTextsSplitAsThePatternSaysSeed1() {
    Random random = new Random(1);
    for (int i = 0; i < 20_000; i++) {
      StringBuilder text = new StringBuilder();
      int length = random.nextInt(13);
      for (int j = 0; j < length; j++) {
        text.append(PARTS[random.nextInt(PARTS.length)]);
      }
      assertSplitsAsThePattern(text.toString());
    }
  }

  @Test
  void everyCodePointSplitsAsThePatternSays() {
    for (int c = 0; c <= Character.MAX_CODE_POINT; c++) {
      if (Character.getType(c) != Character.SURROGATE) {
        assertSplitsAsThePattern("a " + Character.toString(c) + Character.toString(c) + "b1");
      }
    }
  }

  @Test
  void aMillionCharactersOfOneKindAreOneLinearScan() {
    for (String part : List.of("a", " ", "\n", "!", " \n")) {
      assertThat(String.join("", split(part.repeat(1_000_000)))).hasSize(1_000_000 * part.length());
    }
  }

  private static void assertSplitsAsThePattern(String text) {
    List<String> expected = new ArrayList<>();
    Matcher matcher = TWIN.matcher(text);
    while (matcher.find()) {
      expected.add(matcher.group());
    }
    if (!split(text).equals(expected)) {
      assertThat(split(text)).as(text.codePoints().boxed().toList().toString()).isEqualTo(expected);
    }
  }

  private static List<String> split(String text) {
    List<String> words = new ArrayList<>();
    int from = 0;
    while (from < text.length()) {
      int end = Llama3Split.next(text, from, text.length());
      words.add(text.substring(from, end));
      from = end;
    }
    return words;
  }
}
