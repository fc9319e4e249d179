package io.cusco.llama.checkpoint;

import io.cusco.llama.config.LlamaConfig;
import io.cusco.llama.tokenizer.Tokenizer;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;

/// A checkpoint on disk, memory-mapped: named, shape-checked views of its tensors, the model's
/// config, its tokenizer and its chat template.
///
/// Opening reads headers only; tensor bytes are paged in by whoever touches them. The checkpoint
/// owns the mapping: close it after every model that was loaded from it. Safe for use by several
/// threads until closed.
public sealed interface Checkpoint extends AutoCloseable permits MappedCheckpoint {

  /// Opens a `.gguf` file, a Hugging Face folder (config.json + safetensors) or a Meta folder
  /// (params.json + consolidated.*.pth).
  ///
  /// @throws CheckpointException if it is none of these, is damaged, or is not a Llama
  static Checkpoint open(Path path) {
    return CheckpointOpener.open(path);
  }

  /// What to call this checkpoint in messages: the path, or a resource's name.
  String source();

  /// The format in a few words: "GGUF v3", "Hugging Face safetensors (7 files)", "Meta .pth".
  String format();

  /// The model's own name if the file states one, otherwise the file or folder name.
  String modelName();

  LlamaConfig config();

  LlamaWeights weights();

  /// Every tensor in the file, in file order, used or not.
  List<TensorView> tensors();

  /// The tokenizer, read on first use and kept.
  ///
  /// @throws CheckpointException if the checkpoint has none or it is damaged
  Tokenizer tokenizer();

  /// The Jinja chat template stored with the checkpoint.
  Optional<String> chatTemplate();

  /// The token that starts a sequence, as the checkpoint's config states it (not the tokenizer's).
  OptionalInt bosTokenId();

  /// Tokens that end generation, as the checkpoint's config states them; may be empty.
  List<Integer> eosTokenIds();

  /// Unmaps the file. Idempotent; every view is invalid afterwards.
  @Override
  void close();
}
