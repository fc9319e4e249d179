package io.cusco.llama.cuda;

import io.cusco.llama.cuda.KernelModules.Family;
import io.cusco.llama.cuda.standin.EmulatedGpu;
import org.junit.jupiter.api.AfterAll;

@EmulatedGpu
class EmulatedElementwiseKernelTest extends AbstractElementwiseKernelTest {
  @AfterAll
  void nearlyAllInstructionsRan() {
    KernelCoverage.require(this, Family.EMBED_GATHER, Family.SILU_MUL, Family.ADD_BIAS);
  }
}
