package io.cusco.llama.chat;

import io.cusco.llama.tokenizer.Tokenizer;
import java.util.List;

/// Llama 3's dialogue as Meta's reference code writes it: a header, two newlines and the content
/// for each turn, each encoded by itself.
///
/// ```
/// <|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\n{content}<|eot_id|>
/// <|start_header_id|>assistant<|end_header_id|>\n\n
/// ```
///
/// The first Llama 3 code (`tokenizer.py`, `ChatFormat`) and the template published with it trim
/// contents; the later code (llama-models, `chat_format.py`) takes them as they are and adds tool
/// calls. One difference from the latter: in the form `[f(x="...")]` strings are escaped and the
/// keys of dictionaries quoted, where the reference writes them raw and so makes Python that cannot
/// be read back.
final class Llama3Chat implements ChatFormat {
  private final Tokenizer tokenizer;
  private final Llama3Tokens tokens;
  private final boolean trim;

  Llama3Chat(Tokenizer tokenizer, boolean trim) {
    this.tokenizer = tokenizer;
    this.trim = trim;
    tokens = Llama3Tokens.of(tokenizer);
  }

  @Override
  public String name() {
    return trim ? ChatFormats.LLAMA3 : ChatFormats.LLAMA3_META;
  }

  @Override
  public int[] encode(List<Message> messages, ChatOptions options) {
    if (!options.tools().isEmpty() || !options.builtinTools().isEmpty()) {
      throw new IllegalArgumentException(
          "the chat format %s does not introduce tools; describe them in the system message, or use"
                  .formatted(name())
              + " the format llama3.1");
    }
    PromptBuilder prompt = new PromptBuilder(tokenizer).special(tokens.beginOfText());
    for (Message message : messages) {
      encodeTurn(message, options.toolPromptFormat(), prompt);
    }
    if (options.addGenerationPrompt()) {
      header(prompt, Role.ASSISTANT);
    }
    return prompt.build();
  }

  @Override
  public Message parseReply(int... ids) {
    return new ReplyParser(tokenizer, tokens).parse(ids);
  }

  @Override
  public List<Integer> stopTokenIds() {
    return tokens.stopTokenIds();
  }

  private void encodeTurn(Message message, ToolPromptFormat format, PromptBuilder prompt) {
    header(prompt, message.role());
    List<ToolCall> calls = message.toolCalls();
    if (!calls.isEmpty() && calls.getFirst().name().equals(BuiltinTools.CODE_INTERPRETER)) {
      prompt.special(tokens.requirePythonTag());
    }
    prompt.text(trim ? PythonText.strip(message.content()) : message.content());
    for (ToolCall call : calls) {
      prompt.text(textOf(call, format));
    }
    prompt.special(message.endOfMessage() ? tokens.requireEndOfMessage() : tokens.endOfTurn());
  }

  private void header(PromptBuilder prompt, Role role) {
    tokens.header(prompt, Llama3Tokens.nameOf(role));
    prompt.text("\n\n");
  }

  private static String textOf(ToolCall call, ToolPromptFormat format) {
    return BuiltinTools.referenceText(call)
        .orElseGet(() ->
            switch (format) {
              case JSON ->
                  "{\"type\": \"function\", \"name\": %s, \"parameters\": %s}"
                      .formatted(
                          PythonJson.quote(call.name(), PythonJson.ASCII),
                          PythonJson.write(call.arguments(), PythonJson.ASCII));
              case FUNCTION_TAG ->
                  "<function=%s>%s</function>"
                      .formatted(call.name(), PythonJson.write(call.arguments(), PythonJson.ASCII));
              case PYTHON_LIST ->
                  "[%s(%s)]".formatted(call.name(), PythonJson.keywordArguments(call.arguments()));
            });
  }
}
