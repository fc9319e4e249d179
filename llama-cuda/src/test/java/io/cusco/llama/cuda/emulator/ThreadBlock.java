package io.cusco.llama.cuda.emulator;

/// One block of a launch while it runs: its shared memory and its barrier epoch. Reused from block
/// to block.
final class ThreadBlock {
  private final Launch launch;
  private final MemoryRegion shared;
  private int index;
  private int epoch;
  private int generation;

  ThreadBlock(Launch launch, int sharedBytes) {
    this.launch = launch;
    this.shared = new MemoryRegion("shared memory", Addresses.FIRST_OFFSET, sharedBytes, false);
  }

  void start(int blockIndex, int newGeneration) {
    index = blockIndex;
    epoch = 0;
    generation = newGeneration;
    shared.poison();
  }

  Launch launch() {
    return launch;
  }

  /// All blocks of one shape are numbered x first.
  int index() {
    return index;
  }

  /// How many barriers the block has passed.
  int epoch() {
    return epoch;
  }

  void nextEpoch() {
    epoch++;
  }

  /// Tells the accesses of this block to its shared memory from those of blocks before.
  int generation() {
    return generation;
  }

  MemoryRegion shared() {
    return shared;
  }
}
