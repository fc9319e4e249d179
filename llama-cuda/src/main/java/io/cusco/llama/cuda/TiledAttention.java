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

/// Attention on tensor cores, for 16-bit types and head widths 64 and 128. Sequences of one token
/// and sequences of several have a kernel each, which skips the others'.
final class TiledAttention implements AttentionKernels {
  /// Query heads that share a load of keys; `QUERIES` in decode_attention.cu.
  private static final int DECODE_HEADS = 8;

  /// Keys of a split and splits of a context, as in decode_attention.cu: contexts longer than their
  /// product have larger splits.
  private static final int SPLIT_KEYS = 256;

  private static final int MAX_SPLITS = 64;

  /// Rows of a block's tiles; `QUERIES` and `KEYS` in prefill_attention.cu.
  private static final int PREFILL_QUERIES = 128;

  private static final int PREFILL_KEYS = 64;

  private final int numHeads;
  private final int decodeRows;
  private final int maxSplits;
  private final AttentionLaunch decode;
  private final KernelLaunch merge;
  private final AttentionLaunch prefill;
  private final DeviceBuffer workspace;

  TiledAttention(
      CudaContext context,
      KernelModules modules,
      ActivationType type,
      LlamaConfig config,
      KvCacheSpec kvCache,
      StepLimits limits) {
    numHeads = config.numAttentionHeads();
    int headDim = config.headDim();
    int group = numHeads / config.numKeyValueHeads();
    decodeRows = config.numKeyValueHeads() * Math.ceilDiv(group, DECODE_HEADS);
    maxSplits = numSplits(limits.maxContextLength());
    String suffix = "_%d_%s".formatted(headDim, type.suffix());
    decode =
        new AttentionLaunch(
            modules,
            Family.DECODE_ATTENTION,
            "decode_attention" + suffix,
            config,
            kvCache,
            POINTER,
            POINTER);
    merge =
        modules
            .kernel(
                Family.DECODE_ATTENTION,
                "merge_splits" + suffix,
                POINTER,
                POINTER,
                POINTER,
                POINTER,
                POINTER,
                INT)
            .block(headDim, 1);
    prefill =
        new AttentionLaunch(
            modules, Family.PREFILL_ATTENTION, "prefill_attention" + suffix, config, kvCache);
    prefill.kernel().shared((PREFILL_QUERIES + 2 * PREFILL_KEYS) * headDim * type.numBytes());
    workspace =
        DeviceBuffer.allocate(context, "attention workspace", workspaceBytes(config, limits));
    long stats = workspace.address() + numPartials(config, limits) * headDim * Float.BYTES;
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
  static long workspaceBytes(LlamaConfig config, StepLimits limits) {
    return Math.multiplyExact(numPartials(config, limits), (config.headDim() + 2L) * Float.BYTES);
  }

  private static long numPartials(LlamaConfig config, StepLimits limits) {
    return Math.multiplyExact(
        (long) limits.maxSequences() * config.numAttentionHeads(),
        numSplits(limits.maxContextLength()));
  }

  /// Splits of the longest context are not always most: where splits grow, their number halves.
  private static int numSplits(int maxContext) {
    return Math.min(Math.ceilDiv(maxContext, SPLIT_KEYS), MAX_SPLITS);
  }

  @Override
  public void attend(
      CudaStream stream, long queries, StepAddresses arrays, KvPools pools, long out, Step step) {
    int numSequences = step.numSequences();
    if (step.maxContext() > 0) {
      int numSplits = Math.min(numSplits(step.maxContext()), maxSplits);
      decode
          .operands(queries, arrays, pools, out, numSequences)
          .launch(stream, numSplits, decodeRows, numSequences);
      if (numSplits > 1) {
        merge
            .elements(2, arrays.queryStarts())
            .elements(3, arrays.contextLengths())
            .rows(4, out)
            .set(5, numSplits);
        merge.launch(stream, numHeads, numSequences, 1);
      }
    }
    if (step.prefills()) {
      int tiles = step.numTokens() / PREFILL_QUERIES + numSequences;
      prefill
          .operands(queries, arrays, pools, out, numSequences)
          .launch(stream, numHeads, tiles, 1);
    }
  }

  @Override
  public void close() {
    workspace.close();
  }
}
