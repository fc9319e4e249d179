package io.cusco.llama.cuda.driver;

import io.cusco.llama.cuda.standin.EmulatedGpu;

@EmulatedGpu
final class EmulatedMatrixProductTest extends MatrixProductTest {}
