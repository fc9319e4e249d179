package io.cusco.llama.checkpoint;

import io.cusco.llama.tokenizer.Tokenizer;

/// The one place that turns what a checkpoint stores about its tokenizer into a [Tokenizer].
final class CheckpointTokenizers {
  private CheckpointTokenizers() {}

  /// @throws CheckpointException if the file has no tokenizer or one of an unknown kind
  static Tokenizer ofGguf(String file, GgufMetadata metadata) {
    String model = metadata.requireString("tokenizer.ggml.model");
    throw new CheckpointException(
        "%s: tokenizer.ggml.model '%s' is not supported".formatted(file, model));
  }
}
