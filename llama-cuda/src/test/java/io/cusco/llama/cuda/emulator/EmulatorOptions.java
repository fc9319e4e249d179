package io.cusco.llama.cuda.emulator;

/// How to run kernels.
///
/// @param seed orders blocks and warps; named in every fault
/// @param checkInitialised whether reading bytes that nothing has written is a fault
/// @param checkRaces whether unordered accesses to the same byte by different warps of a block, or
///   by different blocks, are a fault
/// @param strictWarpRaces whether that also holds between lanes of one warp without a
///   `bar.warp.sync` between them
/// @param strictBarriers whether a barrier is a fault while some threads of the block have exited
/// @param instructionBudget warp-instructions of one launch beyond which it counts as endless
public record EmulatorOptions(
    long seed,
    boolean checkInitialised,
    boolean checkRaces,
    boolean strictWarpRaces,
    boolean strictBarriers,
    long instructionBudget) {

  private static final long DEFAULT_BUDGET = 1_000_000_000L;

  /// Every check on.
  public static EmulatorOptions checked(long seed) {
    return new EmulatorOptions(seed, true, true, true, true, DEFAULT_BUDGET);
  }

  /// Bounds and alignment only, for large shapes.
  public static EmulatorOptions unchecked(long seed) {
    return new EmulatorOptions(seed, false, false, false, true, DEFAULT_BUDGET);
  }

  public EmulatorOptions withInstructionBudget(long warpInstructions) {
    return new EmulatorOptions(
        seed, checkInitialised, checkRaces, strictWarpRaces, strictBarriers, warpInstructions);
  }

  public EmulatorOptions withStrictWarpRaces(boolean strict) {
    return new EmulatorOptions(
        seed, checkInitialised, checkRaces, strict, strictBarriers, instructionBudget);
  }
}
