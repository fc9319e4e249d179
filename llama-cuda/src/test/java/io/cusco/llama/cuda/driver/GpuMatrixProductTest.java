package io.cusco.llama.cuda.driver;

import io.cusco.llama.cuda.standin.RealGpu;

@RealGpu
final class GpuMatrixProductTest extends MatrixProductTest {
  /// A layer of an 8B model.
  @Override
  protected int features() {
    return 4096;
  }

  @Override
  protected int[] numbersOfRows() {
    return new int[] {1, 17, 129, 8192};
  }
}
