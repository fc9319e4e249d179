package io.cusco.llama.chat;

import static org.assertj.core.api.Assertions.assertThat;

import io.cusco.llama.testkit.Json;
import io.cusco.llama.testkit.TestData;
import io.cusco.llama.tokenizer.Tokenizer;
import io.cusco.llama.tokenizer.TokenizerFiles;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Instant;
import java.time.ZoneOffset;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/// The typed formats against published templates rendered by jinja2.
class ChatTemplateTest {
  private static final Map<String, String> KNOWN =
      Map.of(
          "llama2-official", "llama2",
          "llama3-original", "llama3",
          "meta-llama-Llama-3.1-8B-Instruct", "llama3.1",
          "meta-llama-Llama-3.2-3B-Instruct", "llama3.2",
          "meta-llama-Llama-3.3-70B-Instruct", "llama3.1");

  /// An empty list of tools means "no tools" here, but counts as a list to the templates.
  private static final String EMPTY_TOOLS = "empty_tools";

  private static final Clock RENDERING_DAY =
      Clock.fixed(Instant.parse("2024-07-26T12:00:00Z"), ZoneOffset.UTC);

  private static Path folder;

  @BeforeAll
  static void requireReferenceData() {
    folder = TestData.require("jinja");
  }

  @Test
  void knownTemplatesAreRecognisedAndOthersAreNot() throws IOException {
    try (Stream<Path> templates = Files.list(folder.resolve("templates"))) {
      for (Path template : templates.toList()) {
        String name = template.getFileName().toString().replace(".jinja", "");
        assertThat(ChatFormats.nameOfTemplate(Files.readString(template)).orElse(""))
            .as(name)
            .isEqualTo(KNOWN.getOrDefault(name, ""));
      }
    }
  }

  @Test
  void dialoguesReadAsTheTemplatesRenderThem() throws IOException {
    Path tokenizers = TestData.require("tokenizers");
    Tokenizer llama2 = TokenizerFiles.read(tokenizers.resolve("llama2/tokenizer.model"));
    Tokenizer llama3 = TokenizerFiles.read(tokenizers.resolve("llama3/tokenizer.model"));
    Map<?, ?> dialogues = (Map<?, ?>) Json.parse(Files.readString(folder.resolve("cases.json")));
    Map<?, ?> rendered = (Map<?, ?>) Json.parse(Files.readString(folder.resolve("ref.json")));
    int numCompared = 0;
    for (Map.Entry<String, String> known : KNOWN.entrySet()) {
      boolean isLlama2 = known.getValue().equals("llama2");
      Tokenizer tokenizer = isLlama2 ? llama2 : llama3;
      ChatFormat format = ChatFormat.named(known.getValue(), tokenizer);
      boolean hasTools = known.getValue().startsWith("llama3.");
      for (Object dialogue : dialogues.keySet()) {
        String expected = (String) rendered.get(known.getKey() + "/" + dialogue);
        Map<?, ?> variables = (Map<?, ?>) dialogues.get(dialogue);
        boolean usesTools = dialogue.toString().contains("tool");
        if (expected.startsWith("ERR")
            || dialogue.equals(EMPTY_TOOLS)
            || (!hasTools && usesTools)) {
          continue;
        }
        ChatOptions options = ChatCases.options(variables).withClock(RENDERING_DAY);
        options = hasTools ? options : options.withBuiltinTools(List.of());
        int[] ids = format.encode(ChatCases.messages(variables), options);
        if (isLlama2) {
          // The dialogues name Llama 3's tokens as begin and end of text.
          expected = expected.replace("<|begin_of_text|>", "<s>").replace("<|eot_id|>", "</s>");
        }
        assertThat(text(ids, tokenizer)).as(known + "/" + dialogue).isEqualTo(expected);
        numCompared++;
      }
    }
    assertThat(numCompared).isPositive();
  }

  /// The text of `ids` with special tokens spelled out.
  private static String text(int[] ids, Tokenizer tokenizer) {
    Set<Integer> special = Set.copyOf(tokenizer.specialTokens().ids().values());
    StringBuilder text = new StringBuilder();
    int from = 0;
    for (int i = 0; i <= ids.length; i++) {
      if (i == ids.length || special.contains(ids[i])) {
        text.append(tokenizer.decode(IntStream.of(ids).skip(from).limit(i - from).toArray()));
        text.append(i < ids.length ? tokenizer.tokenName(ids[i]) : "");
        from = i + 1;
      }
    }
    return text.toString();
  }
}
