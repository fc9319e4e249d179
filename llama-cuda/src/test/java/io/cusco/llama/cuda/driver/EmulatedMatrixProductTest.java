package io.cusco.llama.cuda.driver;

import io.cusco.llama.cuda.standin.EmulatedGpu;

@EmulatedGpu
final class EmulatedMatrixProductTest extends MatrixProductTest {
  @Override
  protected int features() {
    return 48;
  }

  @Override
  protected int[] numbersOfRows() {
    return new int[] {1, 5, 130};
  }
}
