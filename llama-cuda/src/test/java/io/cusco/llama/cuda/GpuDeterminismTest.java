package io.cusco.llama.cuda;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.cusco.llama.backend.Backend;
import io.cusco.llama.backend.BackendOptions;
import io.cusco.llama.cuda.driver.CudaProbe;
import io.cusco.llama.testkit.DeterminismConformance;
import org.junit.jupiter.api.Tag;

/// The CUDA model's deterministic mode on a GPU, with cublasLt's own algorithms.
@Tag("gpu")
class GpuDeterminismTest extends DeterminismConformance {
  @Override
  protected Backend openBackend() {
    CudaProbe probe = CudaProbe.run();
    assumeTrue(probe.problem().isEmpty(), () -> "no GPU: " + probe.problem().orElseThrow());
    return new CudaBackend(BackendOptions.DEFAULT, probe.devices());
  }

  @Override
  protected boolean hasFp8() {
    return CudaProbe.run().devices().getFirst().hasCompute(8, 9);
  }
}
