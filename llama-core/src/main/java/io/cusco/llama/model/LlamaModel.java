package io.cusco.llama.model;

import io.cusco.llama.config.LlamaConfig;
import io.cusco.llama.sampling.SamplingStep;

/// The seam between the engine and a device: one step in, logits stay inside, token ids out. It
/// knows no text and no requests.
///
/// Owned by one thread at a time, the engine's. A model holds its KV cache and workspace; it does
/// not own the checkpoint's weights, which must outlive it.
public interface LlamaModel extends AutoCloseable {
  LlamaConfig config();

  /// Fixed at load.
  KvCacheSpec kvCache();

  /// What one step may hold; fixed at load.
  StepLimits limits();

  /// Bytes that copies of the weights take beside the checkpoint's own; 0 if it reads those alone.
  /// The copies may be filled later than at load.
  default long copiedWeightBytes() {
    return 0;
  }

  /// Whether the backend is done with what it spreads over the first decode steps to make later
  /// ones faster, such as moving weights. A benchmark waits for it.
  default boolean isSettled() {
    return true;
  }

  /// Runs the network over `step`, writes its keys and values into the cache, and keeps logits and
  /// final hidden states of [StepInput#logitTokens()]. May only enqueue work; allocates nothing
  /// once the model [#isSettled].
  ///
  /// In each layer all keys and values of the step are stored before any is read: a sequence may
  /// have blocks in its table that another one fills in this very step.
  ///
  /// @throws IllegalArgumentException if the step exceeds [#limits()]
  void forward(StepInput step);

  /// Whether [#forward] takes a step with tokens that are still being drawn
  /// ([StepInput#tokenIds()]), between [#startSampling] and [#awaitTokens]. A device that works
  /// while the host waits gains by it: it has the next step before the host has read the last one.
  default boolean overlapsSteps() {
    return false;
  }

  /// Starts to draw one token for each entry of `sampling` from the logits of the last step. May
  /// only enqueue the work; `sampling` is read now. [#awaitTokens] has to follow before the next
  /// start. Vocabulary-sized data stays on the device.
  ///
  /// @throws IllegalStateException if the model does not end in a vocabulary head
  void startSampling(SamplingStep sampling);

  /// Waits for the draws that were started last, and hands them over.
  ///
  /// @param nextTokenIds receives `sampling.size()` ids; [SamplingStep#NO_TOKEN] for a row from
  ///   which nothing can be drawn
  /// @throws io.cusco.llama.LlamaException if work that was queued has failed. Where that spoils
  ///   more than these draws, every later call throws too
  void awaitTokens(SamplingStep sampling, int[] nextTokenIds);

  /// [#startSampling] and [#awaitTokens].
  default void sample(SamplingStep sampling, int[] nextTokenIds) {
    startSampling(sampling);
    awaitTokens(sampling, nextTokenIds);
  }

  /// Copies one row of the last step's output, `[config().numOutputs()]`: logits, or the scores of
  /// a model that ends in a score head.
  ///
  /// @param row index into [StepInput#logitTokens()]
  /// @throws IllegalStateException if the model has no head
  void copyLogits(int row, float[] logits);

  /// Copies rows of the last step's final hidden states, `[count, hiddenSize]`: behind the final
  /// norm, what goes into the head. transformers calls it `last_hidden_state`.
  ///
  /// @param row index of the first into [StepInput#logitTokens()]
  void copyHiddenStates(int row, int count, float[] hiddenStates);

  /// Frees the cache and the workspace. Idempotent.
  @Override
  void close();
}
