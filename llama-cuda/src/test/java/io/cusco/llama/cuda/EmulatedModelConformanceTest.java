package io.cusco.llama.cuda;

import io.cusco.llama.backend.Backend;
import io.cusco.llama.backend.BackendOptions;
import io.cusco.llama.backend.ComputeMode;
import io.cusco.llama.cuda.driver.CudaProbe;
import io.cusco.llama.cuda.standin.StandIn;
import io.cusco.llama.cuda.standin.StandInFaults;
import io.cusco.llama.cuda.standin.StandInSettings;
import io.cusco.llama.testkit.GoldenModels.Golden;
import io.cusco.llama.testkit.ModelConformance;
import io.cusco.llama.testkit.Tolerance;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.extension.ExtendWith;

/// The CUDA model on the stand-in: the shipped PTX through the shipped bindings.
///
/// All golden models take ten minutes here; a build takes one for each thing that differs on this
/// path. `-Dllama.conformance=all` takes all.
@Tag("emulated")
@ExtendWith(StandInFaults.class)
class EmulatedModelConformanceTest extends ModelConformance {
  private static final long SEED = 20261121;

  @Override
  protected Backend openBackend() {
    StandInSettings hopper = StandInSettings.DEFAULT.withComputeCapability(9, 0);
    StandIn.install().reset(hopper.withTotalBytes(4L << 30), SEED);
    return new CudaBackend(BackendOptions.DEFAULT, CudaProbe.run().devices());
  }

  /// Exactly: biases, rotary scaling, odd sizes. Fast: the three ways a matrix gets to the device
  /// (as it is, widened there, widened on the way) in both types, head widths with attention
  /// kernels of their own (64) and without, one and eight query heads for a key.
  private static final Map<ComputeMode, Set<String>> IN_EVERY_BUILD =
      Map.of(
          ComputeMode.F32,
          Set.of(
              "attn-bias/attn-bias-F16.gguf",
              "llama31-ropescale/llama31-ropescale-Q8_0.gguf",
              "odd-sizes/odd-sizes-F32.gguf"),
          ComputeMode.AUTO,
          Set.of(
              "kquant/kquant-Q4_K_M-like.gguf",
              "kquant/kquant-Q3_K.gguf",
              "llama32-tied/hf-bf16",
              "mqa/hf-bf16"),
          ComputeMode.FP8,
          Set.of("kquant/kquant-Q4_K_M-like.gguf"));

  @Override
  protected boolean includes(Golden golden, ComputeMode compute) {
    return takesAll() || IN_EVERY_BUILD.get(compute).contains(golden.toString());
  }

  private static boolean takesAll() {
    return "all".equals(System.getProperty("llama.conformance"));
  }

  /// The fourth has 300 tokens, and takes most of the time.
  @Override
  protected int goldenPrompts() {
    return takesAll() ? Integer.MAX_VALUE : 3;
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

  @Override
  protected Optional<Tolerance> fp8Tolerance() {
    return Optional.of(Tolerance.FP8);
  }
}
