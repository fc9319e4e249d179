package io.cusco.llama.cpu;

import io.cusco.llama.backend.Backend;
import io.cusco.llama.backend.BackendOptions;
import io.cusco.llama.backend.Repack;
import io.cusco.llama.cpu.kernels.VectorKernels;
import io.cusco.llama.testkit.DeterminismConformance;
import java.util.OptionalInt;

class VectorDeterminismTest extends DeterminismConformance {
  /// A copy of the weights is asked for, and has to be left out.
  @Override
  protected Backend openBackend() {
    return new CpuBackend(
        new BackendOptions(OptionalInt.empty(), OptionalInt.of(3), Repack.ON), new VectorKernels());
  }
}
