package io.cusco.llama.backend;

import io.cusco.llama.model.StageProbe;
import java.util.Optional;
import java.util.OptionalInt;

/// How to load a model on a backend: precision and the sizes of cache and workspace.
///
/// @param compute exact or fast
/// @param maxContextLength positions one sequence may have
/// @param maxTokensPerStep the token budget of one step
/// @param maxSequences sequences that may be in one step
/// @param maxLogitsPerStep rows of logits one step may ask for
/// @param kvBlockSize token positions per KV block
/// @param kvBlocks KV blocks in the pool; empty lets the backend size it from memory
/// @param probe sees every stage; for tests
/// @param progress hears how far loading has come
/// @param deterministic whether the logits after a text depend on that text alone, to the last bit:
///   not on the other sequences of its steps, their number and order, not on how it is cut into
///   steps, nor on who computed the keys and values that it shares. On the same device, with the
///   same libraries and these options; slower
/// @param kvType what keys and values are kept as
public record ModelOptions(
    ComputeMode compute,
    int maxContextLength,
    int maxTokensPerStep,
    int maxSequences,
    int maxLogitsPerStep,
    int kvBlockSize,
    OptionalInt kvBlocks,
    Optional<StageProbe> probe,
    LoadProgress progress,
    boolean deterministic,
    KvType kvType) {

  /// Small enough that a short last block wastes little, large enough that block tables stay short.
  public static final int DEFAULT_KV_BLOCK_SIZE = 16;

  /// Enough tokens to make a prompt's matrix products compute-bound on a CPU.
  public static final int DEFAULT_MAX_TOKENS_PER_STEP = 512;

  /// Rows of a scored prompt that one step covers: 16 MB of logits with a vocabulary of 128k.
  public static final int DEFAULT_MAX_LOGITS_PER_STEP = 32;

  /// Not deterministic, and with the backend's own kind of cache.
  public ModelOptions(
      ComputeMode compute,
      int maxContextLength,
      int maxTokensPerStep,
      int maxSequences,
      int maxLogitsPerStep,
      int kvBlockSize,
      OptionalInt kvBlocks,
      Optional<StageProbe> probe,
      LoadProgress progress) {
    this(
        compute,
        maxContextLength,
        maxTokensPerStep,
        maxSequences,
        maxLogitsPerStep,
        kvBlockSize,
        kvBlocks,
        probe,
        progress,
        false,
        KvType.AUTO);
  }

  public ModelOptions {
    requirePositive("maxContextLength", maxContextLength);
    requirePositive("maxTokensPerStep", maxTokensPerStep);
    requirePositive("maxSequences", maxSequences);
    requirePositive("maxLogitsPerStep", maxLogitsPerStep);
    requirePositive("kvBlockSize", kvBlockSize);
    kvBlocks.ifPresent(blocks -> requirePositive("kvBlocks", blocks));
  }

  /// Options for `maxSequences` concurrent sequences of up to `maxContextLength` tokens.
  public static ModelOptions of(ComputeMode compute, int maxContextLength, int maxSequences) {
    return new ModelOptions(
        compute,
        maxContextLength,
        Math.max(DEFAULT_MAX_TOKENS_PER_STEP, maxSequences),
        maxSequences,
        Math.max(DEFAULT_MAX_LOGITS_PER_STEP, maxSequences),
        DEFAULT_KV_BLOCK_SIZE,
        OptionalInt.empty(),
        Optional.empty(),
        LoadProgress.NONE);
  }

  public ModelOptions withProgress(LoadProgress listener) {
    return new ModelOptions(
        compute,
        maxContextLength,
        maxTokensPerStep,
        maxSequences,
        maxLogitsPerStep,
        kvBlockSize,
        kvBlocks,
        probe,
        listener,
        deterministic,
        kvType);
  }

  /// See [#deterministic()].
  public ModelOptions withDeterministic(boolean enabled) {
    return new ModelOptions(
        compute,
        maxContextLength,
        maxTokensPerStep,
        maxSequences,
        maxLogitsPerStep,
        kvBlockSize,
        kvBlocks,
        probe,
        progress,
        enabled,
        kvType);
  }

  /// See [#kvType()].
  public ModelOptions withKvType(KvType type) {
    return new ModelOptions(
        compute,
        maxContextLength,
        maxTokensPerStep,
        maxSequences,
        maxLogitsPerStep,
        kvBlockSize,
        kvBlocks,
        probe,
        progress,
        deterministic,
        type);
  }

  private static void requirePositive(String name, int value) {
    if (value <= 0) {
      throw new IllegalArgumentException(name + " must be positive, got " + value);
    }
  }
}
