package io.cusco.llama.cuda.standin;

import io.cusco.llama.cuda.emulator.PtxKernel;

/// A kernel of a loaded module.
final class SimulatedFunction {
  final SimulatedModule module;
  final PtxKernel kernel;

  /// Dynamic shared memory that a launch may ask for, in bytes; more than the default after
  /// cuFuncSetAttribute.
  int maxDynamicSharedBytes;

  SimulatedFunction(SimulatedModule module, PtxKernel kernel) {
    this.module = module;
    this.kernel = kernel;
    this.maxDynamicSharedBytes =
        Math.max(0, DeviceAttributes.SHARED_BYTES_PER_BLOCK - kernel.staticSharedBytes());
  }

  @Override
  public String toString() {
    return "kernel " + kernel.name();
  }
}
