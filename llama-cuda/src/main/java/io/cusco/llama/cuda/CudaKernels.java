package io.cusco.llama.cuda;

import static io.cusco.llama.cuda.driver.ParameterType.FLOAT;
import static io.cusco.llama.cuda.driver.ParameterType.INT;
import static io.cusco.llama.cuda.driver.ParameterType.POINTER;

import io.cusco.llama.checkpoint.LlamaWeights.RotaryLayout;
import io.cusco.llama.config.LlamaConfig;
import io.cusco.llama.cuda.KernelModules.Family;
import io.cusco.llama.cuda.driver.CudaStream;
import io.cusco.llama.cuda.driver.ParameterType;
import io.cusco.llama.model.KvCacheSpec;
import java.util.ArrayList;
import java.util.List;

/// The kernels of one model's forward pass, one method each, in the order of
/// [io.cusco.llama.model.Stage]. A method queues its kernel and returns; it allocates nothing while
/// token counts stay the same.
///
/// Operands are device addresses of row-major arrays. `T` is the activation type that the kernels
/// were made for; what all rows share (norm weights, biases, cosines and sines) is float32; ids,
/// positions, slots and indices are int32. Addresses of anything but int arrays are multiples of
/// 16. Nothing may overlap unless a method says so. A count of zero rows launches nothing.
///
/// Results of a row do not depend on the other rows of a launch. Used on the context's thread.
final class CudaKernels {
  private static final int WARP = 32;
  private static final int MAX_THREADS = 1024;

  /// Elements that a thread moves at once; `VECTOR` in values.cuh.
  private static final int VECTOR = 8;

  /// Threads of the kernels whose grid covers a row in runs (silu_mul.cu, add_bias.cu).
  private static final int RUN_THREADS = 256;

  /// Elements that one block of those covers.
  private static final int RUN = RUN_THREADS * VECTOR;

  /// Vectors of a row per thread; `ROW_VECTORS` in rms_norm.cu.
  private static final int NORM_ROW_VECTORS = 2;

  /// Threads aimed at in ropeAndStoreKv.
  private static final int ROPE_THREADS = 256;

  /// Its launch bound.
  private static final int ROPE_MAX_THREADS = 512;

  /// Logits per block of the first stage; `RUN` in argmax.cu.
  private static final int ARGMAX_RUN = 8192;

  /// Index of ropeAndStoreKv's parameter that only caches with scales have.
  private static final int ROPE_SCALES = 12;

  private static final List<ParameterType> ROPE_PARAMETERS =
      List.of(
          POINTER, POINTER, POINTER, POINTER, POINTER, POINTER, POINTER, POINTER, INT, INT, INT,
          INT);

  private final int argmaxRuns;
  private final boolean scaled;
  private final KernelLaunch embedGather;
  private final KernelLaunch gatherRows;
  private final KernelLaunch rmsNorm;
  private final KernelLaunch addRmsNorm;
  private final KernelLaunch addQkvBias;
  private final KernelLaunch addGateUpBias;
  private final KernelLaunch addResidualBias;
  private final KernelLaunch ropeAndStoreKv;
  private final KernelLaunch siluMul;
  private final KernelLaunch argmaxPartials;
  private final KernelLaunch argmaxCombine;

