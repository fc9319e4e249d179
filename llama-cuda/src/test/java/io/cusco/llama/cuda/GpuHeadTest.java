package io.cusco.llama.cuda;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.cusco.llama.backend.Backend;
import io.cusco.llama.backend.BackendOptions;
import io.cusco.llama.cuda.driver.CudaProbe;
import io.cusco.llama.testkit.HeadConformance;
import org.junit.jupiter.api.Tag;

/// Other heads and hidden states on a GPU.
@Tag("gpu")
class GpuHeadTest extends HeadConformance {
  @Override
  protected Backend openBackend() {
    CudaProbe probe = CudaProbe.run();
    assumeTrue(probe.problem().isEmpty(), () -> "no GPU: " + probe.problem().orElseThrow());
    return new CudaBackend(BackendOptions.DEFAULT, probe.devices());
  }
}
