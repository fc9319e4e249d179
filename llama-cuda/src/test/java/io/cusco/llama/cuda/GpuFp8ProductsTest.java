package io.cusco.llama.cuda;

import io.cusco.llama.cuda.standin.RealGpu;

@RealGpu
class GpuFp8ProductsTest extends AbstractFp8ProductsTest {
  /// Hopper's tensor cores bring 32 products to the exponent of the largest and cut off what lies
  /// below the highest 14 bits, two of which may stand before a product's point (DeepSeek-AI, arXiv
  /// 2412.19437, section 3.5.2).
  @Override
  double droppedOfLargest() {
    return 0x1p-12;
  }
}
