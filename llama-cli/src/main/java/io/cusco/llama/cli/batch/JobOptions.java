package io.cusco.llama.cli.batch;

import java.nio.file.Path;
import java.util.Optional;

/// What a batch run reads and writes, and how.
///
/// @param input the file of requests; empty for stdin
/// @param output the file of results; empty for stdout
/// @param resume whether to go on with an output that has results already
/// @param inputOrder whether results are written in the order of their requests, or as they finish
/// @param maxConcurrent requests that are computed at the same time
/// @param seed with its `custom_id` decides the draws of a request that states no seed
public record JobOptions(
    Optional<Path> input,
    Optional<Path> output,
    boolean resume,
    boolean inputOrder,
    int maxConcurrent,
    long seed) {

  /// How far reading runs ahead: enough that the engine never waits for a line to be read.
  private static final int AHEAD = 2;

  /// The same where finished results wait for a slow one before them.
  private static final int AHEAD_IN_ORDER = 16;

  private static final int MIN_WINDOW_IN_ORDER = 256;

  /// Requests that are read and whose results are not written yet, at most.
  int window() {
    return inputOrder
        ? Math.max(AHEAD_IN_ORDER * maxConcurrent, MIN_WINDOW_IN_ORDER)
        : AHEAD * maxConcurrent;
  }
}
