package io.cusco.llama.cuda.emulator;

import java.util.List;

/// A parsed PTX module. Immutable, may be loaded by several emulators.
public final class PtxModule {
  private final String name;
  private final int target;
  private final List<PtxKernel> kernels;
  private final List<PtxVariable> variables;

  PtxModule(String name, int target, List<PtxKernel> kernels, List<PtxVariable> variables) {
    this.name = name;
    this.target = target;
    this.kernels = List.copyOf(kernels);
    this.variables = List.copyOf(variables);
  }

  /// Parses PTX text.
  ///
  /// @param name for messages and coverage reports, as `rmsnorm.ptx`
  /// @throws PtxException if the text is malformed or needs what is not emulated; opcodes are
  ///   checked by [PtxEmulator#load]
  public static PtxModule parse(String name, String ptx) {
    return PtxParser.parse(name, ptx);
  }

  public String name() {
    return name;
  }

  /// The architecture that the text is for, as 80 of `.target sm_80`.
  public int target() {
    return target;
  }

  /// All kernels in the order of the text.
  public List<PtxKernel> kernels() {
    return kernels;
  }

  /// The kernel of this name.
  ///
  /// @throws IllegalArgumentException if there is none, listing those there are
  public PtxKernel kernel(String kernelName) {
    for (PtxKernel kernel : kernels) {
      if (kernel.name().equals(kernelName)) {
        return kernel;
      }
    }
    throw new IllegalArgumentException(
        "%s has no kernel %s, only %s"
            .formatted(name, kernelName, kernels.stream().map(PtxKernel::name).toList()));
  }

  List<PtxVariable> variables() {
    return variables;
  }
}
