package io.cusco.llama.chat;

import io.cusco.llama.tokenizer.Tokenizer;
import java.time.LocalDate;
import java.time.format.DateTimeFormatter;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Collectors;

/// The templates published with Llama 3.1, 3.2 and 3.3 Instruct (`tokenizer_config.json`,
/// `chat_template`): a system message with dates always comes first, contents are trimmed, tools
/// are introduced in the first user message (or in the system message), a tool's result is quoted
/// as JSON, and an assistant's turn is either text or one tool call, whose content is left out.
///
/// The template of 3.1 knows built-in tools and has a fixed default date; that of 3.2 has no
/// built-in tools and takes today.
final class Llama31Chat implements ChatFormat {
  static final String TOOLS_IN_USER_MESSAGE =
      "Given the following functions, please respond with a JSON for a function call ";

  private static final String TOOLS_IN_SYSTEM_MESSAGE =
      "You have access to the following functions. To call a function, please respond with JSON for"
          + " a function call.";
  private static final String TOOL_CALL_SHAPE =
      "Respond in the format {\"name\": function name, \"parameters\": dictionary of argument name"
          + " and its value}.Do not use variables.\n\n";

  /// The default of 3.1's template.
  private static final String DEFAULT_DATE = "26 Jul 2024";

  /// `strftime_now("%d %b %Y")`.
  private static final DateTimeFormatter DATE =
      DateTimeFormatter.ofPattern("dd MMM yyyy", Locale.ENGLISH);

  private final Tokenizer tokenizer;
  private final Llama3Tokens tokens;
  private final boolean knowsBuiltinTools;

  /// @param knowsBuiltinTools Llama 3.1's and 3.3's template instead of 3.2's
  Llama31Chat(Tokenizer tokenizer, boolean knowsBuiltinTools) {
    this.tokenizer = tokenizer;
    this.knowsBuiltinTools = knowsBuiltinTools;
    tokens = Llama3Tokens.of(tokenizer);
  }

  @Override
  public String name() {
    return knowsBuiltinTools ? ChatFormats.LLAMA31 : ChatFormats.LLAMA32;
  }

  @Override
  public int[] encode(List<Message> messages, ChatOptions options) {
    List<String> builtinTools = knowsBuiltinTools ? options.builtinTools() : List.of();
    boolean hasSystem = !messages.isEmpty() && messages.getFirst().role() == Role.SYSTEM;
    List<Message> turns = hasSystem ? messages.subList(1, messages.size()) : messages;
    PromptBuilder prompt = new PromptBuilder(tokenizer).special(tokens.beginOfText());
    String system = hasSystem ? PythonText.strip(messages.getFirst().content()) : "";
    turn(prompt, Role.SYSTEM, systemText(system, builtinTools, options));
    if (!options.tools().isEmpty() && options.toolsInUserMessage()) {
      if (turns.isEmpty() || turns.getFirst().role() != Role.USER) {
        throw new IllegalArgumentException(
            "tools are introduced in the first user message, so the first message after the system"
                + " message must be the user's; or set toolsInUserMessage to false");
      }
      String text =
          TOOLS_IN_USER_MESSAGE
              + "with its proper arguments that best answers the given prompt.\n\n"
              + TOOL_CALL_SHAPE
              + descriptions(options.tools())
              + PythonText.strip(turns.getFirst().content());
      turn(prompt, Role.USER, text);
      turns = turns.subList(1, turns.size());
    }
    for (Message message : turns) {
      encodeTurn(message, builtinTools, prompt);
    }
    if (options.addGenerationPrompt()) {
      tokens.header(prompt, Llama3Tokens.nameOf(Role.ASSISTANT));
      prompt.text("\n\n");
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

  private String systemText(String system, List<String> builtinTools, ChatOptions options) {
    StringBuilder text = new StringBuilder();
    if (!builtinTools.isEmpty() || !options.tools().isEmpty()) {
      text.append("Environment: ipython\n");
    }
    if (!builtinTools.isEmpty()) {
      text.append("Tools: ")
          .append(
              builtinTools.stream()
                  .filter(tool -> !tool.equals(BuiltinTools.CODE_INTERPRETER))
                  .collect(Collectors.joining(", ")))
          .append("\n\n");
    }
    text.append("Cutting Knowledge Date: December 2023\n");
    text.append("Today Date: ").append(date(options)).append("\n\n");
    if (!options.tools().isEmpty() && !options.toolsInUserMessage()) {
      text.append(TOOLS_IN_SYSTEM_MESSAGE)
          .append(TOOL_CALL_SHAPE)
          .append(descriptions(options.tools()));
    }
    return text.append(system).toString();
  }

  private String date(ChatOptions options) {
    return options
        .date()
        .orElseGet(
            () -> knowsBuiltinTools ? DEFAULT_DATE : LocalDate.now(options.clock()).format(DATE));
  }

  private static String descriptions(List<String> tools) {
    return tools.stream()
        .map(tool -> PythonJson.write(tool, PythonJson.INDENTED) + "\n\n")
        .collect(Collectors.joining());
  }

  private void encodeTurn(Message message, List<String> builtinTools, PromptBuilder prompt) {
    if (!message.toolCalls().isEmpty()) {
      encodeToolCall(message.toolCalls(), builtinTools, prompt);
    } else if (message.role() == Role.TOOL) {
      String json =
          message.jsonContent()
              ? PythonJson.write(message.content(), PythonJson.PLAIN)
              : PythonJson.quote(message.content(), PythonJson.PLAIN);
      turn(prompt, Role.TOOL, json);
    } else {
      turn(prompt, message.role(), PythonText.strip(message.content()));
    }
  }

  private void encodeToolCall(
      List<ToolCall> calls, List<String> builtinTools, PromptBuilder prompt) {
    if (calls.size() != 1) {
      throw new IllegalArgumentException(
          "this model makes one tool call in a turn, the message has " + calls.size());
    }
    ToolCall call = calls.getFirst();
    tokens.header(prompt, Llama3Tokens.nameOf(Role.ASSISTANT));
    if (builtinTools.contains(call.name())) {
      prompt.text("\n\n").special(tokens.requirePythonTag()).text(builtinCall(call));
    } else {
      prompt.text(
          "\n\n{\"name\": \"%s\", \"parameters\": %s}"
              .formatted(call.name(), PythonJson.write(call.arguments(), PythonJson.PLAIN)));
    }
    prompt.special(builtinTools.isEmpty() ? tokens.endOfTurn() : tokens.requireEndOfMessage());
  }

  private static String builtinCall(ToolCall call) {
    Map<String, String> arguments = PythonJson.stringMembers(call.arguments());
    if (arguments.containsValue(null)) {
      throw new IllegalArgumentException(
          "the arguments of the built-in tool %s must all be strings, got %s"
              .formatted(call.name(), call.arguments()));
    }
    return arguments.entrySet().stream()
        .map(argument -> "%s=\"%s\"".formatted(argument.getKey(), argument.getValue()))
        .collect(Collectors.joining(", ", call.name() + ".call(", ")"));
  }

  private void turn(PromptBuilder prompt, Role role, String text) {
    tokens.header(prompt, Llama3Tokens.nameOf(role));
    prompt.text("\n\n" + text).special(tokens.endOfTurn());
  }
}
