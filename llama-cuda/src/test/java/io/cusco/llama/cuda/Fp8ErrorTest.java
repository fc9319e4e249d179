package io.cusco.llama.cuda;

import io.cusco.llama.backend.KvType;
import io.cusco.llama.checkpoint.Checkpoint;
import io.cusco.llama.testkit.GoldenModels.Golden;
import io.cusco.llama.testkit.ReferenceLlama;
import io.cusco.llama.testkit.RoundingErrorTest;
import io.cusco.llama.testkit.Tolerance;
import java.lang.foreign.Arena;

/// Weights and the rows that meet them as e4m3.
class Fp8ErrorTest extends RoundingErrorTest {
  Fp8ErrorTest() {
    super(Tolerance.FP8);
  }

  @Override
  protected boolean includes(Golden golden) {
    return golden.toString().contains("hf-bf16") || golden.toString().startsWith("kquant/");
  }

  @Override
  protected ReferenceLlama network(Checkpoint checkpoint, Arena arena) {
    return new ReferenceLlama(
        checkpoint.config(),
        Fp8Network.rounded(checkpoint.weights(), arena),
        (_, _, _, _, _) -> {},
        KvType.AUTO,
        Fp8Network::rounded);
  }
}
