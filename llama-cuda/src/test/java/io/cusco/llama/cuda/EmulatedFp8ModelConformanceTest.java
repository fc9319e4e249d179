package io.cusco.llama.cuda;

import io.cusco.llama.backend.Backend;
import io.cusco.llama.backend.BackendOptions;
import io.cusco.llama.backend.ComputeMode;
import io.cusco.llama.backend.KvType;
import io.cusco.llama.cuda.driver.CudaProbe;
import io.cusco.llama.cuda.standin.StandIn;
import io.cusco.llama.cuda.standin.StandInSettings;
import io.cusco.llama.testkit.GoldenModels.Golden;
import io.cusco.llama.testkit.ModelConformance;
import io.cusco.llama.testkit.Tolerance;
import java.util.Set;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.condition.EnabledIfSystemProperty;

/// The CUDA model with an FP8 cache on the stand-in, all that other caches have to satisfy. In
/// float32 the reference is the network whose keys and values are rounded alike.
@Tag("emulated")
@EnabledIfSystemProperty(
    named = "llama.conformance",
    matches = "all",
    disabledReason = "takes a minute; EmulatedFp8ModelTest takes the most important part")
class EmulatedFp8ModelConformanceTest extends ModelConformance {
  private static final long SEED = 20261121;

  /// Head widths with kernels of their own and without, groups of one and eight.
  private static final Set<String> MODELS =
      Set.of(
          "llama32-tied/hf-bf16",
          "mqa/hf-bf16",
          "llama1-mha/hf-bf16",
          "odd-sizes/hf-bf16",
          "llama3/hf-f16");

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

  /// A number between two of e4m3 falls the other way where sums are added up in another order: one
  /// element of the 16 or more of a head is then off by an eighth at most.
  @Override
  protected double exactness() {
    return 0x1p-3 / 16;
  }

  @Override
  protected boolean includes(Golden golden, ComputeMode compute) {
    return MODELS.contains(golden.toString());
  }

  @Override
  protected int greedySteps() {
    return 3;
  }

  @Override
  protected Tolerance exactPathTolerance() {
    return Tolerance.FP8_KV;
  }

  @Override
  protected Tolerance fastPathTolerance() {
    return Tolerance.FP8_KV;
  }
}
