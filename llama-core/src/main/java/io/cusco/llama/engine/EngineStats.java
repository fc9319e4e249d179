package io.cusco.llama.engine;

/// What an engine is doing and has done, as of its last step.
///
/// @param running sequences that hold KV blocks and take part in steps
/// @param waiting sequences that wait for a place or were preempted
/// @param usedBlocks KV blocks in use
/// @param totalBlocks KV blocks in the pool
/// @param promptTokens prompt tokens of all requests that have begun to run
/// @param generatedTokens tokens drawn
/// @param steps steps run, those for scoring included
/// @param preemptions times a sequence lost its blocks to an older one and was computed again
public record EngineStats(
    int running,
    int waiting,
    int usedBlocks,
    int totalBlocks,
    long promptTokens,
    long generatedTokens,
    long steps,
    long preemptions) {}
