package io.cusco.llama.cuda.emulator;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.random.RandomGenerator;

/// Runs the blocks of a launch one after another, and within a block warp after warp from barrier
/// to barrier, each time in a random order.
final class BlockRunner {
  private final Program program;
  private final LaunchConfig config;
  private final Launch launch;
  private final ThreadBlock block;
  private final WarpRunner runner;
  private final List<Warp> warps = new ArrayList<>();
  private final RandomGenerator random;

  BlockRunner(Program program, LaunchConfig config, Launch launch, RandomGenerator random) {
    this.program = program;
    this.config = config;
    this.launch = launch;
    this.random = random;
    this.block =
        new ThreadBlock(launch, Symbols.sharedBytes(program.kernel(), config.dynamicSharedBytes()));
    this.runner = new WarpRunner(program, launch.options().instructionBudget());
    for (int i = 0; i < (config.threadsPerBlock() + 31) / 32; i++) {
      warps.add(new Warp(i, block, program));
    }
  }

  long threadInstructions() {
    return runner.threadInstructions();
  }

  /// Runs one block.
  ///
  /// @param generation never used before
  void run(int blockIndex, int generation) {
    block.start(blockIndex, generation);
    launch.order().startBlock(blockIndex);
    for (Warp warp : warps) {
      warp.start(program, config, blockIndex);
    }
    List<Warp> order = new ArrayList<>(warps);
    while (true) {
      Collections.shuffle(order, random);
      for (Warp warp : order) {
        runWarp(warp);
      }
      List<Warp> waiting = order.stream().filter(x -> !x.done()).toList();
      if (waiting.isEmpty()) {
        return;
      }
      passBarrier(waiting);
    }
  }

  private void runWarp(Warp warp) {
    if (warp.done()) {
      return;
    }
    try {
      runner.run(warp);
    } catch (DeviceFault fault) {
      throw fault.at(place(runner.current(), warp, fault.lane()));
    }
  }

  /// `rmsnorm: PTX line 225: `ld.shared.f32 …`: thread 32 of block 0`.
  private String place(Step step, Warp warp, int lane) {
    String who = lane < 0 ? "warp " + warp.index() : "thread " + (warp.index() * 32 + lane);
    return "%s: %s: %s of block %d"
        .formatted(program.kernel().name(), step.place(), who, block.index());
  }

  private void passBarrier(List<Warp> waiting) {
    Warp first = waiting.getFirst();
    Step step = first.barrier;
    int lane = Integer.numberOfTrailingZeros(first.live());
    int number = first.ints[step.argument + lane];
    boolean strict = launch.options().strictBarriers();
    int holds = 0;
    int threads = 0;
    for (Warp warp : waiting) {
      int otherNumber = warp.ints[warp.barrier.argument + lane];
      if (otherNumber != number || (strict && warp.barrier != step)) {
        throw divergent(
            step, first, "warp %d waits at %s".formatted(warp.index(), warp.barrier.place()));
      }
      threads += Integer.bitCount(warp.live());
      if (warp.barrier.reduction != null) {
        holds += Integer.bitCount(warp.barrier.reduction.source().lanes(warp) & warp.live());
      }
    }
    if (strict && threads != config.threadsPerBlock()) {
      throw divergent(
          step,
          first,
          "%d of %d threads have exited"
              .formatted(config.threadsPerBlock() - threads, config.threadsPerBlock()));
    }
    block.nextEpoch();
    for (Warp warp : waiting) {
      BarrierReduction reduction = warp.barrier.reduction;
      if (reduction != null) {
        int result = reduction.result(holds, threads);
        Lanes.fill(warp.ints, reduction.destination(), warp.live(), result);
      }
      warp.nextBlockEpoch();
    }
  }

  private DeviceFault divergent(Step step, Warp warp, String problem) {
    return new DeviceFault(DeviceFault.Kind.DIVERGENT_BARRIER, "divergent barrier: " + problem)
        .at(place(step, warp, -1));
  }
}
