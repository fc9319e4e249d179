package io.cusco.llama.cuda;

import io.cusco.llama.cuda.KernelModules.Family;
import io.cusco.llama.cuda.standin.EmulatedGpu;
import org.junit.jupiter.api.AfterAll;

@EmulatedGpu
class EmulatedAttentionKernelTest extends AbstractAttentionKernelTest {
  @AfterAll
  void nearlyAllInstructionsRan() {
    KernelCoverage.require(
        this, Family.ATTENTION, Family.DECODE_ATTENTION, Family.PREFILL_ATTENTION);
  }
}
