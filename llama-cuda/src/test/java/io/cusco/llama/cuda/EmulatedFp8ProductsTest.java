package io.cusco.llama.cuda;

import io.cusco.llama.cuda.standin.EmulatedGpu;

/// A library that scales per row.
@EmulatedGpu(compute = 90)
class EmulatedFp8ProductsTest extends AbstractFp8ProductsTest {
  @Override
  String expectedWay() {
    return "scaled per row by cublasLt";
  }
}
