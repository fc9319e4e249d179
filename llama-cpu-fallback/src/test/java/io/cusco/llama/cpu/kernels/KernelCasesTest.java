package io.cusco.llama.cpu.kernels;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.data.Offset.offset;

import java.lang.foreign.Arena;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/// What is timed is right: each case of [KernelBenchmark] by vectors and by the scalar twin.
class KernelCasesTest {
  @ParameterizedTest
  @MethodSource("io.cusco.llama.cpu.kernels.KernelCases#names")
  void vectorsGiveWhatTheScalarTwinGives(String name) {
    try (Arena arena = Arena.ofConfined()) {
      float[] expected = run(name, new ScalarKernels(), arena);
      float[] actual = run(name, new VectorKernels(), arena);
      float largest = 0;
      for (float value : expected) {
        largest = Math.max(largest, Math.abs(value));
      }
      assertThat(largest).isPositive();
      // Sums of 2048 rounded products, in another order.
      assertThat(actual)
          .as("%s, seed %d", name, KernelCases.SEED)
          .containsExactly(expected, offset(2e-5f * largest));
    }
  }

  private static float[] run(String name, Kernels kernels, Arena arena) {
    KernelCases.Case call = KernelCases.of(name, kernels, arena);
    call.run();
    call.run(); // leaves nothing behind that a second run would see
    return call.result();
  }
}
