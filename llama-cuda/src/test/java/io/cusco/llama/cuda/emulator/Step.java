package io.cusco.llama.cuda.emulator;

/// One instruction as the scheduler sees it.
final class Step {
  /// What the scheduler has to do.
  enum Kind {
    /// Run the operation and go on.
    ORDINARY,
    /// Go to a target.
    BRANCH,
    /// Go to one of several targets by a register.
    BRANCH_INDEXED,
    EXIT,
    /// Wait for the other warps of the block.
    BARRIER,
    /// Run the operation once every lane that the instruction names is here.
    WARP_SYNC
  }

  /// The member mask of `.aligned` instructions: all lanes.
  static final int ALL_LANES = -1;

  final PtxInstruction instruction;
  final int index;
  final Kind kind;
  final Operation operation;

  /// Slot of the guard predicate, -1 for none.
  final int guard;

  final boolean guardNegated;

  /// Branches: where to; one element unless indexed.
  final int[] targets;

  /// Slot of the index (BRANCH_INDEXED), of the member mask (WARP_SYNC, or [#ALL_LANES]), or of the
  /// barrier's number (BARRIER).
  final int argument;

  /// What a barrier that reduces does; null for the others.
  final BarrierReduction reduction;

  /// How often a warp executed it with any lane.
  long executions;

  Step(
      PtxInstruction instruction,
      int index,
      Kind kind,
      Operation operation,
      Predicate guard,
      int[] targets,
      int argument,
      BarrierReduction reduction) {
    this.instruction = instruction;
    this.index = index;
    this.kind = kind;
    this.operation = operation;
    this.guard = guard == null ? -1 : guard.slot();
    this.guardNegated = guard != null && guard.negated();
    this.targets = targets;
    this.argument = argument;
    this.reduction = reduction;
  }

  String place() {
    return "PTX line %d: `%s`".formatted(instruction.line(), instruction.text());
  }
}
