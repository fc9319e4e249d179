package io.cusco.llama.cuda;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.cusco.llama.backend.Backend;
import io.cusco.llama.backend.BackendOptions;
import io.cusco.llama.cuda.driver.CudaProbe;
import io.cusco.llama.testkit.ModelConformance;
import io.cusco.llama.testkit.Tolerance;
import java.util.Optional;
import org.junit.jupiter.api.Tag;

/// The CUDA model on a GPU; all golden models where the reference data is at hand.
@Tag("gpu")
class GpuModelConformanceTest extends ModelConformance {
  @Override
  protected Backend openBackend() {
    CudaProbe probe = CudaProbe.run();
    assumeTrue(probe.problem().isEmpty(), () -> "no GPU: " + probe.problem().orElseThrow());
    return new CudaBackend(BackendOptions.DEFAULT, probe.devices());
  }

  /// Empty where the device has no FP8.
  @Override
  protected Optional<Tolerance> fp8Tolerance() {
    return CudaProbe.run().devices().stream()
        .limit(1)
        .filter(device -> device.hasCompute(8, 9))
        .map(_ -> Tolerance.FP8)
        .findFirst();
  }

  @Override
  protected Tolerance fastPathTolerance() {
    return Tolerance.BF16_INPUTS;
  }
}
