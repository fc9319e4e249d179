package io.cusco.llama.cuda;

import io.cusco.llama.cuda.standin.RealGpu;

@RealGpu
class GpuSamplingKernelTest extends AbstractSamplingKernelTest {}
