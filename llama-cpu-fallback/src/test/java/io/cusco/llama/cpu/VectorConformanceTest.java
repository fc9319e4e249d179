package io.cusco.llama.cpu;

import io.cusco.llama.backend.Backend;
import io.cusco.llama.backend.BackendOptions;
import io.cusco.llama.backend.Repack;
import io.cusco.llama.cpu.kernels.VectorKernels;
import io.cusco.llama.testkit.ModelConformance;
import io.cusco.llama.testkit.Tolerance;
import java.util.OptionalInt;

class VectorConformanceTest extends ModelConformance {
  @Override
  protected Backend openBackend() {
    return new CpuBackend(
        new BackendOptions(OptionalInt.empty(), OptionalInt.of(3), Repack.OFF),
        new VectorKernels());
  }

  @Override
  protected Tolerance fastPathTolerance() {
    return Tolerance.F16_INPUTS; // keys and values are kept in float16, everything else in float32
  }
}
