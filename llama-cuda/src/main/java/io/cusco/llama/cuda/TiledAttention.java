package io.cusco.llama.cuda;

import static io.cusco.llama.cuda.driver.ParameterType.INT;
import static io.cusco.llama.cuda.driver.ParameterType.POINTER;

import io.cusco.llama.config.LlamaConfig;
import io.cusco.llama.cuda.CudaKernels.KvPools;
import io.cusco.llama.cuda.KernelModules.Family;
import io.cusco.llama.cuda.driver.CudaContext;
import io.cusco.llama.cuda.driver.CudaStream;
import io.cusco.llama.cuda.driver.DeviceBuffer;
import io.cusco.llama.model.KvCacheSpec;
import io.cusco.llama.model.StepLimits;

/// Attention on tensor cores, for 16-bit types of activations and head widths 64 and 128. Sequences
/// of one token and sequences of several have a kernel each, which skips the others'. On demand the
/// first one takes every token by itself.
final class TiledAttention implements AttentionKernels {
  /// Query heads that share a load of keys; `QUERIES` in decode_attention.cuh.
  private static final int DECODE_HEADS = 8;

  /// Keys of a split and splits of a context, as in decode_attention.cuh: contexts longer than
  /// their product have larger splits.
  private static final int SPLIT_KEYS = 256;

  private static final int MAX_SPLITS = 64;

  /// Rows of a block's tiles; `QUERIES` and `KEYS` in prefill_attention.cuh.
  private static final int PREFILL_QUERIES = 128;

  private static final int PREFILL_KEYS = 64;

  /// In place of a first token: the rows of a grid are the sequences of one token.
  private static final int SEQUENCES = -1;

  /// The driver's limit (CUDA C++ Programming Guide, "Technical Specifications").
  private static final int MAX_GRID_Z = 65_535;

  /// Tokens taken alone at a time, at least: their splits need memory.
  private static final int MIN_ALONE = 64;

  private final int numHeads;
  private final int decodeRows;
  private final int maxSplits;
  private final boolean alone;
  private final int maxAlone;
  private final AttentionLaunch decode;
  private final KernelLaunch merge;
  private final AttentionLaunch prefill;
  private final DeviceBuffer workspace;

  TiledAttention(
      CudaContext context,
      KernelModules modules,
      KvFormat format,
      LlamaConfig config,
      KvCacheSpec kvCache,
      StepLimits limits,
      boolean alone) {
    this.alone = alone;
    maxAlone = rows(limits, alone);
    numHeads = config.numAttentionHeads();
    int headDim = config.headDim();
    int group = numHeads / config.numKeyValueHeads();
    decodeRows = config.numKeyValueHeads() * Math.ceilDiv(group, DECODE_HEADS);
    maxSplits = numSplits(limits.maxContextLength());
    decode =
        new AttentionLaunch(
            modules,
            format,
            Family.DECODE_ATTENTION,
            "decode_attention_" + headDim,
            config,
            kvCache,
            POINTER,
            POINTER,
            INT);
    merge =
        modules
            .kernel(
                Family.DECODE_ATTENTION,
                "merge_splits_%d_%s".formatted(headDim, format.activations().suffix()),
                POINTER,
                POINTER,
                POINTER,
                POINTER,
                POINTER,
                INT,
                INT,
                INT)
            .block(headDim, 1);
    prefill =
        new AttentionLaunch(
            modules,
            format,
            Family.PREFILL_ATTENTION,
            "prefill_attention_" + headDim,
            config,
            kvCache);
    prefill
        .kernel()
        .shared(
            PREFILL_QUERIES * headDim * format.queries().numBytes()
                + 2 * PREFILL_KEYS * format.rowBytes(headDim));
    workspace =
        DeviceBuffer.allocate(
            context, "attention workspace", workspaceBytes(config, limits, alone));
    long stats = workspace.address() + numPartials(config, limits, alone) * headDim * Float.BYTES;
    decode
        .kernel()
        .rows(AttentionLaunch.MORE, workspace.address())
        .rows(AttentionLaunch.MORE + 1, stats);
    merge.rows(0, workspace.address()).rows(1, stats);
  }

  static boolean serves(ActivationType type, int headDim) {
    return type != ActivationType.F32 && (headDim == 64 || headDim == 128);
  }

  /// Sums, largest score and sum of weights of every split of every head.
  static long workspaceBytes(LlamaConfig config, StepLimits limits, boolean alone) {
    return Math.multiplyExact(
        numPartials(config, limits, alone), (config.headDim() + 2L) * Float.BYTES);
  }

  private static long numPartials(LlamaConfig config, StepLimits limits, boolean alone) {
    return Math.multiplyExact(
        (long) rows(limits, alone) * config.numAttentionHeads(),
        numSplits(limits.maxContextLength()));
  }

  private static int rows(StepLimits limits, boolean alone) {
    return alone ? Math.max(limits.maxSequences(), MIN_ALONE) : limits.maxSequences();
  }

  /// Splits of the longest context are not always most: where splits grow, their number halves.
  private static int numSplits(int maxContext) {
    return Math.min(Math.ceilDiv(maxContext, SPLIT_KEYS), MAX_SPLITS);
  }

  @Override
  public void attend(
      CudaStream stream, long queries, StepAddresses arrays, KvPools pools, long out, Step step) {
    int numSequences = step.numSequences();
    if (alone && step.prefills()) {
      attendAlone(stream, queries, arrays, pools, out, step);
      return;
    }
    if (step.maxContext() > 0) {
      decode.operands(queries, arrays, pools, out, numSequences);
      decodeRows(stream, arrays, out, step, SEQUENCES, numSequences);
    }
    if (step.prefills()) {
      int tiles = step.numTokens() / PREFILL_QUERIES + numSequences;
      prefill
          .operands(queries, arrays, pools, out, numSequences)
          .launch(stream, numHeads, tiles, 1);
    }
  }

  private void attendAlone(
      CudaStream stream, long queries, StepAddresses arrays, KvPools pools, long out, Step step) {
    decode.operands(queries, arrays, pools, out, step.numSequences());
    boolean split = numSplits(step.maxContext()) > 1;
    int atOnce = split ? maxAlone : MAX_GRID_Z;
    for (int first = 0; first < step.numTokens(); first += atOnce) {
      int count = Math.min(atOnce, step.numTokens() - first);
      decodeRows(stream, arrays, out, step, first, count);
    }
  }

  /// @param first [#SEQUENCES], or the first of the tokens
  private void decodeRows(
      CudaStream stream, StepAddresses arrays, long out, Step step, int first, int count) {
    int numSplits = Math.min(numSplits(step.maxContext()), maxSplits);
    decode.kernel().set(AttentionLaunch.MORE + 2, first);
    decode.launch(stream, numSplits, decodeRows, count);
    if (numSplits > 1) {
      merge
          .elements(2, arrays.queryStarts())
          .elements(3, arrays.contextLengths())
          .rows(4, out)
          .set(5, numSplits)
          .set(6, step.numSequences())
          .set(7, first);
      merge.launch(stream, numHeads, count, 1);
    }
  }

  @Override
  public void close() {
    workspace.close();
  }
}
