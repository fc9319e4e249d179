package io.cusco.llama.cuda.emulator;

/// Runs one warp until all its threads wait at a barrier or have exited.
///
/// Of the fragments of a warp the one with the lowest program counter runs, until it reaches
/// another one. For code as nvcc lays it out this reconverges without any analysis of the control
/// flow.
final class WarpRunner {
  private final Step[] steps;
  private long budget;
  private long threadInstructions;
  private Step current;

  WarpRunner(Program program, long instructionBudget) {
    this.steps = program.steps();
    this.budget = instructionBudget;
  }

  /// The step executed last, for the message of a fault.
  Step current() {
    return current;
  }

  /// Instructions executed so far, times the lanes that executed them.
  long threadInstructions() {
    return threadInstructions;
  }

  /// Afterwards the warp is done or has a barrier to wait at.
  void run(Warp warp) {
    warp.barrier = null;
    while (warp.numFragments > 0 && warp.barrier == null) {
      if (warp.numFragments > 1) {
        warp.merge();
      }
      int fragment = warp.lowest();
      if (fragment < 0) {
        throw stuck(warp);
      }
      runFragment(warp, fragment);
    }
  }

  private void runFragment(Warp warp, int fragment) {
    int mask = warp.masks[fragment];
    int pc = warp.pcs[fragment];
    int other = warp.lowestOther(fragment);
    do {
      if (pc == steps.length) {
        leave(warp, fragment, pc, mask, mask);
        return;
      }
      Step step = steps[pc];
      int executing = begin(warp, step, mask);
      if (executing == 0) {
        pc++;
        continue;
      }
      switch (step.kind) {
        case ORDINARY -> {
          step.operation.run(warp, executing);
          pc++;
        }
        case WARP_SYNC -> {
          if (!synchronise(warp, step, executing, mask)) {
            block(warp, fragment, pc, mask);
            return;
          }
          pc++;
        }
        case BRANCH -> {
          if (executing != mask) {
            count(step, executing);
            warp.addFragment(step.targets[0], executing);
            stay(warp, fragment, pc + 1, mask & ~executing);
            return;
          }
          pc = step.targets[0];
        }
        case BRANCH_INDEXED -> {
          count(step, executing);
          split(warp, fragment, step, pc, mask, executing);
          return;
        }
        case EXIT -> {
          count(step, executing);
          leave(warp, fragment, pc, mask, executing);
          return;
        }
        case BARRIER -> {
          arrive(warp, fragment, step, pc, mask, executing);
          return;
        }
      }
      count(step, executing);
    } while (pc < other);
    stay(warp, fragment, pc, mask);
  }

  /// The lanes that execute a step: those of the fragment for which its guard holds.
  private int begin(Warp warp, Step step, int mask) {
    current = step;
    if (--budget < 0) {
      throw new DeviceFault(
          DeviceFault.Kind.INSTRUCTION_BUDGET,
          Integer.numberOfTrailingZeros(mask),
          "the launch used up its budget of warp instructions: most likely an endless loop");
    }
    return step.guard < 0 ? mask : mask & Predicate.lanes(warp, step.guard, step.guardNegated);
  }

  private static void stay(Warp warp, int fragment, int pc, int mask) {
    warp.pcs[fragment] = pc;
    warp.masks[fragment] = mask;
  }

  private static void block(Warp warp, int fragment, int pc, int mask) {
    stay(warp, fragment, pc, mask);
    warp.blocked[fragment] = true;
  }

  private static void leave(Warp warp, int fragment, int pc, int mask, int executing) {
    warp.exit(executing);
    if (mask == executing) {
      warp.removeFragment(fragment);
    } else {
      stay(warp, fragment, pc + 1, mask & ~executing);
    }
  }

  private void arrive(Warp warp, int fragment, Step step, int pc, int mask, int executing) {
    if (executing != mask) {
      throw new DeviceFault(
          DeviceFault.Kind.DIVERGENT_BARRIER,
          Integer.numberOfTrailingZeros(executing),
          "divergent barrier: lanes %s execute it, lanes %s skip it by its guard"
              .formatted(Warp.lanes(executing), Warp.lanes(mask & ~executing)));
    }
    if (mask != warp.live()) {
      block(warp, fragment, pc, mask);
      return;
    }
    count(step, executing);
    warp.barrier = step;
    stay(warp, fragment, pc + 1, mask);
  }

