package io.cusco.llama.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.cusco.llama.Llama;
import io.cusco.llama.LlamaException;
import io.cusco.llama.LlamaOptions;
import io.cusco.llama.chat.Message;
import io.cusco.llama.cli.demo.DemoModel;
import io.cusco.llama.sampling.SamplingParams;
import io.cusco.llama.sampling.StopConditions;
import io.cusco.llama.testkit.Json;
import io.cusco.llama.testkit.TestData;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class ChatCommandTest {
  private static Cli.Result chat(String input, String... options) {
    assumeTrue(DemoModel.numBytes().isPresent(), "this build has no bundled demo model");
    String[] args = Arrays.copyOf(options, options.length + 3);
    System.arraycopy(new String[] {"chat", "--temperature", "0"}, 0, args, 0, 3);
    System.arraycopy(options, 0, args, 3, options.length);
    return Cli.withInput(input, args);
  }

  @Test
  void eachLineIsATurnAndTheConversationIsKept() {
    Cli.Result result = chat("Tell me a story.\n\nAnother one.\n", "-n", "12", "--json");
    assertThat(result.code()).as(result.err()).isZero();
    List<Map<String, Object>> replies = result.jsonLines();
    assertThat(replies).hasSize(2);
    int[] first = Json.ints(replies.get(0).get("prompt_ids"));
    int[] second = Json.ints(replies.get(1).get("prompt_ids"));
    assertThat(Arrays.copyOf(second, first.length)).isEqualTo(first);
    assertThat(second.length).isGreaterThan(first.length + 12);
  }

  @Test
  void onlyRepliesGoToStdout() {
    Cli.Result text = chat("Tell me a story.\n", "-n", "12");
    Cli.Result json = chat("Tell me a story.\n", "-n", "12", "--json");
    assertThat(text.out()).isEqualTo(json.json().get("text") + "\n");
  }

  @Test
  void theSystemMessageComesFirst() {
    Cli.Result with = chat("Hello.\n", "-n", "1", "--json", "--system", "Be short.");
    Cli.Result without = chat("Hello.\n", "-n", "1", "--json");
    assertThat(Json.ints(with.json().get("prompt_ids")))
        .hasSizeGreaterThan(Json.ints(without.json().get("prompt_ids")).length);
  }

  @Test
  void theOldestTurnsAreForgottenWhenTheContextIsFull() {
    Cli.Result result =
        chat("Tell me a story.\n".repeat(6), "-n", "20", "--json", "--context-length", "96");
    assertThat(result.code()).as(result.err()).isZero();
    assertThat(result.jsonLines()).hasSize(6);
    assertThat(result.err()).contains("the context of 96 tokens is full");
  }

  @Test
  void aMessageThatCannotFitIsRefused() {
    Cli.Result result = chat("story ".repeat(200) + "\n", "--context-length", "64");
    assertThat(result.code()).isEqualTo(1);
    assertThat(result.err()).contains("the message is too long", "the context has 64");
  }

  @Test
  void aLineThatIsNotUtf8IsRefusedAfterTheAnswersBeforeIt() {
    assumeTrue(DemoModel.numBytes().isPresent(), "this build has no bundled demo model");
    byte[] input = "Hello.\r\n\nol\u00e9\n".getBytes(StandardCharsets.ISO_8859_1);
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    ByteArrayOutputStream err = new ByteArrayOutputStream();
    String[] args = {"chat", "--temperature", "0", "-n", "4", "--json"};
    assertThat(Main.run(args, out, err, new ByteArrayInputStream(input))).isEqualTo(1);
    assertThat(err.toString(StandardCharsets.UTF_8)).contains("input line 3 is not UTF-8");
    Cli.Result alone = chat("Hello.\n", "-n", "4", "--json");
    assertThat(Json.ints(Json.object(Json.parse(out.toString(StandardCharsets.UTF_8))).get("ids")))
        .containsExactly(Json.ints(alone.json().get("ids")));
  }

  @Test
  void aMessageThatIsRefusedMakesNothingForgotten() {
    assumeTrue(DemoModel.numBytes().isPresent(), "this build has no bundled demo model");
    try (Llama llama = Llama.open(DemoModel.open(), LlamaOptions.DEFAULT.withContextLength(64))) {
      Conversation conversation =
          new Conversation(
              llama, Optional.empty(), SamplingParams.GREEDY, StopConditions.maxTokens(4));
      try (Conversation.Turn turn = conversation.say("Hello.")) {
        assertThat(turn.finish().ids()).isNotEmpty();
      }
      List<Message> before = conversation.messages();
      assertThatThrownBy(() -> conversation.say("story ".repeat(100)))
          .isInstanceOf(LlamaException.class)
          .hasMessageContaining("too long");
      assertThat(conversation.messages()).isEqualTo(before).hasSize(2);
    }
  }

  @Test
  void aModelThatCannotChatIsRefused() {
    String model = TestData.require("stories260k").resolve("stories260K-F32.gguf").toString();
    Cli.Result result = Cli.withInput("Hello.\n", "chat", "-m", model);
    assertThat(result.code()).isEqualTo(1);
    assertThat(result.out()).isEmpty();
    assertThat(result.err()).contains("not a chat model", "use generate");
  }

  @Test
  void theBundledModelContinuesAPrompt() {
    assumeTrue(DemoModel.numBytes().isPresent(), "this build has no bundled demo model");
    assertThat(DemoModel.numBytes().getAsInt()).isLessThanOrEqualTo(3_000_000);
    Cli.Result result =
        Cli.run("generate", "-p", "Once upon a time", "-n", "20", "--temperature", "0");
    assertThat(result.code()).as(result.err()).isZero();
    assertThat(result.out().strip()).hasSizeGreaterThan(20);
  }
}
