package io.cusco.llama.cuda.emulator;

/// A predicate operand: its slot in the narrow file, and whether it is taken negated.
record Predicate(int slot, boolean negated) {
  /// The lanes for which it holds.
  int lanes(Warp warp) {
    return lanes(warp, slot, negated);
  }

  static int lanes(Warp warp, int slot, boolean negated) {
    int[] registers = warp.ints;
    int lanes = 0;
    for (int lane = 0; lane < 32; lane++) {
      lanes |= registers[slot + lane] != 0 ? 1 << lane : 0;
    }
    return negated ? ~lanes : lanes;
  }
}
