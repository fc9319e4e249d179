package io.cusco.llama.cuda.emulator;

import java.util.Arrays;

/// 32 threads: their registers and where they stand.
///
/// A warp is a list of fragments (program counter, lanes). Usually there is one; a divergent branch
/// splits it, and fragments that meet at the same instruction merge.
final class Warp {
  /// Blocks of a launch; what the stamps of [RaceShadow] have room for.
  static final int MAX_BLOCKS = 1 << 22;

  private static final int POISON = 0xFFFF_FFFF;

  /// Registers of up to 32 bits; predicates are zero or not, 16-bit values are zero-extended.
  final int[] ints;

  /// Registers of 64 bits.
  final long[] longs;

  /// Scratch: the addresses of the memory instruction being executed.
  final long[] addresses = new long[32];

  final int[] pcs = new int[33];
  final int[] masks = new int[33];
  final boolean[] blocked = new boolean[33];
  int numFragments;

  /// The barrier all lanes wait at, null while they do not.
  Step barrier;

  private final int index;
  private final ThreadBlock block;
  private final MemoryRegion local;
  private final AsyncCopies asyncCopies;
  private int existing;
  private int live;
  private int warpEpoch;
  private long stampBase;

  Warp(int index, ThreadBlock block, Program program) {
    this.index = index;
    this.block = block;
    this.ints = new int[program.numIntSlots() * 32];
    this.longs = new long[program.numLongSlots() * 32];
    this.local =
        program.localBytes() == 0
            ? null
            : new MemoryRegion("local memory", 0, program.localBytes() * 32, false);
    this.asyncCopies = new AsyncCopies();
    program.fillConstants(this);
  }

  /// Puts all threads at the first instruction of a new block.
  void start(Program program, LaunchConfig config, int blockIndex) {
    Arrays.fill(ints, 0, program.numIntRegisters() * 32, POISON);
    Arrays.fill(longs, 0, program.numLongRegisters() * 32, -1L);
    SpecialRegisters.fill(ints, program.specialBase(), this, config, blockIndex);
    int threads = Math.min(32, config.threadsPerBlock() - index * 32);
    existing = threads == 32 ? -1 : (1 << threads) - 1;
    live = existing;
    numFragments = 1;
    pcs[0] = 0;
    masks[0] = live;
    blocked[0] = false;
    barrier = null;
    warpEpoch = 0;
    if (local != null) {
      local.poison();
    }
    asyncCopies.clear();
    restamp();
  }

  int index() {
    return index;
  }

  ThreadBlock block() {
    return block;
  }

  /// Local memory of all lanes, one slab after another; null if the kernel has none.
  MemoryRegion local() {
    return local;
  }

  AsyncCopies asyncCopies() {
    return asyncCopies;
  }

  /// Lanes that have not exited.
  int live() {
    return live;
  }

  /// Lanes that ever were: fewer than 32 in the last warp of an odd block.
  int existing() {
    return existing;
  }

  boolean done() {
    return numFragments == 0;
  }

  /// Who waited for these lanes has to look again.
  void exit(int lanes) {
    live &= ~lanes;
    Arrays.fill(blocked, 0, numFragments, false);
  }

  /// `bar.warp.sync`: what the lanes did before is ordered before what they do next.
  void nextWarpEpoch() {
    warpEpoch++;
    restamp();
  }

  /// After a barrier of the block.
  void nextBlockEpoch() {
    warpEpoch = 0;
    restamp();
  }

  private void restamp() {
    stampBase =
        RaceShadow.TOUCHED
            | (long) block.index() << RaceShadow.BLOCK_SHIFT
            | (block.epoch() & 0x7fffL) << RaceShadow.EPOCH_SHIFT
            | (warpEpoch & 0xfffL) << RaceShadow.WARP_EPOCH_SHIFT
            | (long) index << 5;
  }

  /// Who, where and when, for [RaceShadow].
  long stamp(int lane) {
    return stampBase | lane;
  }

  void addFragment(int pc, int mask) {
    pcs[numFragments] = pc;
    masks[numFragments] = mask;
    blocked[numFragments] = false;
    numFragments++;
  }

  void removeFragment(int fragment) {
    numFragments--;
    pcs[fragment] = pcs[numFragments];
    masks[fragment] = masks[numFragments];
    blocked[fragment] = blocked[numFragments];
  }

  /// Merges fragments that stand at the same instruction; whoever was blocked there may try again.
  void merge() {
    for (int a = 0; a < numFragments; a++) {
      for (int b = numFragments - 1; b > a; b--) {
        if (pcs[a] == pcs[b]) {
          masks[a] |= masks[b];
          blocked[a] = false;
          removeFragment(b);
        }
      }
    }
  }

  /// The fragment to run: the one that is furthest behind, -1 if all are blocked.
  int lowest() {
    int lowest = -1;
    for (int i = 0; i < numFragments; i++) {
      if (!blocked[i] && (lowest < 0 || pcs[i] < pcs[lowest])) {
        lowest = i;
      }
    }
    return lowest;
  }

  /// The lowest program counter of the other fragments.
  int lowestOther(int fragment) {
    int lowest = Integer.MAX_VALUE;
    for (int i = 0; i < numFragments; i++) {
      if (i != fragment) {
        lowest = Math.min(lowest, pcs[i]);
      }
    }
    return lowest;
  }

  /// Lanes in words: `0-3, 7`.
  static String lanes(int mask) {
    StringBuilder text = new StringBuilder();
    for (int lane = 0; lane < 32; lane++) {
      if ((mask >>> lane & 1) == 0) {
        continue;
      }
      int last = lane;
      while (last < 31 && (mask >>> (last + 1) & 1) != 0) {
        last++;
      }
      text.append(text.isEmpty() ? "" : ", ").append(lane);
      text.append(last == lane ? "" : "-" + last);
      lane = last;
    }
    return text.toString();
  }
}
