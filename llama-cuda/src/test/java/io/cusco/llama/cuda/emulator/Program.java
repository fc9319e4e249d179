package io.cusco.llama.cuda.emulator;

import java.util.List;

/// A kernel compiled for one loaded module: its steps and the shape of the register files.
///
/// The narrow file holds registers, special registers and constants in that order, the wide file
/// registers and constants.
final class Program {
  private final PtxKernel kernel;
  private final Step[] steps;
  private final int[] intConstants;
  private final long[] longConstants;
  private final int numIntRegisters;
  private final int numLongRegisters;

  Program(PtxKernel kernel, List<Step> steps, Slots slots) {
    this.kernel = kernel;
    this.steps = steps.toArray(Step[]::new);
    this.intConstants = slots.intConstants();
    this.longConstants = slots.longConstants();
    this.numIntRegisters = slots.numIntRegisters();
    this.numLongRegisters = slots.numLongRegisters();
  }

  PtxKernel kernel() {
    return kernel;
  }

  Step[] steps() {
    return steps;
  }

  int numIntRegisters() {
    return numIntRegisters;
  }

  int numLongRegisters() {
    return numLongRegisters;
  }

  int numIntSlots() {
    return numIntRegisters + SpecialRegisters.NAMES.size() + intConstants.length;
  }

  int numLongSlots() {
    return numLongRegisters + longConstants.length;
  }

  /// Index of lane 0 of the first special register.
  int specialBase() {
    return numIntRegisters * 32;
  }

  int localBytes() {
    return (int) Addresses.alignUp(kernel.localBytes(), 16);
  }

  void fillConstants(Warp warp) {
    int narrow = (numIntRegisters + SpecialRegisters.NAMES.size()) * 32;
    for (int i = 0; i < intConstants.length * 32; i++) {
      warp.ints[narrow + i] = intConstants[i / 32];
    }
    int wide = numLongRegisters * 32;
    for (int i = 0; i < longConstants.length * 32; i++) {
      warp.longs[wide + i] = longConstants[i / 32];
    }
  }
}
