package io.cusco.llama.cuda.emulator;

/// `bar.red`: a barrier that also counts, ands or ors a predicate over the block.
///
/// @param operation `popc`, `and` or `or`
/// @param destination slot in the narrow file
record BarrierReduction(String operation, int destination, Predicate source) {
  /// The result for every thread.
  ///
  /// @param holds in how many threads the predicate held
  int result(int holds, int numThreads) {
    return switch (operation) {
      case "popc" -> holds;
      case "and" -> holds == numThreads ? 1 : 0;
      default -> holds > 0 ? 1 : 0;
    };
  }
}
