package io.cusco.llama.cuda.emulator;

import java.util.BitSet;

/// Which blocks of a launch are ordered with each other. Blocks run in any order, so an access of
/// one block never comes "after" another block's, except through the usual hand-over: the writer
/// fences (`membar.gl`) and then does an atomic in global memory, the reader does an atomic in
/// global memory first. That is taken for the whole block, which is coarser than the memory model,
/// so a race of a kernel that fences can be missed; a hand-over by other means counts as a race.
final class BlockOrder {
  private final boolean strictWarps;
  private final BitSet fenced = new BitSet();
  private final BitSet released = new BitSet();
  private boolean acquired;
  private int current;

  BlockOrder(boolean strictWarps) {
    this.strictWarps = strictWarps;
  }

  void startBlock(int block) {
    current = block;
    acquired = false;
  }

  void fence() {
    fenced.set(current);
  }

  void globalAtomic() {
    acquired = true;
    if (fenced.get(current)) {
      released.set(current);
    }
  }

  boolean strictWarps() {
    return strictWarps;
  }

  /// Whether what an earlier block did comes before what the running one does now.
  boolean ordered(int earlierBlock) {
    return acquired && released.get(earlierBlock);
  }
}
