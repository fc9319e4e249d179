package io.cusco.llama.engine;

/// What an engine is doing and has done. All counts are those after one and the same step, the last
/// one; the rate is that of the moment of the call.
///
/// @param running sequences that hold KV blocks and take part in steps, texts that are read
///   included
/// @param waiting sequences and texts that wait for a place or were preempted
/// @param usedBlocks KV blocks that sequences hold; a block that several share counts once
/// @param cachedBlocks KV blocks that nobody holds and whose content is kept for reuse
/// @param totalBlocks KV blocks in the pool
/// @param promptTokens prompt tokens of all sequences that have begun to run
/// @param cachedPromptTokens those of them that were found in the prefix cache
/// @param generatedTokens tokens drawn
/// @param steps steps run, those of texts that are read included
/// @param preemptions times a sequence lost its blocks to an older one and had to wait again
/// @param discardedTokens tokens computed for sequences that had ended by then; with overlapping
///   steps one at most for each sequence
/// @param generatedTokensPerSecond over the last [#RATE_SECONDS] seconds or so, idle time included
public record EngineStats(
    int running,
    int waiting,
    int usedBlocks,
    int cachedBlocks,
    int totalBlocks,
    long promptTokens,
    long cachedPromptTokens,
    long generatedTokens,
    long steps,
    long preemptions,
    long discardedTokens,
    double generatedTokensPerSecond) {

  /// Seconds that the rate looks back.
  public static final int RATE_SECONDS = 10;

  /// The part of the prompt tokens that was found in the prefix cache, 0 .. 1.
  public double prefixHitRate() {
    return promptTokens == 0 ? 0 : (double) cachedPromptTokens / promptTokens;
  }

  EngineStats withRate(double tokensPerSecond) {
    return new EngineStats(
        running,
        waiting,
        usedBlocks,
        cachedBlocks,
        totalBlocks,
        promptTokens,
        cachedPromptTokens,
        generatedTokens,
        steps,
        preemptions,
        discardedTokens,
        tokensPerSecond);
  }
}
