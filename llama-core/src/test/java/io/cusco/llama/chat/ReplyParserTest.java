package io.cusco.llama.chat;

import static org.assertj.core.api.Assertions.assertThat;

import io.cusco.llama.tokenizer.Tokenizer;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class ReplyParserTest {
  private final Tokenizer tokenizer = ChatFormatTest.llama3Bytes();
  private final ChatFormat format = ChatFormat.named("llama3.1", tokenizer);

  @ParameterizedTest
  @CsvSource(
      delimiter = '~',
      quoteCharacter = '`',
      value = {
        "{\"name\": \"f\", \"parameters\": {\"x\":[1,{}]}}~f~{\"x\": [1, {}]}",
        " {\"name\":\"f\",\"arguments\":{}}~f~{}",
        "<function=f>{\"x\": \"</function>\"}</function>~f~{\"x\": \"</function>\"}",
        "brave_search.call(query=\"a \"b\" c\")~brave_search~{\"query\": \"a \\\"b\\\" c\"}",
        "[f(x=-1.5, s='a\\'\\n\\u00e9', n=None, t=True, d={\"k\": [.5, 1e3]})]~f"
            + "~{\"x\": -1.5, \"s\": \"a'\\né\", \"n\": null, \"t\": true, \"d\": {\"k\": [0.5, 1000.0]}}",
        "[ns.f ( ) ]~ns.f~{}",
        "<|python_tag|>wolfram_alpha.call(query=\"1+1\", mode=\"x\")~wolfram_alpha"
            + "~{\"query\": \"1+1\", \"mode\": \"x\"}",
        "<|python_tag|>{\"name\": \"f\", \"parameters\": {}}~f~{}",
        "<|python_tag|>print(\"1\")~code_interpreter~{\"code\": \"print(\\\"1\\\")\"}"
      })
  void callsAreRead(String reply, String name, String arguments) {
    Message message = parse(reply);
    assertThat(message.content()).isEmpty();
    assertThat(message.toolCalls()).containsExactly(new ToolCall(name, arguments));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "Hello",
        "[1, 2]",
        "[]",
        "[f(1)]",
        "[f(x=y)]",
        "[f(x=1)",
        "[f(x=1)] and more",
        "[f(x=1e999)]",
        "[f(x='\\q')]",
        "[f(x='\\u12",
        "{\"name\": \"f\"}",
        "{\"name\": \"\", \"parameters\": {}}",
        "{\"name\": 1, \"parameters\": {}}",
        "{\"name\": \"f\", \"parameters\": [1]}",
        "{\"name\": \"f\", \"parameters\": {}} x",
        "{\"name\": \"f\", \"parameters\": {",
        "<function=f>{x}</function>",
        "<function=>{}</function>",
        "print.call(query=\"x\")"
      })
  void anythingElseIsText(String reply) {
    Message message = parse(reply);
    assertThat(message.toolCalls()).isEmpty();
    assertThat(message.content()).isEqualTo(reply);
  }

  @Test
  void severalCallsInAListAreAllRead() {
    assertThat(parse("[f(x=1), g(y='b')]").toolCalls())
        .containsExactly(new ToolCall("f", "{\"x\": 1}"), new ToolCall("g", "{\"y\": \"b\"}"));
  }

  @Test
  void deepNestingIsTextAndNoStackOverflow() {
    for (String open : List.of("[f(x=" + "[".repeat(100_000), "{\"a\":".repeat(100_000))) {
      assertThat(parse(open).content()).isEqualTo(open);
    }
    String tag = "<function=f>" + "{\"a\":".repeat(100_000) + "1" + "}".repeat(100_000);
    assertThat(parse(tag).content()).isEqualTo(tag);
  }

  @Test
  void textThatSpellsThePythonTagIsText() {
    int[] ids = tokenizer.encode("<|python_tag|>print(1)");
    assertThat(format.parseReply(ids).toolCalls()).isEmpty();
  }

  @ParameterizedTest
  @CsvSource({
    "1.0, 1.0",
    "1e15, 1000000000000000.0",
    "1e16, 1e+16",
    "1.5e300, 1.5e+300",
    "0.0001, 0.0001",
    "0.00001, 1e-05",
    "-2.5e-7, -2.5e-07",
    "-0.0, -0.0",
    "2.5, 2.5",
    "123456789.125, 123456789.125",
    "5e-324, 5e-324"
  })
  void numbersReadAsPythonPrintsThem(double value, String expected) {
    // Expected values: repr(float) of Python 3.
    assertThat(PythonJson.number(value)).isEqualTo(expected);
  }

  private Message parse(String reply) {
    return format.parseReply(tokenizer.encodeWithSpecialTokens(reply));
  }
}