  private void count(Step step, int executing) {
    step.executions++;
    threadInstructions += Integer.bitCount(executing);
  }

  /// One fragment per value of the index.
  private static void split(Warp warp, int fragment, Step step, int pc, int mask, int executing) {
    warp.removeFragment(fragment);
    if (mask != executing) {
      warp.addFragment(pc + 1, mask & ~executing);
    }
    int rest = executing;
    while (rest != 0) {
      int lane = Integer.numberOfTrailingZeros(rest);
      int index = warp.ints[step.argument + lane];
      if (Integer.compareUnsigned(index, step.targets.length) >= 0) {
        throw new DeviceFault(
            DeviceFault.Kind.UNDEFINED_RESULT,
            lane,
            "branch index %d of %d targets".formatted(index, step.targets.length));
      }
      int same = 0;
      for (int other = lane; other < 32; other++) {
        boolean equal = (rest >>> other & 1) != 0 && warp.ints[step.argument + other] == index;
        same |= equal ? 1 << other : 0;
      }
      warp.addFragment(step.targets[index], same);
      rest &= ~same;
    }
  }

  /// Runs the operation for each group of lanes that name each other; false if lanes are missing
  /// that may still come.
  private static boolean synchronise(Warp warp, Step step, int executing, int mask) {
    int rest = executing;
    while (rest != 0) {
      int lane = Integer.numberOfTrailingZeros(rest);
      int members = members(warp, step, lane);
      int missing = members & ~executing;
      if (missing != 0) {
        checkMissing(warp, lane, members, missing, mask);
        return false;
      }
      rest &= ~members;
    }
    rest = executing;
    while (rest != 0) {
      int lane = Integer.numberOfTrailingZeros(rest);
      int members = members(warp, step, lane);
      step.operation.run(warp, members);
      rest &= ~members;
    }
    return true;
  }

  /// The lanes that this lane's instruction names, all of which have to name the same.
  private static int members(Warp warp, Step step, int lane) {
    if (step.argument == Step.ALL_LANES) {
      return -1;
    }
    int members = warp.ints[step.argument + lane];
    if ((members >>> lane & 1) == 0) {
      throw new DeviceFault(
          DeviceFault.Kind.DIVERGENT_SYNC,
          lane,
          "divergent .sync: the member mask %s leaves out the executing lane"
              .formatted(Addresses.hex(members & 0xFFFF_FFFFL)));
    }
    return members;
  }

  private static void checkMissing(Warp warp, int lane, int members, int missing, int mask) {
    String problem = null;
    if ((missing & ~warp.existing()) != 0) {
      problem = "do not exist in a block of this size";
      missing &= ~warp.existing();
    } else if ((missing & ~warp.live()) != 0) {
      problem = "have exited";
      missing &= ~warp.live();
    } else if ((missing & mask) != 0) {
      problem = "skip it by its guard";
      missing &= mask;
    }
    if (problem != null) {
      throw new DeviceFault(
          DeviceFault.Kind.DIVERGENT_SYNC,
          lane,
          "divergent .sync: it names lanes %s, of which lanes %s %s"
              .formatted(Warp.lanes(members), Warp.lanes(missing), problem));
    }
  }

  /// All fragments wait for each other, at different places.
  private DeviceFault stuck(Warp warp) {
    StringBuilder places = new StringBuilder();
    boolean barrier = false;
    for (int i = 0; i < warp.numFragments; i++) {
      Step step = steps[warp.pcs[i]];
      barrier |= step.kind == Step.Kind.BARRIER;
      places.append(i == 0 ? "" : "; ");
      places.append("lanes " + Warp.lanes(warp.masks[i]) + " wait at " + step.place());
    }
    current = steps[warp.pcs[0]];
    return new DeviceFault(
        barrier ? DeviceFault.Kind.DIVERGENT_BARRIER : DeviceFault.Kind.DIVERGENT_SYNC,
        Integer.numberOfTrailingZeros(warp.masks[0]),
        (barrier ? "divergent barrier: " : "divergent .sync: ") + places);
  }
}
