package io.cusco.llama.chat;

import io.cusco.llama.tokenizer.Tokenizer;
import java.util.List;
import java.util.OptionalInt;
import java.util.stream.IntStream;

/// The special tokens of Llama 3's dialogues.
///
/// @param endOfMessage the end of a turn that waits for a tool; Llama 3.0's vocabulary may lack it
/// @param pythonTag what begins a call of a built-in tool; Llama 3.0's vocabulary may lack it
record Llama3Tokens(
    int beginOfText,
    int startHeader,
    int endHeader,
    int endOfTurn,
    OptionalInt endOfText,
    OptionalInt endOfMessage,
    OptionalInt pythonTag) {
  static final String START_HEADER = "<|start_header_id|>";
  static final String END_HEADER = "<|end_header_id|>";
  static final String END_OF_TURN = "<|eot_id|>";

  static Llama3Tokens of(Tokenizer tokenizer) {
    return new Llama3Tokens(
        PromptBuilder.requireBos(tokenizer),
        PromptBuilder.require(tokenizer, START_HEADER),
        PromptBuilder.require(tokenizer, END_HEADER),
        PromptBuilder.require(tokenizer, END_OF_TURN),
        tokenizer.specialTokens().find("<|end_of_text|>"),
        tokenizer.specialTokens().find("<|eom_id|>"),
        tokenizer.specialTokens().find("<|python_tag|>"));
  }

  int requirePythonTag() {
    return pythonTag.orElseThrow(() ->
        new IllegalArgumentException(
            "the tokenizer has no <|python_tag|>, so this Llama knows no built-in tools"));
  }

  int requireEndOfMessage() {
    return endOfMessage.orElseThrow(() ->
        new IllegalArgumentException(
            "the tokenizer has no <|eom_id|>, so a turn cannot wait for a tool"));
  }

  List<Integer> stopTokenIds() {
    return IntStream.concat(
            IntStream.of(endOfTurn), IntStream.concat(endOfMessage.stream(), endOfText.stream()))
        .boxed()
        .toList();
  }

  /// `<|start_header_id|>role<|end_header_id|>`, without the newlines that follow.
  void header(PromptBuilder prompt, String role) {
    prompt.special(startHeader).text(role).special(endHeader);
  }

  static String nameOf(Role role) {
    return switch (role) {
      case SYSTEM -> "system";
      case USER -> "user";
      case ASSISTANT -> "assistant";
      case TOOL -> "ipython";
    };
  }
}
