package io.cusco.llama.cuda.driver;

import io.cusco.llama.cuda.standin.EmulatedGpu;

@EmulatedGpu
final class EmulatedDriverTest extends DriverTest {}
