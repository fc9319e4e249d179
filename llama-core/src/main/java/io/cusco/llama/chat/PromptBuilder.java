package io.cusco.llama.chat;

import io.cusco.llama.tokenizer.Tokenizer;
import java.util.stream.IntStream;

/// Collects the ids of a prompt: special tokens by id, text by encoding it.
final class PromptBuilder {
  private final Tokenizer tokenizer;
  private final IntStream.Builder ids = IntStream.builder();

  PromptBuilder(Tokenizer tokenizer) {
    this.tokenizer = tokenizer;
  }

  PromptBuilder special(int id) {
    ids.add(id);
    return this;
  }

  /// Text that is encoded by itself: no token reaches across to the text before or after.
  PromptBuilder text(String text) {
    return ids(tokenizer.encode(text));
  }

  PromptBuilder ids(int... more) {
    for (int id : more) {
      ids.add(id);
    }
    return this;
  }

  int[] build() {
    return ids.build().toArray();
  }

  /// The id of the special token `text`.
  static int require(Tokenizer tokenizer, String text) {
    return tokenizer
        .specialTokens()
        .find(text)
        .orElseThrow(() ->
            new IllegalArgumentException(
                "the tokenizer has no special token \"%s\"".formatted(text)));
  }

  static int requireBos(Tokenizer tokenizer) {
    return tokenizer
        .specialTokens()
        .bos()
        .orElseThrow(
            () -> new IllegalArgumentException("the tokenizer has no begin-of-text token"));
  }
}
