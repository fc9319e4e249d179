package io.cusco.llama.chat;

import static org.assertj.core.api.Assertions.assertThat;

import io.cusco.llama.testkit.Json;
import io.cusco.llama.testkit.TestData;
import io.cusco.llama.tokenizer.Tokenizer;
import io.cusco.llama.tokenizer.TokenizerFiles;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/// Every case of the reference data: ids made by Meta's reference code and by the published
/// templates.
class ChatReferenceTest {
  private static Path cases;
  private static Tokenizer llama2;
  private static Tokenizer llama3;

  @BeforeAll
  static void readTokenizers() {
    cases = TestData.require("chat");
    Path tokenizers = TestData.require("tokenizers");
    llama2 = TokenizerFiles.read(tokenizers.resolve("llama2/tokenizer.model"));
    llama3 = TokenizerFiles.read(tokenizers.resolve("llama3/tokenizer.model"));
  }

  @Test
  void llama2DialoguesMatchMetasReference() {
    ChatFormat format = ChatFormat.named("llama2", llama2);
    for (Map<String, Object> c : linesOf("llama2.jsonl")) {
      assertIds(c, format.encode(ChatCases.messages(c)));
    }
  }

  @Test
  void llama3DialoguesMatchMetasReference() {
    for (Map<String, Object> c : linesOf("llama3.jsonl")) {
      assertIds(c, referenceFormat(c).encode(ChatCases.messages(c)));
    }
  }

  @Test
  void toolDialoguesMatchMetasReference() {
    for (Map<String, Object> c : linesOf("llama31_tools.jsonl")) {
      ToolPromptFormat toolFormat =
          ToolPromptFormat.valueOf(((String) c.get("tool_prompt_format")).toUpperCase(Locale.ROOT));
      ChatOptions options = ChatOptions.DEFAULT.withToolPromptFormat(toolFormat);
      assertIds(c, referenceFormat(c).encode(ChatCases.messages(c), options));
    }
  }

  @Test
  void dialoguesMatchThePublishedTemplates() {
    for (Map<String, Object> c : linesOf("hf_templates.jsonl")) {
      String name = ((String) c.get("format")).replace("hf-", "");
      int[] ids =
          ChatFormat.named(name, llama3)
              .encode(ChatCases.messages(c), ChatCases.options((Map<?, ?>) c.get("kwargs")));
      assertThat(ids)
          .as("the case's text has no special token inside a message, so both encodings agree")
          .isEqualTo(llama3.encodeWithSpecialTokens((String) c.get("text")));
      assertIds(c, ids);
    }
  }

  @Test
  void infillPromptsMatchMetasReference() {
    // Llama 2's vocabulary: Code Llama's has these tokens behind it.
    InfillPrompt prompt = new InfillPrompt(llama2, 32007, 32008, 32009, 32010);
    for (Map<String, Object> c : linesOf("codellama_infill.jsonl")) {
      String prefix = (String) c.get("prefix");
      String suffix = (String) c.get("suffix");
      boolean psm = ((String) c.get("format")).endsWith("psm");
      assertIds(
          c,
          psm
              ? prompt.prefixSuffixMiddle(prefix, suffix)
              : prompt.suffixPrefixMiddle(prefix, suffix));
    }
  }

  @Test
  void repliesParseAsInMetasReference() {
    ChatFormat format = ChatFormat.named("llama3.1", llama3);
    for (Map<String, Object> c : linesOf("toolcall_parse.jsonl")) {
      int[] ids = llama3.encodeWithSpecialTokens((String) c.get("text"));
      Message reply = format.parseReply(ids);
      assertThat(reply.content()).as("%s", c).isEqualTo(c.get("content"));
      assertThat(ChatCases.values(reply.toolCalls()))
          .as("%s", c)
          .isEqualTo(ChatCases.values(ChatCases.toolCalls(c.get("tool_calls"))));
      assertThat(reply.endOfMessage())
          .as("%s", c)
          .isEqualTo(c.get("stop_reason").equals("end_of_message"));
    }
  }

  private static List<Map<String, Object>> linesOf(String file) {
    List<Map<String, Object>> lines = Json.lines(cases.resolve(file));
    assertThat(lines).as(file).isNotEmpty();
    return lines;
  }

  private static void assertIds(Map<String, Object> c, int[] ids) {
    assertThat(ids).as("%s", c).isEqualTo(Json.ints(c.get("ids")));
  }

  private static ChatFormat referenceFormat(Map<String, Object> c) {
    boolean strips = c.get("format").equals("llama3-strip");
    return ChatFormat.named(strips ? "llama3" : "llama3-meta", llama3);
  }
}
