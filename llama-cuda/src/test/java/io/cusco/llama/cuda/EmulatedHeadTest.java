package io.cusco.llama.cuda;

import io.cusco.llama.backend.Backend;
import io.cusco.llama.backend.BackendOptions;
import io.cusco.llama.cuda.driver.CudaProbe;
import io.cusco.llama.cuda.standin.StandIn;
import io.cusco.llama.cuda.standin.StandInFaults;
import io.cusco.llama.cuda.standin.StandInSettings;
import io.cusco.llama.testkit.HeadConformance;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.extension.ExtendWith;

/// Other heads and hidden states on the stand-in: the shipped PTX through the shipped bindings.
@Tag("emulated")
@ExtendWith(StandInFaults.class)
class EmulatedHeadTest extends HeadConformance {
  private static final long SEED = 20261122;

  @Override
  protected Backend openBackend() {
    StandIn.install().reset(StandInSettings.DEFAULT.withTotalBytes(4L << 30), SEED);
    return new CudaBackend(BackendOptions.DEFAULT, CudaProbe.run().devices());
  }
}
