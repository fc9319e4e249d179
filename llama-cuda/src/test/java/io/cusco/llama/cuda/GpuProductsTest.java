package io.cusco.llama.cuda;

import io.cusco.llama.cuda.standin.RealGpu;

@RealGpu
class GpuProductsTest extends AbstractProductsTest {}
