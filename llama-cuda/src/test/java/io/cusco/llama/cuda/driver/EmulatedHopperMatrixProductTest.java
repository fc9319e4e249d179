package io.cusco.llama.cuda.driver;

import io.cusco.llama.cuda.standin.EmulatedGpu;

/// With what compute capability 9.0 adds: FP8 inputs with a scale per row.
@EmulatedGpu(compute = 90)
final class EmulatedHopperMatrixProductTest extends MatrixProductTest {
  @Override
  protected int features() {
    return 32;
  }

  @Override
  protected int[] numbersOfRows() {
    return new int[] {1, 9, 129};
  }
}
