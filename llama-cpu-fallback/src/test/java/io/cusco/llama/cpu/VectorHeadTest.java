package io.cusco.llama.cpu;

import io.cusco.llama.backend.Backend;
import io.cusco.llama.backend.BackendOptions;
import io.cusco.llama.backend.Repack;
import io.cusco.llama.cpu.kernels.VectorKernels;
import io.cusco.llama.testkit.HeadConformance;
import java.util.OptionalInt;

class VectorHeadTest extends HeadConformance {
  @Override
  protected Backend openBackend() {
    return new CpuBackend(
        new BackendOptions(OptionalInt.empty(), OptionalInt.of(3), Repack.OFF),
        new VectorKernels());
  }
}
