package io.cusco.llama.cuda;

import io.cusco.llama.cuda.KernelModules.Family;
import io.cusco.llama.cuda.standin.EmulatedGpu;
import org.junit.jupiter.api.AfterAll;

@EmulatedGpu
class EmulatedRopeKernelTest extends AbstractRopeKernelTest {
  @AfterAll
  void nearlyAllInstructionsRan() {
    KernelCoverage.require(this, Family.ROPE_AND_STORE_KV);
  }
}
