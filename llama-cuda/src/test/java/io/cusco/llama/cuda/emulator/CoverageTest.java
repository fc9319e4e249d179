package io.cusco.llama.cuda.emulator;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class CoverageTest {
  private static final String BRANCH =
      EmulatedDevice.kernel(
          ".param .u32 which",
          """
            ld.param.u32 %r1, [which];
            setp.eq.u32 %p1, %r1, 0;
            @%p1 bra $L_zero;
            mov.b32 %r2, 1;
            bra $L_end;
          $L_zero:
            mov.b32 %r2, 2;
          $L_end:
          """);

  private static Coverage run(int... arguments) {
    EmulatedDevice device = new EmulatedDevice(BRANCH, EmulatorOptions.checked(1));
    for (int which : arguments) {
      device.launch("test", LaunchConfig.of(1, 32, 0), which);
    }
    return device.emulator().coverage();
  }

  @Test
  void whatNeverRanIsListedWithItsLine() {
    Coverage coverage = run(1);
    Coverage.Kernel kernel = coverage.kernels().getFirst();
    assertThat(kernel.numInstructions()).isEqualTo(7);
    assertThat(kernel.numExecuted()).isEqualTo(5);
    assertThat(kernel.unexecuted()).extracting(Coverage.Instruction::line).containsExactly(12, 16);
    assertThat(coverage.report())
        .contains("test.ptx: test 5/7 executed (71.4 %)")
        .contains("line 16: mov.b32 %r2, 2");
  }

  @Test
  void runsAddUp() {
    assertThat(run().kernels().getFirst().ratio()).isZero();
    Coverage all = new Coverage();
    all.merge(run(1));
    all.merge(run(0));
    Coverage.Kernel kernel = all.kernels().getFirst();
    assertThat(kernel.ratio()).isEqualTo(1);
    assertThat(kernel.instructions().getFirst().executions()).isEqualTo(2);
  }
}
