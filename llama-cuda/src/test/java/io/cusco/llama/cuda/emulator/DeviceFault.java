package io.cusco.llama.cuda.emulator;

import java.io.Serial;

/// What a kernel, a launch or a copy did wrong. The message names kernel, PTX line, instruction,
/// thread, block, address and allocation as far as they apply, and the seed that orders blocks and
/// warps.
public final class DeviceFault extends RuntimeException {
  @Serial private static final long serialVersionUID = 1L;

  /// What went wrong, with the driver's error number for it (`CUresult` in cuda.h). Faults that
  /// only a checker sees are launch failures.
  public enum Kind {
    /// Outside of every allocation.
    ILLEGAL_ADDRESS(700),
    /// In an allocation that has been freed.
    USE_AFTER_FREE(700),
    /// A write to constant memory.
    READ_ONLY(700),
    MISALIGNED(716),
    UNINITIALISED_READ(719),
    RACE(719),
    /// Lanes that a `.sync` instruction names cannot reach it.
    DIVERGENT_SYNC(719),
    /// Threads of a block cannot all reach the same barrier.
    DIVERGENT_BARRIER(719),
    DIVISION_BY_ZERO(719),
    /// A result that the PTX ISA leaves undefined.
    UNDEFINED_RESULT(719),
    /// `trap`.
    TRAP(719),
    /// More instructions than the budget: most likely an endless loop.
    INSTRUCTION_BUDGET(702),
    INVALID_LAUNCH(1),
    INVALID_VALUE(1),
    OUT_OF_MEMORY(2);

    private final int cuResult;

    Kind(int cuResult) {
      this.cuResult = cuResult;
    }
  }

  private final Kind kind;
  private final int lane;

  DeviceFault(Kind kind, String message) {
    this(kind, -1, message);
  }

  /// @param lane lane of the warp that did it, -1 for none in particular
  DeviceFault(Kind kind, int lane, String message) {
    super(message);
    this.kind = kind;
    this.lane = lane;
  }

  /// The same fault with the place where it happened.
  DeviceFault at(String place) {
    return reworded(place + ": " + getMessage());
  }

  /// The same fault with what is needed to repeat the run.
  DeviceFault seeded(long seed) {
    return reworded(getMessage() + " (order of blocks and warps from seed " + seed + ")");
  }

  private DeviceFault reworded(String message) {
    DeviceFault fault = new DeviceFault(kind, lane, message);
    fault.setStackTrace(getStackTrace());
    return fault;
  }

  public Kind kind() {
    return kind;
  }

  /// The `CUresult` that a driver returns for this kind of fault.
  public int cuResult() {
    return kind.cuResult;
  }

  int lane() {
    return lane;
  }
}
