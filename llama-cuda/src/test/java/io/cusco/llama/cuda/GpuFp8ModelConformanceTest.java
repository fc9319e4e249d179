package io.cusco.llama.cuda;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.cusco.llama.backend.Backend;
import io.cusco.llama.backend.BackendOptions;
import io.cusco.llama.backend.ComputeMode;
import io.cusco.llama.backend.KvType;
import io.cusco.llama.cuda.driver.CudaDevice;
import io.cusco.llama.cuda.driver.CudaProbe;
import io.cusco.llama.testkit.GoldenModels.Golden;
import io.cusco.llama.testkit.ModelConformance;
import io.cusco.llama.testkit.Tolerance;
import org.junit.jupiter.api.Tag;

/// The CUDA model with an FP8 cache on a GPU that has FP8 instructions.
@Tag("gpu")
class GpuFp8ModelConformanceTest extends ModelConformance {
  @Override
  protected Backend openBackend() {
    CudaProbe probe = CudaProbe.run();
    assumeTrue(probe.problem().isEmpty(), () -> "no GPU: " + probe.problem().orElseThrow());
    CudaDevice gpu = probe.devices().getFirst();
    assumeTrue(gpu.hasCompute(8, 9), () -> gpu.description() + " has no FP8 instructions");
    return new CudaBackend(BackendOptions.DEFAULT, probe.devices());
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

  /// One of each kind: weights' types have nothing to do with the cache.
  @Override
  protected boolean includes(Golden golden, ComputeMode compute) {
    return compute == ComputeMode.AUTO && golden.toString().contains("/hf-bf16");
  }

  @Override
  protected Tolerance fastPathTolerance() {
    return Tolerance.FP8_KV;
  }
}
