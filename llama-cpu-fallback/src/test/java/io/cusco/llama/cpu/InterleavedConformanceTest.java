package io.cusco.llama.cpu;

import io.cusco.llama.backend.Backend;
import io.cusco.llama.backend.BackendOptions;
import io.cusco.llama.backend.ComputeMode;
import io.cusco.llama.backend.Repack;
import io.cusco.llama.cpu.kernels.VectorKernels;
import io.cusco.llama.testkit.GoldenConformance;
import io.cusco.llama.testkit.GoldenModels.Golden;
import io.cusco.llama.testkit.Tolerance;
import java.util.OptionalInt;

/// Q8_0 with its rows interleaved is multiplied with activations as they are, and so is held to
/// what weights in the file are held to; [RepackedConformanceTest] allows for rounded ones. Some
/// tokens at a time, and single ones of the greedy text.
class InterleavedConformanceTest extends GoldenConformance {
  @Override
  protected Backend openBackend() {
    return new CpuBackend(
        new BackendOptions(OptionalInt.empty(), OptionalInt.of(3), Repack.ON), new VectorKernels());
  }

  @Override
  protected Tolerance fastPathTolerance() {
    return Tolerance.F16_INPUTS;
  }

  @Override
  protected boolean includes(Golden golden, ComputeMode compute) {
    return compute == ComputeMode.AUTO && golden.toString().endsWith("Q8_0.gguf");
  }

  @Override
  protected int goldenTokensPerStep() {
    return 7;
  }
}
