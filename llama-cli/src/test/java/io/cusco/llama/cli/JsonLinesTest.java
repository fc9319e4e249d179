package io.cusco.llama.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.cusco.llama.LlamaException;
import java.io.ByteArrayInputStream;
import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class JsonLinesTest {
  private static JsonLines of(String text) {
    return new JsonLines(new ByteArrayInputStream(text.getBytes(StandardCharsets.UTF_8)));
  }

  @Test
  void blankLinesAreSkippedAndCounted() {
    JsonLines lines = of("\n{\"text\":\"a\\u0000b\"}\r\n  \n{\"ids\":[1,2]}");
    JsonLines.Line first = lines.next().orElseThrow();
    assertThat(first.number()).isEqualTo(2);
    assertThat(first.text()).contains("a\0b");
    JsonLines.Line second = lines.next().orElseThrow();
    assertThat(second.number()).isEqualTo(4);
    assertThat(second.ids().orElseThrow()).containsExactly(1, 2);
    assertThat(lines.next()).isEmpty();
  }

  @Test
  void anIdIsKeptAsItIsWritten() {
    JsonLines lines = of("{\"id\":\"q\\\"1\",\"text\":\"\"}\n{\"text\":\"\",\"id\":7,\"x\":[{}]}");
    assertThat(lines.next().orElseThrow().id()).contains("\"q\\\"1\"");
    assertThat(lines.next().orElseThrow().id()).contains("7");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "[1]",
        "{\"text\":1}",
        "{\"ids\":[1.5]}",
        "{\"ids\":[\"1\"]}",
        "{\"ids\":{}}",
        "{\"ids\":[99999999999]}",
        "{\"ids\":[1,",
        "{\"text\":\"a\"} x",
        "{\"id\":null,\"text\":\"a\"}",
        "{\"text\":\"a\"",
        "nonsense"
      })
  void aBadLineIsNamed(String line) {
    JsonLines lines = of("\n" + line);
    assertThatThrownBy(lines::next)
        .isInstanceOf(LlamaException.class)
        .hasMessageStartingWith("input line 2: ");
  }

  @Test
  void aLineThatIsNotUtf8IsNamed() {
    JsonLines lines =
        new JsonLines(
            new ByteArrayInputStream(
                "{\"text\":\"\u00ff\"}".getBytes(StandardCharsets.ISO_8859_1)));
    assertThatThrownBy(lines::next)
        .isInstanceOf(LlamaException.class)
        .hasMessageStartingWith("input line 1: ");
  }

  @Test
  void anUnfinishedLineIsNamedInWordsOfOurs() {
    assertThatThrownBy(of("{\"ids\":[1]")::next)
        .hasMessage("input line 1: Unexpected end-of-input: expected close marker for Object");
  }

  @Test
  void deepNestingIsRefused() {
    JsonLines lines = of("{\"x\":" + "[".repeat(100_000));
    assertThatThrownBy(lines::next).isInstanceOf(LlamaException.class);
  }
}
