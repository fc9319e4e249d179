package io.cusco.llama.cuda;

import io.cusco.llama.backend.Backend;
import io.cusco.llama.backend.BackendOptions;
import io.cusco.llama.backend.KvType;
import io.cusco.llama.cuda.driver.CudaProbe;
import io.cusco.llama.cuda.standin.StandIn;
import io.cusco.llama.cuda.standin.StandInSettings;
import io.cusco.llama.testkit.DeterminismConformance;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.condition.EnabledIfSystemProperty;

/// [EmulatedDeterminismTest] with an FP8 cache.
@Tag("emulated")
@EnabledIfSystemProperty(
    named = "llama.conformance",
    matches = "all",
    disabledReason = "the kernels' part is in EmulatedFp8AttentionKernelTest")
class EmulatedFp8DeterminismTest extends DeterminismConformance {
  private static final long SEED = 20261121;

  @Override
  protected Backend openBackend() {
    StandIn.install()
        .reset(StandInSettings.DEFAULT.withTotalBytes(4L << 30).withComputeCapability(8, 9), SEED);
    return new CudaBackend(BackendOptions.DEFAULT, CudaProbe.run().devices());
  }

  @Override
  protected KvType kvType() {
    return KvType.FP8;
  }

  @Override
  protected int[] batches() {
    return new int[] {2, 7, 16};
  }
}
