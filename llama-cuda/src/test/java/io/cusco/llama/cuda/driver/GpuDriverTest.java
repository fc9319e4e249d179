package io.cusco.llama.cuda.driver;

import io.cusco.llama.cuda.standin.RealGpu;

@RealGpu
final class GpuDriverTest extends DriverTest {}
