package io.cusco.llama.cpu;

import io.cusco.llama.config.LlamaConfig;
import io.cusco.llama.cpu.kernels.AttentionState;
import io.cusco.llama.cpu.kernels.Kernels;
import io.cusco.llama.cpu.kernels.KvTile;
import io.cusco.llama.model.KvCacheSpec;
import io.cusco.llama.model.StepInput;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;

/// Attention of all tokens of a step, over keys and values that are in the cache. A task is one
/// key/value head of a run of tokens: of many at once where [PrefillAttention] takes them, else of
/// a single one.
///
/// Owned by the thread that runs the forward pass.
final class StepAttention {
  private final LlamaConfig config;
  private final CpuKvCache cache;
  private final int blockSize;
  private final Kernels kernels;
  private final WorkerPool pool;
  private final boolean deterministic;
  private final PrefillAttention prefillAttention;
  private final AttentionState[] states;
  private final int[] tokenSequences;

  /// First tokens of the runs, and the end of the last.
  private final int[] runStarts;

  private final WorkerPool.Phase phase = this::attendRun;

  private StepInput step;
  private int numRuns;
  private int layer;
  private MemorySegment queries;
  private MemorySegment attended;

  /// @param maxTokens tokens in one step
  /// @param deterministic whether a token's sums have the same bits whatever is beside it
  StepAttention(
      LlamaConfig config,
      CpuKvCache cache,
      KvCacheSpec spec,
      Kernels kernels,
      WorkerPool pool,
      int maxTokens,
      boolean deterministic,
      Arena arena) {
    this.config = config;
    this.cache = cache;
    this.kernels = kernels;
    this.pool = pool;
    this.deterministic = deterministic;
    blockSize = spec.blockSize();
    prefillAttention =
        new PrefillAttention(config, cache, blockSize, kernels, pool.numThreads(), arena);
    KvTile tile = cache.layer(0);
    states = new AttentionState[pool.numThreads()];
    for (int i = 0; i < states.length; i++) {
      states[i] =
          new AttentionState(
              config.groupSize(), config.headDim(), tile.positions(), tile.valueStride(), arena);
    }
    tokenSequences = new int[maxTokens];
    runStarts = new int[maxTokens + 1];
  }

  /// Finds the runs of a step; once, before its first layer.
  void plan(StepInput step) {
    this.step = step;
    int[] starts = step.queryStarts();
    numRuns = 0;
    for (int sequence = 0; sequence < step.numSequences(); sequence++) {
      Arrays.fill(tokenSequences, starts[sequence], starts[sequence + 1], sequence);
      int tokens = starts[sequence + 1] - starts[sequence];
      int runLength = attendTogether(tokens) ? prefillAttention.maxTokens() : 1;
      for (int token = starts[sequence]; token < starts[sequence + 1]; token += runLength) {
        runStarts[numRuns++] = token;
      }
    }
    runStarts[numRuns] = step.numTokens();
  }

  /// Attention of one layer.
  ///
  /// @param queries `[tokens][heads][headDim]`, rotated
  /// @param attended `[tokens][heads][headDim]`: written
  void run(int layer, MemorySegment queries, MemorySegment attended) {
    this.layer = layer;
    this.queries = queries;
    this.attended = attended;
    pool.run(phase, numRuns * config.numKeyValueHeads());
  }

  /// Alone, a token's sums have another order.
  private boolean attendTogether(int tokens) {
    return !deterministic && prefillAttention.takes(tokens);
  }

  /// All query heads that share one key/value head, for one run of tokens. The last runs of a
  /// sequence look back farthest: they come first, so that no long task is left at the end.
  private void attendRun(int task, int worker) {
    int run = numRuns - 1 - task / config.numKeyValueHeads();
    int head = task % config.numKeyValueHeads();
    int token = runStarts[run];
    int tokens = runStarts[run + 1] - token;
    if (attendTogether(tokens)) {
      prefillAttention.attend(
          step, layer, tokenSequences[token], token, tokens, head, queries, attended, worker);
      return;
    }
    for (int i = 0; i < tokens; i++) {
      attendToken(token + i, head, states[worker]);
    }
  }

  private void attendToken(int token, int head, AttentionState state) {
    KvTile tile = cache.layer(layer);
    long headBytes = (long) config.headDim() * Float.BYTES;
    long rowBytes = (long) config.queryWidth() * Float.BYTES;
    long queryAt = token * rowBytes + (long) head * config.groupSize() * headBytes;
    int table = tokenSequences[token] * step.blockTableStride();
    int visible = step.positions()[token] + 1;
    state.begin(queries, queryAt);
    for (int start = 0; start < visible; start += blockSize) {
      int block = step.blockTables()[table + start / blockSize];
      kernels.attendTile(
          tile,
          cache.keyOffset(tile, block, head),
          cache.valueOffset(tile, block, head),
          Math.min(blockSize, visible - start),
          state);
    }
    for (int g = 0; g < config.groupSize(); g++) {
      state.writeOutput(g, attended, queryAt + g * headBytes);
    }
  }
}
