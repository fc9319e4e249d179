package io.cusco.llama.cuda.emulator;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.SplittableRandom;
import java.util.random.RandomGenerator;

/// Executes kernels from their PTX text, checking what a GPU lets pass: bounds, alignment, reads of
/// what nothing has written, races between threads, divergent barriers.
///
/// ```
/// PTX text ── PtxParser ──▶ PtxModule ── KernelCompiler ──▶ Program (Step, Operation)
///                                                              │
/// DeviceMemory ◀── MemoryAccess ◀── Operation ◀── WarpRunner ◀─ BlockRunner ◀── launch
/// ```
///
/// Results that hardware leaves open are taken as follows: `.approx` functions are correctly
/// rounded, `mma` sums exactly and rounds once, atomics happen in the order in which warps happen
/// to run. No statement about a GPU's last bits, or its speed, follows from a run. Not thread-safe:
/// one lock around emulator and memory.
///
/// Semantics after NVIDIA's "PTX ISA" version 9.0.
public final class PtxEmulator {
  private final DeviceMemory memory;
  private final EmulatorOptions options;
  private final RandomGenerator random;
  private final List<LoadedModule> modules = new ArrayList<>();
  private int generation;
  private long threadInstructions;

  public PtxEmulator(DeviceMemory memory, EmulatorOptions options) {
    this.memory = memory;
    this.options = options;
    this.random = new SplittableRandom(options.seed());
  }

  /// Places the variables of a module in device memory and compiles its kernels.
  ///
  /// @throws PtxException if a kernel uses an instruction that is not emulated
  public LoadedModule load(PtxModule module) {
    LoadedModule loaded = new LoadedModule(module, memory);
    modules.add(loaded);
    return loaded;
  }

  /// Runs a kernel to its end.
  ///
  /// @param packedParameters the values of the parameters at their offsets, as
  ///   [PtxKernel#parameters] lists them
  /// @throws DeviceFault at the first fault; memory keeps what was written until then
  public void launch(
      LoadedModule module, PtxKernel kernel, LaunchConfig config, byte[] packedParameters) {
    Program program = module.program(kernel);
    config.validate(kernel);
    if (packedParameters.length != kernel.parameterBytes()) {
      throw new DeviceFault(
          DeviceFault.Kind.INVALID_LAUNCH,
          "%s takes %d bytes of parameters, not %d: %s"
              .formatted(
                  kernel.name(),
                  kernel.parameterBytes(),
                  packedParameters.length,
                  kernel.parameters()));
    }
    Launch launch =
        new Launch(
            memory,
            options,
            parameterRegion(packedParameters),
            ++generation,
            new BlockOrder(options.strictWarpRaces()));
    BlockRunner runner = new BlockRunner(program, config, launch, random);
    try {
      for (int block : blockOrder(config.numBlocks())) {
        runner.run(block, ++generation);
      }
    } catch (DeviceFault fault) {
      throw fault.seeded(options.seed());
    } finally {
      threadInstructions += runner.threadInstructions();
    }
  }

  private static MemoryRegion parameterRegion(byte[] packed) {
    MemoryRegion region = new MemoryRegion("parameters", 0, packed.length, true);
    System.arraycopy(packed, 0, region.bytes(), 0, packed.length);
    region.setInitialised(0, packed.length, true);
    return region;
  }

  private List<Integer> blockOrder(int numBlocks) {
    List<Integer> order = new ArrayList<>(numBlocks);
    for (int i = 0; i < numBlocks; i++) {
      order.add(i);
    }
    Collections.shuffle(order, random);
    return order;
  }

  /// What has been executed of everything loaded so far.
  public Coverage coverage() {
    Coverage coverage = new Coverage();
    for (LoadedModule module : modules) {
      for (Program program : module.programs()) {
        List<Coverage.Instruction> instructions = new ArrayList<>();
        for (Step step : program.steps()) {
          PtxInstruction source = step.instruction;
          instructions.add(new Coverage.Instruction(source.line(), source.text(), step.executions));
        }
        coverage.add(
            new Coverage.Kernel(module.module().name(), program.kernel().name(), instructions));
      }
    }
    return coverage;
  }

  /// Instructions of all launches, times the threads that executed them.
  public long threadInstructions() {
    return threadInstructions;
  }
}
