package io.cusco.llama.checkpoint;

import io.cusco.llama.tokenizer.ByteBpeTokenizer;
import io.cusco.llama.tokenizer.SentencePieceTokenizer;
import io.cusco.llama.tokenizer.TokenRoles;
import io.cusco.llama.tokenizer.Tokenizer;
import io.cusco.llama.tokenizer.TokenizerFiles;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;

/// The one place that turns what a checkpoint stores about its tokenizer into a [Tokenizer].
final class CheckpointTokenizers {
  /// The tokenizer of a GGUF file that has none, as llama.cpp writes it.
  static final String NO_VOCABULARY = "no_vocab";

  private static final String TOKEN_TYPES = "tokenizer.ggml.token_type";

  private CheckpointTokenizers() {}

  /// Source: GGUF specification, "Tokenizer".
  ///
  /// @throws CheckpointException if the file has no tokenizer or one of an unknown kind
  static Tokenizer ofGguf(String file, GgufMetadata metadata) {
    String model = metadata.requireString("tokenizer.ggml.model");
    TokenRoles roles =
        new TokenRoles(
            metadata.findInt("tokenizer.ggml.bos_token_id"),
            metadata.findBoolean("tokenizer.ggml.add_bos_token"),
            GgufCheckpoint.endTokenIds(metadata));
    return switch (model) {
      case "llama" ->
          SentencePieceTokenizer.of(
              file,
              metadata.strings(GgufCheckpoint.TOKENS),
              metadata.floats("tokenizer.ggml.scores"),
              metadata.ints(TOKEN_TYPES),
              metadata.findBoolean("tokenizer.ggml.add_space_prefix").orElse(true),
              roles);
      case "gpt2" ->
          ByteBpeTokenizer.of(
              file,
              metadata.utf8Strings(GgufCheckpoint.TOKENS),
              metadata.ints(TOKEN_TYPES),
              metadata.utf8Strings("tokenizer.ggml.merges"),
              metadata.findString("tokenizer.ggml.pre").orElse("default"),
              roles);
      case NO_VOCABULARY ->
          throw new CheckpointException(
              "%s: the file was made without a tokenizer; give token ids".formatted(file));
      default ->
          throw new CheckpointException(
              "%s: tokenizer.ggml.model '%s' is not supported; Llama models have 'llama' or 'gpt2'"
                  .formatted(file, model));
    };
  }

  /// `tokenizer.json`, otherwise `tokenizer.model`, of a Hugging Face or Meta folder.
  ///
  /// @param vocabSize rows of the embedding, which every id must have one of
  /// @throws CheckpointException if the folder has no tokenizer, a damaged one, or one of another
  ///   model
  static Tokenizer ofFolder(Path folder, int vocabSize) {
    Path file =
        List.of("tokenizer.json", "tokenizer.model").stream()
            .map(folder::resolve)
            .filter(Files::exists)
            .findFirst()
            .orElseThrow(() ->
                new CheckpointException(
                    "%s: no tokenizer: neither tokenizer.json nor tokenizer.model is in this folder"
                        .formatted(folder)));
    Tokenizer tokenizer = TokenizerFiles.read(file, roles(folder));
    if (tokenizer.vocabSize() > vocabSize) {
      throw new CheckpointException(
          "%s: the tokenizer has %d tokens, the embedding only %d rows; they do not belong together"
              .formatted(file, tokenizer.vocabSize(), vocabSize));
    }
    return tokenizer;
  }

  private static TokenRoles roles(Path folder) {
    Path config = folder.resolve(HuggingFaceCheckpoint.TOKENIZER_CONFIG);
    if (!Files.exists(config)) {
      return TokenRoles.UNSTATED;
    }
    JsonObject json = JsonObject.read(config);
    Optional<Boolean> addBos =
        json.contains("add_bos_token")
            ? Optional.of(json.booleanOr("add_bos_token", true))
            : Optional.empty();
    return new TokenRoles(OptionalInt.empty(), addBos, List.of());
  }
}
