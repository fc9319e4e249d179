package io.cusco.llama.chat;

import io.cusco.llama.checkpoint.Checkpoint;
import io.cusco.llama.tokenizer.Tokenizer;
import java.util.List;
import java.util.Optional;

/// Turns a conversation into the token ids a chat model was trained on. Immutable and safe for use
/// by several threads.
///
/// Structure is written with the ids of special tokens, everything else with
/// [Tokenizer#encode(String)]: text in a message that looks like a special token stays text.
public sealed interface ChatFormat permits Llama2Chat, Llama3Chat, Llama31Chat {
  /// A short name: "llama2", "llama3", "llama3-meta", "llama3.1", "llama3.2".
  String name();

  /// The whole conversation as ids, begin-of-text included, ending with the header of the assistant
  /// turn to be generated.
  ///
  /// @throws IllegalArgumentException if the format cannot express the conversation
  default int[] encode(List<Message> messages) {
    return encode(messages, ChatOptions.DEFAULT);
  }

  /// The whole conversation as ids, begin-of-text included.
  ///
  /// @throws IllegalArgumentException if the format cannot express the conversation or an option
  int[] encode(List<Message> messages, ChatOptions options);

  /// The message that the tokens of a reply stand for: its text, or the tool calls it makes. End
  /// tokens and a header may be among `ids`.
  Message parseReply(int... ids);

  /// Tokens that end the assistant's turn.
  List<Integer> stopTokenIds();

  /// The format that `checkpoint`'s chat template or vocabulary asks for; empty if it is not a chat
  /// model or its template is not a known one.
  ///
  /// @throws io.cusco.llama.checkpoint.CheckpointException if the checkpoint has no tokenizer, or
  ///   one without the tokens that the template names
  static Optional<ChatFormat> of(Checkpoint checkpoint) {
    return ChatFormats.detect(checkpoint);
  }

  /// The format called `name`, whatever the checkpoint's template says: "llama2", "llama3"
  /// (contents trimmed, as the first Llama 3 code and its template do), "llama3-meta" (contents as
  /// given, tool calls: Meta's later reference code), "llama3.1" and "llama3.2" (the published
  /// templates; Llama 3.3's is that of 3.1).
  ///
  /// @throws IllegalArgumentException if there is no such format or the vocabulary lacks its tokens
  static ChatFormat named(String name, Tokenizer tokenizer) {
    return ChatFormats.named(name, tokenizer);
  }
}
