package io.cusco.llama.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import io.cusco.llama.cuda.KernelModules.Family;
import io.cusco.llama.cuda.emulator.Coverage;
import io.cusco.llama.cuda.standin.StandIn;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/// The part of the shipped instructions that the emulated tests of this JVM executed.
final class KernelCoverage {
  /// What no test reaches has to be rare: a wrong unrolled path is as wrong as a wrong loop.
  private static final double REQUIRED = 0.95;

  private KernelCoverage() {}

  /// Prints the coverage of each kernel of these families and, if `test` ran as a whole, requires
  /// it.
  static void require(AbstractKernelTest test, Family... families) {
    Set<String> modules =
        Stream.of(families)
            .map(family -> StandIn.moduleName(KernelModules.ptx(family)))
            .collect(Collectors.toSet());
    List<Coverage.Kernel> kernels =
        StandIn.install().coverage().kernels().stream()
            .filter(kernel -> modules.contains(kernel.module()))
            .toList();
    for (Coverage.Kernel kernel : kernels) {
      System.out.printf(
          "emulated: %-36s %4d of %4d instructions executed%n",
          kernel.name(), kernel.numExecuted(), kernel.numInstructions());
      for (Coverage.Instruction instruction : kernel.unexecuted()) {
        System.out.printf("  not executed, line %d: %s%n", instruction.line(), instruction.text());
      }
    }
    if (!test.ranAll()) {
      return;
    }
    assertThat(kernels).isNotEmpty();
    for (Coverage.Kernel kernel : kernels) {
      assertThat(kernel.ratio())
          .as("executed part of %s; not executed: %s", kernel.name(), kernel.unexecuted())
          .isGreaterThanOrEqualTo(REQUIRED);
    }
  }
}
