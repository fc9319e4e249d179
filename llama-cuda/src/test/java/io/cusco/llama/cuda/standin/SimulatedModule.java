package io.cusco.llama.cuda.standin;

import io.cusco.llama.cuda.emulator.LoadedModule;
import io.cusco.llama.cuda.emulator.PtxModule;

/// A module in a context.
final class SimulatedModule {
  final PtxModule ptx;
  final LoadedModule loaded;
  boolean unloaded;

  SimulatedModule(PtxModule ptx, LoadedModule loaded) {
    this.ptx = ptx;
    this.loaded = loaded;
  }

  @Override
  public String toString() {
    return "a module of " + ptx.kernels().size() + " kernels";
  }
}
