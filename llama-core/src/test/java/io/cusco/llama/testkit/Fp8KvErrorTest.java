package io.cusco.llama.testkit;

import io.cusco.llama.backend.KvType;
import io.cusco.llama.checkpoint.Checkpoint;
import io.cusco.llama.testkit.GoldenModels.Golden;
import java.lang.foreign.Arena;

/// Keys and values as e4m3.
class Fp8KvErrorTest extends RoundingErrorTest {
  Fp8KvErrorTest() {
    super(Tolerance.FP8_KV);
  }

  @Override
  protected boolean includes(Golden golden) {
    return golden.toString().contains("hf-");
  }

  @Override
  protected ReferenceLlama network(Checkpoint checkpoint, Arena arena) {
    return new ReferenceLlama(checkpoint.config(), checkpoint.weights(), KvType.FP8);
  }
}
