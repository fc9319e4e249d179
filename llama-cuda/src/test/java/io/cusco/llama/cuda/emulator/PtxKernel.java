package io.cusco.llama.cuda.emulator;

import java.util.List;

/// One kernel of a [PtxModule], as parsed. Immutable.
public final class PtxKernel {
  private final String name;
  private final List<PtxParameter> parameters;
  private final int maxThreadsPerBlock;
  private final List<PtxVariable> variables;
  private final List<PtxInstruction> instructions;
  private final int numNarrowRegisters;
  private final int numWideRegisters;

  PtxKernel(
      String name,
      List<PtxParameter> parameters,
      int maxThreadsPerBlock,
      List<PtxVariable> variables,
      List<PtxInstruction> instructions,
      int numNarrowRegisters,
      int numWideRegisters) {
    this.name = name;
    this.parameters = List.copyOf(parameters);
    this.maxThreadsPerBlock = maxThreadsPerBlock;
    this.variables = List.copyOf(variables);
    this.instructions = List.copyOf(instructions);
    this.numNarrowRegisters = numNarrowRegisters;
    this.numWideRegisters = numWideRegisters;
  }

  public String name() {
    return name;
  }

  /// The parameters in order, with their offsets in the packed block.
  public List<PtxParameter> parameters() {
    return parameters;
  }

  /// Size of the packed parameter block: the end of the last parameter.
  public int parameterBytes() {
    if (parameters.isEmpty()) {
      return 0;
    }
    PtxParameter last = parameters.getLast();
    return last.offset() + last.numBytes();
  }

  /// Bytes of shared memory that the kernel declares itself, without the dynamic ones of a launch.
  public int staticSharedBytes() {
    return sum("shared");
  }

  /// Bytes of local memory per thread.
  public int localBytes() {
    return sum("local");
  }

  /// From `.maxntid` or `.reqntid`, 1024 where the kernel states none.
  public int maxThreadsPerBlock() {
    return maxThreadsPerBlock;
  }

  /// Virtual registers of at most 32 bits, and of 64: an upper bound that says little about what
  /// ptxas will allot.
  public int numVirtualRegisters() {
    return numNarrowRegisters + numWideRegisters;
  }

  /// How many instructions the kernel has.
  public int numInstructions() {
    return instructions.size();
  }

  List<PtxVariable> variables() {
    return variables;
  }

  List<PtxInstruction> instructions() {
    return instructions;
  }

  int numNarrowRegisters() {
    return numNarrowRegisters;
  }

  int numWideRegisters() {
    return numWideRegisters;
  }

  private int sum(String space) {
    long end = 0;
    for (PtxVariable variable : variables) {
      if (variable.space().equals(space)) {
        end = Addresses.alignUp(end, variable.alignment()) + variable.numBytes();
      }
    }
    return Math.toIntExact(end);
  }
}