  /// Finds the kernels and checks their parameters against the PTX.
  ///
  /// @param modules must outlive these kernels
  /// @param format of the activations, T, and of the cache
  /// @param layout the weights' pairing, see [RotaryLayout]
  /// @throws io.cusco.llama.LlamaException if a kernel is missing or has other parameters
  CudaKernels(
      KernelModules modules,
      KvFormat format,
      LlamaConfig config,
      RotaryLayout layout,
      KvCacheSpec kvCache) {
    ActivationType type = format.activations();
    scaled = format.fp8();
    argmaxRuns = Math.ceilDiv(config.vocabSize(), ARGMAX_RUN);
    String suffix = "_" + type.suffix();
    embedGather = gatherKernel(modules, type, config.hiddenSize()).set(6, config.vocabSize());
    gatherRows =
        gatherKernel(modules, ActivationType.F32, config.hiddenSize()).elements(2, 0).set(4, 0);
    rmsNorm =
        modules
            .kernel(Family.RMS_NORM, "rms_norm" + suffix, POINTER, POINTER, POINTER, INT, FLOAT)
            .block(normThreads(config.hiddenSize()), 1)
            .set(3, config.hiddenSize())
            .set(4, config.rmsNormEps());
    addRmsNorm =
        modules
            .kernel(
                Family.RMS_NORM,
                "add_rms_norm" + suffix,
                POINTER,
                POINTER,
                POINTER,
                POINTER,
                INT,
                FLOAT)
            .block(normThreads(config.hiddenSize()), 1)
            .set(4, config.hiddenSize())
            .set(5, config.rmsNormEps());
    String floats = "_" + ActivationType.F32.suffix();
    addQkvBias = biasKernel(modules, floats, config.queryWidth() + 2 * config.keyValueWidth());
    addGateUpBias = biasKernel(modules, suffix, 2 * config.intermediateSize());
    addResidualBias = biasKernel(modules, floats, config.hiddenSize());
    ropeAndStoreKv = ropeKernel(modules, format, config, layout, kvCache);
    siluMul =
        modules
            .kernel(Family.SILU_MUL, "silu_mul" + suffix, POINTER, POINTER, INT)
            .block(RUN_THREADS, 1)
            .gridY(Math.ceilDiv(config.intermediateSize(), RUN))
            .set(2, config.intermediateSize());
    argmaxPartials =
        modules
            .kernel(Family.ARGMAX, "argmax_partials", POINTER, POINTER, INT)
            .block(RUN_THREADS, 1)
            .gridY(argmaxRuns)
            .set(2, config.vocabSize());
    argmaxCombine =
        modules
            .kernel(Family.ARGMAX, "argmax_combine", POINTER, POINTER, INT)
            .block(WARP, 1)
            .set(2, argmaxRuns);
  }

  private static KernelLaunch ropeKernel(
      KernelModules modules,
      KvFormat format,
      LlamaConfig config,
      RotaryLayout layout,
      KvCacheSpec kvCache) {
    int pairs = config.headDim() / 2;
    boolean interleaved = layout == RotaryLayout.INTERLEAVED;
    int pairsPerThread = interleaved ? VECTOR / 2 : VECTOR;
    int units = pairs % pairsPerThread == 0 ? pairs / pairsPerThread : pairs;
    if (units > ROPE_MAX_THREADS) {
      throw new IllegalArgumentException(
          "head_dim %d takes %d threads per head, the rotary kernel has %d; no LLaMA is so wide"
              .formatted(config.headDim(), units, ROPE_MAX_THREADS));
    }
    int heads = config.numAttentionHeads() + 2 * config.numKeyValueHeads();
    List<ParameterType> parameters = new ArrayList<>(ROPE_PARAMETERS);
    if (format.fp8()) {
      parameters.add(POINTER);
    }
    return modules
        .kernel(
            format.family(Family.ROPE_AND_STORE_KV),
            "rope_and_store_kv_%s_%s"
                .formatted(interleaved ? "interleaved" : "rotate_half", format.storeSuffix()),
            parameters.toArray(ParameterType[]::new))
        .block(units, Math.min(heads, Math.max(1, ROPE_THREADS / units)))
        .set(8, config.numAttentionHeads())
        .set(9, config.numKeyValueHeads())
        .set(10, config.headDim())
        .set(11, kvCache.blockSize());
  }

