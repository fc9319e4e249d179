package io.cusco.llama.cuda;

import io.cusco.llama.cuda.standin.EmulatedGpu;

/// A device that cublasLt does not scale per row for.
@EmulatedGpu(compute = 89)
class EmulatedAdaFp8ProductsTest extends AbstractFp8ProductsTest {
  @Override
  String expectedWay() {
    return "scaled by a kernel of ours, because cublasLt has no algorithm";
  }
}
