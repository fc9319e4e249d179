package io.cusco.llama.chat;

import io.cusco.llama.checkpoint.Checkpoint;
import io.cusco.llama.checkpoint.CheckpointException;
import io.cusco.llama.tokenizer.SpecialTokens;
import io.cusco.llama.tokenizer.Tokenizer;
import java.util.List;
import java.util.Optional;
import java.util.function.Supplier;
import java.util.stream.Stream;

/// Chooses a chat format. Templates are recognised by texts that only they have, as llama.cpp does
/// (`llm_chat_detect_template`); a template with further machinery of its own is not taken for a
/// plain one.
final class ChatFormats {
  static final String LLAMA2 = "llama2";
  static final String LLAMA3 = "llama3";
  static final String LLAMA3_META = "llama3-meta";
  static final String LLAMA31 = "llama3.1";
  static final String LLAMA32 = "llama3.2";

  /// Signs of a template made for tools, which the plain Llama 3 format would not honour.
  private static final List<String> TOOL_MARKERS = List.of("tool", "function", ">>>");

  private ChatFormats() {}

  static Optional<ChatFormat> detect(Checkpoint checkpoint) {
    return detect(checkpoint.source(), checkpoint.chatTemplate(), checkpoint::tokenizer);
  }

  /// @param tokenizer asked only where the template does not decide alone
  static Optional<ChatFormat> detect(
      String source, Optional<String> template, Supplier<Tokenizer> tokenizer) {
    Optional<String> name =
        template.isPresent() ? nameOfTemplate(template.get()) : nameByVocabulary(tokenizer.get());
    try {
      return name.map(known -> named(known, tokenizer.get()));
    } catch (IllegalArgumentException e) {
      throw new CheckpointException(
          "%s: the chat template is that of %s, but %s"
              .formatted(source, name.orElse(""), e.getMessage()),
          e);
    }
  }

  static Optional<String> nameOfTemplate(String template) {
    if (has(template, "[INST]", "<<SYS>>")) {
      return Optional.of(LLAMA2);
    }
    if (!has(template, Llama3Tokens.START_HEADER, Llama3Tokens.END_HEADER)) {
      return Optional.empty();
    }
    if (has(template, "Cutting Knowledge Date: December 2023", Llama31Chat.TOOLS_IN_USER_MESSAGE)) {
      return Optional.of(template.contains("builtin_tools") ? LLAMA31 : LLAMA32);
    }
    boolean plain =
        has(template, Llama3Tokens.END_OF_TURN, "trim")
            && TOOL_MARKERS.stream().noneMatch(template::contains);
    return plain ? Optional.of(LLAMA3) : Optional.empty();
  }

  /// Without a template, Llama 3's header tokens tell; base and chat models of Llama 2 have the
  /// same vocabulary, so nothing is assumed about them.
  private static Optional<String> nameByVocabulary(Tokenizer tokenizer) {
    SpecialTokens special = tokenizer.specialTokens();
    boolean llama3 =
        special.find(Llama3Tokens.START_HEADER).isPresent()
            && special.find(Llama3Tokens.END_OF_TURN).isPresent();
    return llama3 ? Optional.of(LLAMA3_META) : Optional.empty();
  }

  static ChatFormat named(String name, Tokenizer tokenizer) {
    return switch (name) {
      case LLAMA2 -> new Llama2Chat(tokenizer);
      case LLAMA3 -> new Llama3Chat(tokenizer, true);
      case LLAMA3_META -> new Llama3Chat(tokenizer, false);
      case LLAMA31 -> new Llama31Chat(tokenizer, true);
      case LLAMA32 -> new Llama31Chat(tokenizer, false);
      default ->
          throw new IllegalArgumentException(
              "no chat format is called \"%s\"; there are %s"
                  .formatted(
                      name, String.join(", ", LLAMA2, LLAMA3, LLAMA3_META, LLAMA31, LLAMA32)));
    };
  }

  private static boolean has(String template, String... markers) {
    return Stream.of(markers).allMatch(template::contains);
  }
}