  /// One thread per vector, or per element of a row that is no multiple of them.
  private static KernelLaunch gatherKernel(KernelModules modules, ActivationType type, int width) {
    int units = width % VECTOR == 0 ? width / VECTOR : width;
    return modules
        .kernel(
            Family.EMBED_GATHER,
            "embed_gather_" + type.suffix(),
            POINTER,
            POINTER,
            POINTER,
            POINTER,
            INT,
            INT,
            INT)
        .block(wholeWarps(units), 1)
        .set(5, width);
  }

  private static KernelLaunch biasKernel(KernelModules modules, String suffix, int width) {
    return modules
        .kernel(Family.ADD_BIAS, "add_bias" + suffix, POINTER, POINTER, INT)
        .block(RUN_THREADS, 1)
        .gridY(Math.ceilDiv(width, RUN))
        .set(2, width);
  }

  /// From the row's width alone: the order of summation, and so the last bits, hang on it.
  private static int normThreads(int hiddenSize) {
    return wholeWarps(Math.ceilDiv(hiddenSize, NORM_ROW_VECTORS * VECTOR));
  }

  private static int wholeWarps(int threads) {
    return Math.min(Math.ceilDiv(threads, WARP) * WARP, MAX_THREADS);
  }

  /// `out[i] = table[tokenIds[i]]`; zeros for an id outside the vocabulary.
  ///
  /// @param table `[vocabSize, hiddenSize]` T
  /// @param tokenIds `[numTokens]`; `-1 - d` for the id that draw `d` has given
  /// @param out `[numTokens, hiddenSize]` float32, the residual stream
  void embedGather(
      CudaStream stream, long table, long tokenIds, DrawnIds drawn, long out, int numTokens) {
    embedGather
        .rows(0, table)
        .elements(1, tokenIds)
        .elements(2, drawn.address())
        .rows(3, out)
        .set(4, drawn.count());
    embedGather.launch(stream, numTokens);
  }

  /// `out[i] = rows[indices[i]]`: the rows whose logits are wanted, before the final norm.
  ///
  /// @param rows `[numRows, hiddenSize]` float32, the residual stream
  /// @param indices `[numIndices]`
  /// @param out `[numIndices, hiddenSize]` float32
  void gatherRows(
      CudaStream stream, long rows, int numRows, long indices, long out, int numIndices) {
    gatherRows.rows(0, rows).elements(1, indices).rows(3, out).set(6, numRows);
    gatherRows.launch(stream, numIndices);
  }

  /// `out = x * rsqrt(mean(x^2) + rmsNormEps) * weight`, row by row.
  ///
  /// @param x `[numTokens, hiddenSize]` float32, the residual stream
  /// @param weight `[hiddenSize]` float32
  /// @param out `[numTokens, hiddenSize]` T
  void rmsNorm(CudaStream stream, long x, long weight, long out, int numTokens) {
    rmsNorm.rows(0, x).rows(1, weight).rows(2, out);
    rmsNorm.launch(stream, numTokens);
  }

  /// `residual += x`, then [#rmsNorm] of the sum.
  ///
  /// @param x `[numTokens, hiddenSize]` T, what the block adds
  /// @param residual `[numTokens, hiddenSize]` float32, updated
  /// @param weight `[hiddenSize]` float32
  /// @param out `[numTokens, hiddenSize]` T
  void addRmsNorm(CudaStream stream, long x, long residual, long weight, long out, int numTokens) {
    addRmsNorm.rows(0, x).rows(1, residual).rows(2, weight).rows(3, out);
    addRmsNorm.launch(stream, numTokens);
  }

  /// `qkv += bias`, for checkpoints whose attention has biases.
  ///
  /// @param qkv `[numTokens, queryWidth + 2 * keyValueWidth]` float32, updated
  /// @param bias one row of it
  void addQkvBias(CudaStream stream, long qkv, long bias, int numTokens) {
    addBias(addQkvBias, stream, qkv, bias, numTokens);
  }

  /// The same for `[numTokens, 2 * intermediateSize]` T, gates before ups.
  void addGateUpBias(CudaStream stream, long gateUp, long bias, int numTokens) {
    addBias(addGateUpBias, stream, gateUp, bias, numTokens);
  }

