package io.cusco.llama.cuda;

import io.cusco.llama.cuda.standin.EmulatedGpu;

@EmulatedGpu(compute = 89)
class EmulatedFp8RopeKernelTest extends AbstractFp8RopeKernelTest {}
