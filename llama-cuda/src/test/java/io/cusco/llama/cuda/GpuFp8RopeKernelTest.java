package io.cusco.llama.cuda;

import io.cusco.llama.cuda.standin.RealGpu;

@RealGpu
class GpuFp8RopeKernelTest extends AbstractFp8RopeKernelTest {}
