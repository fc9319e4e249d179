package io.cusco.llama.cuda.standin;

import io.cusco.llama.cuda.emulator.LoadedModule;
import io.cusco.llama.cuda.emulator.PtxModule;
import java.lang.foreign.MemorySegment;
import java.util.HashMap;
import java.util.Map;

/// A module in a context.
final class SimulatedModule {
  final PtxModule ptx;
  final LoadedModule loaded;

  /// Handles of the kernels that were asked for: one each, with its attributes.
  final Map<String, MemorySegment> functions = new HashMap<>();

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
