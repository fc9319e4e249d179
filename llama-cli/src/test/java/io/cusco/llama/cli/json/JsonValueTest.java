package io.cusco.llama.cli.json;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class JsonValueTest {
  @Test
  void aValueIsWrittenAsItCame() {
    String json =
        "{\"a\":[1,-0.50,1e3,12345678901234567890],\"b\":{\"é\":null,\"\":true},\"c\":\"\\u0000\\n\"}";
    assertThat(JsonValue.parse(json).json()).isEqualTo(json);
  }

  @Test
  void whatIsMissingIsNull() {
    JsonValue value = JsonValue.parse("{\"a\":null}");
    assertThat(value.get("a").isNull()).isTrue();
    assertThat(value.get("b").isNull()).isTrue();
    assertThat(value.get("b").intOr(7, 0, 9)).isEqualTo(7);
    assertThat(value.get("b").numberOr(0.5, 0, 1)).isEqualTo(0.5);
    assertThat(value.get("b").boolOr(true)).isTrue();
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      value = {
        "4 | 4",
        "4.0 | 4",
        "4e0 | 4",
        "0.4e1 | 4",
        "9223372036854775807 | 9223372036854775807",
        "-9223372036854775808 | -9223372036854775808"
      })
  void wholeNumbersInAnySpelling(String json, long expected) {
    assertThat(JsonValue.parse(json).integer(Long.MIN_VALUE, Long.MAX_VALUE)).isEqualTo(expected);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "4.5",
        "1e400",
        "1e999999999999",
        "-1",
        "11",
        "9223372036854775808",
        "\"4\"",
        "null",
        "[]",
        "1e-999999999"
      })
  void whatIsNoWholeNumberInTheRangeIsRefused(String json) {
    assertThatThrownBy(() -> JsonValue.parse("{\"n\":" + json + "}").get("n").integer(0, 10))
        .isInstanceOf(JsonValueException.class)
        .hasMessageStartingWith("n must be a whole number from 0 to 10, got ");
  }

  @ParameterizedTest
  @ValueSource(strings = {"1e400", "-1e400", "2.0001", "-0.1", "\"1\"", "true", "{}"})
  void whatIsNoNumberInTheRangeIsRefused(String json) {
    assertThatThrownBy(() -> JsonValue.parse("{\"t\":" + json + "}").get("t").number(0, 2))
        .isInstanceOf(JsonValueException.class)
        .hasMessageStartingWith("t must be a number from 0 to 2, got ");
  }

  @Test
  void refusalsNameThePathAndTheValue() {
    JsonValue value = JsonValue.parse("{\"messages\":[{\"content\":\"x\"},{\"content\":7}]}");
    assertThatThrownBy(() -> value.get("messages").list().get(1).get("content").string())
        .isInstanceOfSatisfying(
            JsonValueException.class, e -> assertThat(e.path()).isEqualTo("messages[1].content"))
        .hasMessage("messages[1].content must be a string, got 7");
    String longText = "\"" + "x".repeat(1000) + "\"";
    assertThatThrownBy(() -> JsonValue.parse("{\"a\":" + longText + "}").get("a").bool())
        .hasMessageContaining("got \"xxx")
        .message()
        .hasSizeLessThan(120);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        " ",
        "{",
        "{\"a\":1}}",
        "{\"a\":1} {}",
        "nonsense",
        "{'a':1}",
        "{\"a\":NaN}",
        "[1,]",
        "{\"a\":\"\u0001\"}",
        "\u0000",
        "{\"a\":01}"
      })
  void whatIsNoJsonIsRefusedInOneLine(String json) {
    assertThatThrownBy(() -> JsonValue.parse(json))
        .isInstanceOf(JsonValueException.class)
        .hasMessageStartingWith("not valid JSON")
        .message()
        .doesNotContain("\n");
  }

  @Test
  void theNumberOfValuesIsBounded() {
    String ids = "[" + "0,".repeat(4_000_000) + "0]";
    assertThatThrownBy(() -> JsonValue.parse(ids))
        .isInstanceOf(JsonValueException.class)
        .hasMessageContaining("more than 4000000 values");
    assertThat(JsonValue.parse("[" + "0,".repeat(9_999) + "0]").list()).hasSize(10_000);
  }

  @Test
  void nestingIsBounded() {
    String deep = "[".repeat(100_000) + "]".repeat(100_000);
    assertThatThrownBy(() -> JsonValue.parse(deep)).hasMessageContaining("nesting depth");
    assertThat(JsonValue.parse("[".repeat(100) + "]".repeat(100)).isList()).isTrue();
  }

  @Test
  void bytesHaveToBeUtf8() {
    assertThat(JsonValue.parse("\"é\"".getBytes(StandardCharsets.UTF_8)).string()).isEqualTo("é");
    byte[][] wrong = {
      {'"', (byte) 0xff, '"'},
      {'"', (byte) 0xc3, '"'},
      {'"', (byte) 0xc0, (byte) 0x80, '"'},
      {'"', (byte) 0xed, (byte) 0xa0, (byte) 0x80, '"'}
    };
    for (byte[] bytes : wrong) {
      assertThatThrownBy(() -> JsonValue.parse(bytes)).hasMessage("not UTF-8");
    }
    assertThatThrownBy(() -> JsonValue.parse("{}".getBytes(StandardCharsets.UTF_16LE)))
        .isInstanceOf(JsonValueException.class);
  }
}
