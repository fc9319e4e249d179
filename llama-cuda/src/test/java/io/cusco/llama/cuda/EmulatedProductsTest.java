package io.cusco.llama.cuda;

import io.cusco.llama.cuda.standin.EmulatedGpu;

@EmulatedGpu
class EmulatedProductsTest extends AbstractProductsTest {}
