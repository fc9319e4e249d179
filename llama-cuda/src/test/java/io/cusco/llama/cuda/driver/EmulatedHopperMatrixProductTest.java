package io.cusco.llama.cuda.driver;

import io.cusco.llama.cuda.standin.EmulatedGpu;
import io.cusco.llama.cuda.standin.StandIn;
import io.cusco.llama.cuda.standin.StandInSettings;
import org.junit.jupiter.api.BeforeEach;

/// With what compute capability 9.0 adds: FP8 inputs with a scale per row.
@EmulatedGpu
final class EmulatedHopperMatrixProductTest extends MatrixProductTest {
  @BeforeEach
  void takeHopper(StandIn standIn) {
    standIn.reset(StandInSettings.DEFAULT.withComputeCapability(9, 0), 9);
  }
}
