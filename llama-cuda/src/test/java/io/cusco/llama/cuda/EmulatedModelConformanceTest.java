package io.cusco.llama.cuda;

import io.cusco.llama.backend.Backend;
import io.cusco.llama.backend.BackendOptions;
import io.cusco.llama.cuda.driver.CudaProbe;
import io.cusco.llama.cuda.standin.StandIn;
import io.cusco.llama.cuda.standin.StandInSettings;
import io.cusco.llama.testkit.ModelConformance;
import io.cusco.llama.testkit.Tolerance;
import org.junit.jupiter.api.Tag;

/// The CUDA model on the stand-in: the shipped PTX through the shipped bindings.
@Tag("emulated")
class EmulatedModelConformanceTest extends ModelConformance {
  private static final long SEED = 20261121;

  @Override
  protected Backend openBackend() {
    StandIn.install().reset(StandInSettings.DEFAULT.withTotalBytes(4L << 30), SEED);
    return new CudaBackend(BackendOptions.DEFAULT, CudaProbe.run().devices());
  }

  /// Enough for a step of its own, a recorded one and one replayed.
  @Override
  protected int greedySteps() {
    return 3;
  }

  @Override
  protected Tolerance fastPathTolerance() {
    return Tolerance.BF16_INPUTS;
  }
}
