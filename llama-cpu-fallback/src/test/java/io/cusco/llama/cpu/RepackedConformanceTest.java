package io.cusco.llama.cpu;

import io.cusco.llama.backend.Backend;
import io.cusco.llama.backend.BackendOptions;
import io.cusco.llama.backend.Repack;
import io.cusco.llama.cpu.kernels.VectorKernels;
import io.cusco.llama.testkit.ModelConformance;
import io.cusco.llama.testkit.Tolerance;
import java.util.OptionalInt;

/// With copies of all weights that there is a layout for: single tokens are multiplied with
/// quantised activations there.
class RepackedConformanceTest extends ModelConformance {
  @Override
  protected Backend openBackend() {
    return new CpuBackend(
        new BackendOptions(OptionalInt.empty(), OptionalInt.of(3), Repack.ON), new VectorKernels());
  }

  @Override
  protected int goldenTokensPerStep() {
    return 1;
  }

  @Override
  protected Tolerance fastPathTolerance() {
    return Tolerance.INT8_INPUTS;
  }
}
