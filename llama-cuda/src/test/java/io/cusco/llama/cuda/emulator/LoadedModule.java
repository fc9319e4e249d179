package io.cusco.llama.cuda.emulator;

import java.util.LinkedHashMap;
import java.util.Map;

/// A module on the emulated device: its variables have addresses and its kernels are compiled.
public final class LoadedModule {
  private final PtxModule module;
  private final DeviceMemory memory;
  private final Map<String, MemoryRegion> variables = new LinkedHashMap<>();
  private final Map<String, Program> programs = new LinkedHashMap<>();
  private boolean loaded = true;

  LoadedModule(PtxModule module, DeviceMemory memory) {
    this.module = module;
    this.memory = memory;
    for (PtxVariable variable : module.variables()) {
      if (variable.space().equals("global") || variable.space().equals("const")) {
        allocate(variable);
      }
    }
    try {
      linkAndCompile();
    } catch (PtxException e) {
      unload();
      throw e;
    }
  }

  private void linkAndCompile() {
    for (PtxVariable variable : module.variables()) {
      for (PtxVariable.Reference reference : variable.references()) {
        link(variable, reference);
      }
    }
    for (PtxKernel kernel : module.kernels()) {
      programs.put(kernel.name(), KernelCompiler.compile(module, kernel, variables));
    }
  }

  private void allocate(PtxVariable variable) {
    boolean constant = variable.space().equals("const");
    MemoryRegion region =
        memory.allocate(
            variable.numBytes(), module.name() + " variable " + variable.name(), constant);
    byte[] initial = new byte[region.numBytes()];
    if (variable.initial() != null) {
      System.arraycopy(variable.initial(), 0, initial, 0, variable.initial().length);
    }
    // Variables without an initialiser are zero, as in CUDA C++.
    System.arraycopy(initial, 0, region.bytes(), 0, initial.length);
    region.setInitialised(0, initial.length, true);
    variables.put(variable.name(), region);
  }

  private void link(PtxVariable variable, PtxVariable.Reference reference) {
    MemoryRegion target = variables.get(reference.symbol());
    if (target == null) {
      throw PtxException.at(
          variable.line(), variable.name(), "nothing is named `" + reference.symbol() + "`");
    }
    variables.get(variable.name()).putLong(reference.offset(), target.base() + reference.addend());
  }

  public PtxModule module() {
    return module;
  }

  /// The device address of a variable of the module.
  ///
  /// @throws IllegalArgumentException if it has none of this name
  public long globalAddress(String name) {
    return variable(name).base();
  }

  /// The size of a variable of the module in bytes.
  public long globalBytes(String name) {
    return variable(name).numBytes();
  }

  private MemoryRegion variable(String name) {
    MemoryRegion region = variables.get(name);
    if (region == null) {
      throw new IllegalArgumentException(module.name() + " has no variable " + name);
    }
    return region;
  }

  /// Frees the variables; launches of its kernels are refused from now on. Idempotent.
  public void unload() {
    if (loaded) {
      variables.values().forEach(region -> memory.free(region.base()));
      loaded = false;
    }
  }

  Program program(PtxKernel kernel) {
    Program program = programs.get(kernel.name());
    if (!loaded || program == null || program.kernel() != kernel) {
      throw new DeviceFault(
          DeviceFault.Kind.INVALID_VALUE,
          "kernel %s is not part of a loaded module %s".formatted(kernel.name(), module.name()));
    }
    return program;
  }

  Iterable<Program> programs() {
    return programs.values();
  }
}
