package io.cusco.llama.chat;

import io.cusco.llama.checkpoint.Checkpoint;
import java.util.List;
import java.util.Optional;

/// Turns a conversation into the token ids a chat model was trained on.
public interface ChatFormat {
  /// A short name: "llama2", "llama3", "llama3.1".
  String name();

  /// The whole conversation as ids, begin-of-text included, ending with the header of the assistant
  /// turn to be generated.
  int[] encode(List<Message> messages);

  /// Tokens that end the assistant's turn.
  List<Integer> stopTokenIds();

  /// The format that `checkpoint`'s chat template or vocabulary asks for; empty if it is not a chat
  /// model or its template is not a known one.
  static Optional<ChatFormat> of(Checkpoint checkpoint) {
    return Optional.empty();
  }
}
