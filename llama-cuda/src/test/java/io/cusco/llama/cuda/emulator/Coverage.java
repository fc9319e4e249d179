package io.cusco.llama.cuda.emulator;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/// Which instructions of the loaded kernels have been executed, by module and kernel. Not
/// thread-safe.
public final class Coverage {
  /// One instruction.
  ///
  /// @param line in the PTX text
  /// @param executions by how many warps, with any lane
  public record Instruction(int line, String text, long executions) {}

  /// One kernel.
  public record Kernel(String module, String name, List<Instruction> instructions) {
    public Kernel {
      instructions = List.copyOf(instructions);
    }

    public int numInstructions() {
      return instructions.size();
    }

    public int numExecuted() {
      return instructions.size() - unexecuted().size();
    }

    /// What never ran.
    public List<Instruction> unexecuted() {
      return instructions.stream().filter(x -> x.executions() == 0).toList();
    }

    /// The executed part, 0 to 1.
    public double ratio() {
      return numInstructions() == 0 ? 1 : (double) numExecuted() / numInstructions();
    }
  }

  private final Map<String, Kernel> kernels = new LinkedHashMap<>();

  /// An empty one, to merge others into.
  public Coverage() {}

  void add(Kernel kernel) {
    kernels.merge(kernel.module() + ": " + kernel.name(), kernel, Coverage::sum);
  }

  private static Kernel sum(Kernel a, Kernel b) {
    if (a.numInstructions() != b.numInstructions()) {
      throw new IllegalArgumentException(
          "%s: %s has %d instructions in one text and %d in another"
              .formatted(a.module(), a.name(), a.numInstructions(), b.numInstructions()));
    }
    List<Instruction> sums = new ArrayList<>();
    for (int i = 0; i < a.numInstructions(); i++) {
      Instruction one = a.instructions().get(i);
      long executions = one.executions() + b.instructions().get(i).executions();
      sums.add(new Instruction(one.line(), one.text(), executions));
    }
    return new Kernel(a.module(), a.name(), sums);
  }

  /// Adds what another emulator executed.
  public void merge(Coverage other) {
    other.kernels.values().forEach(this::add);
  }

  /// All kernels that were loaded, launched or not.
  public List<Kernel> kernels() {
    return List.copyOf(kernels.values());
  }

  /// One line per kernel, the lowest first, each followed by the lines that never ran.
  public String report() {
    StringBuilder text = new StringBuilder();
    List<Kernel> sorted = new ArrayList<>(kernels.values());
    sorted.sort((a, b) -> Double.compare(a.ratio(), b.ratio()));
    for (Kernel kernel : sorted) {
      text.append(
          "%s: %s %d/%d executed (%.1f %%)%n"
              .formatted(
                  kernel.module(),
                  kernel.name(),
                  kernel.numExecuted(),
                  kernel.numInstructions(),
                  100 * kernel.ratio()));
      for (Instruction instruction : kernel.unexecuted()) {
        text.append("  line %d: %s%n".formatted(instruction.line(), instruction.text()));
      }
    }
    return text.toString();
  }
}
