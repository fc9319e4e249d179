package io.cusco.llama.cuda;

import io.cusco.llama.backend.Backend;
import io.cusco.llama.backend.BackendOptions;
import io.cusco.llama.cuda.driver.CudaProbe;
import io.cusco.llama.cuda.standin.StandIn;
import io.cusco.llama.cuda.standin.StandInFaults;
import io.cusco.llama.cuda.standin.StandInSettings;
import io.cusco.llama.testkit.DeterminismConformance;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.extension.ExtendWith;

/// The stand-in has one way to add up a product, so that this shows that all products and all
/// tokens go one way, not that cublasLt's algorithms are what is asked of them:
/// [GpuDeterminismTest] does.
@Tag("emulated")
@ExtendWith(StandInFaults.class)
class EmulatedDeterminismTest extends DeterminismConformance {
  private static final long SEED = 20261121;

  @Override
  protected Backend openBackend() {
    StandIn.install().reset(StandInSettings.DEFAULT.withTotalBytes(4L << 30), SEED);
    return new CudaBackend(BackendOptions.DEFAULT, CudaProbe.run().devices());
  }

  /// Fewer and more rows than the kernels for few rows take.
  @Override
  protected int[] batches() {
    return new int[] {3, 16};
  }
}
