package io.cusco.llama.cuda;

import io.cusco.llama.config.LlamaConfig;
import io.cusco.llama.cuda.CudaKernels.KvPools;
import io.cusco.llama.cuda.driver.CudaContext;
import io.cusco.llama.cuda.driver.CudaStream;
import io.cusco.llama.model.KvCacheSpec;
import io.cusco.llama.model.StepInput;
import io.cusco.llama.model.StepLimits;

/// Causal attention of a ragged step over one layer's paged cache, which already holds the step's
/// own keys and values.
///
/// A sequence's result depends on nothing but its own tokens, keys and values: not on the sequences
/// beside it, their order, or how far a grid reaches. A single token that sees no key, which pads a
/// batch, gets zeros.
///
/// May own a workspace, which one stream uses at a time. Used on the context's thread.
sealed interface AttentionKernels extends AutoCloseable permits TiledAttention, PlainAttention {

  /// The kernels for a cache and head width. Checks their parameters against the PTX.
  ///
  /// @param modules must outlive these kernels
  /// @param limits bounds of every step
  /// @param alone whether a token's result has the bits that it has when it comes alone, also where
  ///   it comes with others of its sequence
  /// @throws io.cusco.llama.LlamaException if a kernel is missing or has other parameters
  static AttentionKernels of(
      CudaContext context,
      KernelModules modules,
      KvFormat format,
      LlamaConfig config,
      KvCacheSpec kvCache,
      StepLimits limits,
      boolean alone) {
    return TiledAttention.serves(format.activations(), config.headDim())
        ? new TiledAttention(context, modules, format, config, kvCache, limits, alone)
        : new PlainAttention(modules, format, config, kvCache);
  }

  /// Bytes of device memory that [#of] allocates.
  static long workspaceBytes(
      ActivationType type, LlamaConfig config, StepLimits limits, boolean alone) {
    return TiledAttention.serves(type, config.headDim())
        ? TiledAttention.workspaceBytes(config, limits, alone)
        : 0;
  }

  /// Queues one layer's attention. Allocates nothing while the step's shape stays the same.
  ///
  /// @param queries `[numTokens, queryWidth]` of [KvFormat#queries()], turned
  /// @param out `[numTokens, queryWidth]` of the activation type
  void attend(
      CudaStream stream, long queries, StepAddresses arrays, KvPools pools, long out, Step step);

  @Override
  void close();

  /// A step's integers on the device, as in [StepInput].
  ///
  /// @param queryStarts `[numSequences + 1]`
  /// @param contextLengths `[numSequences]`
  /// @param blockTables `[numSequences, blockTableStride]`
  record StepAddresses(
      long queryStarts, long contextLengths, long blockTables, int blockTableStride) {}

  /// What decides which kernels a step needs, and their grids.
  ///
  /// @param numTokens tokens, padding included
  /// @param numSequences sequences, padding included
  /// @param prefills whether any sequence brings several tokens
  /// @param maxContext positions that the grid for sequences of one token reaches, at least their
  ///   longest context; 0 if there are none. Of all sequences, where every token is taken alone
  record Step(int numTokens, int numSequences, boolean prefills, int maxContext) {

    /// Nothing prefills and nothing is seen.
    static final Step NONE = new Step(0, 0, false, 0);

    /// The shape of the next step; this one if it is the same.
    ///
    /// @param paddedSequences at least the step's; those beyond bring one token and see nothing
    /// @param alone whether every token is taken by itself
    /// @param graphed whether the launches are recorded for later steps: the grid then reaches the
    ///   next power of two, so that few shapes serve all
    Step next(StepInput input, int paddedSequences, boolean alone, boolean graphed) {
      int[] starts = input.queryStarts();
      boolean prefills = false;
      int maxContext = 0;
      for (int i = 0; i < input.numSequences(); i++) {
        boolean several = starts[i + 1] - starts[i] > 1;
        prefills |= several;
        if (alone || !several) {
          maxContext = Math.max(maxContext, input.contextLengths()[i]);
        }
      }
      int padding = paddedSequences - input.numSequences();
      if (padding > 0) {
        maxContext = Math.max(maxContext, 1);
      }
      if (graphed) {
        maxContext = powerOfTwoFrom(maxContext);
      }
      int tokens = input.numTokens() + padding;
      boolean same =
          tokens == numTokens
              && paddedSequences == numSequences
              && prefills == this.prefills
              && maxContext == this.maxContext;
      return same ? this : new Step(tokens, paddedSequences, prefills, maxContext);
    }

    private static int powerOfTwoFrom(int value) {
      int below = Integer.highestOneBit(value);
      return below == value ? value : (int) Math.min(2L * below, Integer.MAX_VALUE);
    }
  }
}
