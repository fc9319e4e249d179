package io.cusco.llama.engine;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.Timeout.ThreadMode;

class TextStreamTest {

  @Test
  void theStopStringThatEndsFirstWinsHoweverTheTextIsCut() {
    List<String> stops = List.of("abcd", "bc");
    assertThat(shown(stops, "xabcd")).isEqualTo("xa");
    assertThat(shown(stops, "x", "a", "b", "c", "d")).isEqualTo("xa");
  }

  @Test
  void ofTwoThatEndTogetherTheLongerIsCut() {
    assertThat(shown(List.of("c", "abc"), "xab", "c")).isEqualTo("x");
  }

  @Test
  void aFalseStartIsShownAsSoonAsItIsOne() {
    TextStream stream = stream(List.of("aab"), "a", "a", "a", "x");
    assertThat(stream.append(0)).isEmpty();
    assertThat(stream.append(1)).isEmpty();
    assertThat(stream.append(2)).isEqualTo("a");
    assertThat(stream.append(3)).isEqualTo("aax");
    assertThat(stream.finish()).isEmpty();
  }

  @Test
  @Timeout(value = 60, threadMode = ThreadMode.SEPARATE_THREAD)
  void longRepetitiveStopStringsTakeLinearTime() {
    String stop = "a".repeat(200_000) + "b";
    String text = "a".repeat(1_000_000);
    // Trying every start would take 2e11 comparisons.
    assertThat(shown(List.of(stop), text)).isEqualTo(text);
  }

  @Test
  void randomTextsAreCutAsBySearchingTheWholeText() {
    long seed = 4711;
    Random random = new Random(seed);
    for (int round = 0; round < 20_000; round++) {
      List<String> stops = new ArrayList<>();
      for (int i = random.nextInt(4); i > 0; i--) {
        stops.add(word(random, 1 + random.nextInt(5)));
      }
      List<String> pieces = new ArrayList<>();
      for (int i = random.nextInt(10); i > 0; i--) {
        pieces.add(word(random, random.nextInt(5)));
      }
      String text = String.join("", pieces);
      assertThat(shown(stops, pieces.toArray(String[]::new)))
          .as("seed %d, round %d: %s in %s", seed, round, stops, pieces)
          .isEqualTo(OneAtATime.cutAtStop(text, stops));
    }
  }

  private static String shown(List<String> stops, String... pieces) {
    TextStream stream = stream(stops, pieces);
    StringBuilder shown = new StringBuilder();
    for (int i = 0; i < pieces.length && !stream.isStopped(); i++) {
      shown.append(stream.append(i));
    }
    return shown.append(stream.finish()).toString();
  }

  /// Token `i` is `pieces[i]`.
  private static TextStream stream(List<String> stops, String... pieces) {
    PieceDecoder decoder =
        new PieceDecoder() {
          @Override
          public String append(int id) {
            return pieces[id];
          }

          @Override
          public String flush() {
            return "";
          }
        };
    return new TextStream(decoder, stops);
  }

  private static String word(Random random, int length) {
    StringBuilder word = new StringBuilder();
    for (int i = 0; i < length; i++) {
      word.append((char) ('a' + random.nextInt(2)));
    }
    return word.toString();
  }
}