  /// The same for the residual stream, `[numTokens, hiddenSize]` float32, to which oProj and
  /// downProj add their products.
  void addResidualBias(CudaStream stream, long residual, long bias, int numTokens) {
    addBias(addResidualBias, stream, residual, bias, numTokens);
  }

  private static void addBias(
      KernelLaunch kernel, CudaStream stream, long rows, long bias, int numTokens) {
    kernel.rows(0, rows).rows(1, bias);
    kernel.launch(stream, numTokens);
  }

  /// Turns queries, and stores turned keys and values in the paged cache.
  ///
  /// A token's row is its query heads, key heads and value heads one after the other. The layout of
  /// the cache is drawn in `rope_and_store_kv.cuh`.
  ///
  /// @param qkv `[numTokens, queryWidth + 2 * keyValueWidth]` float32
  /// @param queries receives `[numTokens, queryWidth]` of [KvFormat#queries()]
  void ropeAndStoreKv(
      CudaStream stream,
      long qkv,
      TokenPlaces places,
      RotaryAddresses rotary,
      long queries,
      KvPools pools,
      int numTokens) {
    ropeAndStoreKv
        .rows(0, qkv)
        .elements(1, places.positions())
        .elements(2, places.slotMapping())
        .rows(3, rotary.cos())
        .rows(4, rotary.sin())
        .rows(5, queries)
        .rows(6, pools.keys())
        .rows(7, pools.values());
    if (scaled) {
      ropeAndStoreKv.elements(ROPE_SCALES, pools.scales());
    }
    ropeAndStoreKv.launch(stream, numTokens);
  }

  /// `out = silu(gate) * up`.
  ///
  /// @param gateUp `[numTokens, 2 * intermediateSize]` T, a token's gates before its ups
  /// @param out `[numTokens, intermediateSize]` T
  void siluMul(CudaStream stream, long gateUp, long out, int numTokens) {
    siluMul.rows(0, gateUp).rows(1, out);
    siluMul.launch(stream, numTokens);
  }

  /// The id of each row's largest logit, the lowest of equals;
  /// [io.cusco.llama.sampling.SamplingStep#NO_TOKEN] for a row that holds NaN or plus infinity or
  /// nothing above minus infinity.
  ///
  /// @param logits `[numRows, vocabSize]` float32
  /// @param workspace [#argmaxWorkspaceBytes] of `numRows`, overwritten
  /// @param ids `[numRows]`
  void argmax(CudaStream stream, long logits, long workspace, long ids, int numRows) {
    argmaxPartials.rows(0, logits).rows(1, workspace);
    argmaxPartials.launch(stream, numRows);
    argmaxCombine.rows(0, workspace).elements(1, ids);
    argmaxCombine.launch(stream, numRows);
  }

  long argmaxWorkspaceBytes(int numRows) {
    return Math.multiplyExact((long) numRows * argmaxRuns, Long.BYTES);
  }

  /// Where a step's tokens stand and go.
  ///
  /// @param positions `[numTokens]`, each below the rotary table's length, padding rows' too
  /// @param slotMapping `[numTokens]`, `block * blockSize + slot in block`; negative stores nothing
  record TokenPlaces(long positions, long slotMapping) {}

  /// A device copy of core's [io.cusco.llama.model.RotaryTable].
  ///
  /// @param cos `[maxPositions, headDim / 2]` float32
  /// @param sin the same
  record RotaryAddresses(long cos, long sin) {}

  /// One layer's paged cache.
  ///
  /// @param keys `[numBlocks, numKeyValueHeads, blockSize, headDim]`, T or e4m3
  /// @param values the same
  /// @param scales `[numBlocks, numKeyValueHeads, blockSize]` of two bfloat16, what key and value
  ///   of the slot are multiplied by; 0 where the cache is of T
  record KvPools(long keys, long values, long scales) {}
}
