package io.cusco.llama.checkpoint;

import io.cusco.llama.tokenizer.Tokenizer;
import java.nio.file.Files;
import java.nio.file.Path;

/// The one place that turns what a checkpoint stores about its tokenizer into a [Tokenizer].
final class CheckpointTokenizers {
  private CheckpointTokenizers() {}

  /// @throws CheckpointException if the file has no tokenizer or one of an unknown kind
  static Tokenizer ofGguf(String file, GgufMetadata metadata) {
    String model = metadata.requireString("tokenizer.ggml.model");
    if (model.isEmpty()) {
      return null;
    }
    throw new CheckpointException(
        "%s: tokenizer.ggml.model '%s' is not supported".formatted(file, model));
  }

  /// @throws CheckpointException if the folder has no tokenizer or a damaged one
  static Tokenizer ofFolder(Path folder) {
    if (Files.exists(folder.resolve("tokenizer.json"))) {
      return null;
    }
    throw new CheckpointException(
        "%s: neither tokenizer.json nor tokenizer.model is in this folder".formatted(folder));
  }
}
