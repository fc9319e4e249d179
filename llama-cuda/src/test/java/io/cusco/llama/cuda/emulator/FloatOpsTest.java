package io.cusco.llama.cuda.emulator;

import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// Written-down results of floating-point instructions, as bit patterns.
class FloatOpsTest {
  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          add.f32 %r30, %r0, %r1 | 3f800000 40000000 | 40400000
          add.f32 %r30, %r0, %r1 | 7f800000 ff800000 | 7fffffff
          add.f32 %r30, %r0, 0f3F800000 | 3f800000 | 40000000
          add.f32 %r30, %r0, %r1 | 00000001 00000001 | 2
          add.rn.f32 %r30, %r0, %r1 | 3f800000 33800000 | 3f800000
          add.rz.f32 %r30, %r0, %r1 | 3f800000 b3000000 | 3f7fffff
          add.rp.f32 %r30, %r0, %r1 | 3f800000 00000001 | 3f800001
          add.rm.f32 %r30, %r0, %r1 | 3f800000 bf800000 | 80000000
          add.sat.f32 %r30, %r0, %r1 | 3f800000 3f800000 | 3f800000
          sub.f32 %r30, %r0, %r1 | 3f800000 40000000 | bf800000
          mul.f32 %r30, %r0, %r1 | 40000000 40400000 | 40c00000
          mul.rz.f32 %r30, %r0, %r1 | 3f800001 3f800001 | 3f800002
          mul.rp.f32 %r30, %r0, %r1 | 3f800001 3f800001 | 3f800003
          fma.rn.f32 %r30, %r0, %r1, %r2 | 3f800001 3f800001 bf800002 | 28800000
          fma.rp.f32 %r30, %r0, %r1, %r2 | 3f800000 3f800000 00000001 | 3f800001
          div.rn.f32 %r30, %r0, %r1 | 3f800000 40400000 | 3eaaaaab
          div.full.f32 %r30, %r0, %r1 | 3f800000 40000000 | 3f000000
          div.approx.f32 %r30, %r0, %r1 | 3f800000 0 | 7f800000
          div.approx.f32 %r30, %r0, %r1 | 7f000000 ff000000 | 80000000
          div.approx.f32 %r30, %r0, %r1 | 7f800000 7f000000 | 7fffffff
          div.approx.f32 %r30, %r0, %r1 | 7e800000 7e800000 | 3f800000
          rcp.rn.f32 %r30, %r0 | 40400000 | 3eaaaaab
          rcp.approx.ftz.f32 %r30, %r0 | 00000001 | 7f800000
          sqrt.rn.f32 %r30, %r0 | 40000000 | 3fb504f3
          rsqrt.approx.f32 %r30, %r0 | 40800000 | 3f000000
          ex2.approx.f32 %r30, %r0 | 40400000 | 41000000
          ex2.approx.ftz.f32 %r30, %r0 | c3000000 | 0
          ex2.approx.f32 %r30, %r0 | c3000000 | 200000
          lg2.approx.f32 %r30, %r0 | 41000000 | 40400000
          lg2.approx.f32 %r30, %r0 | 0 | ff800000
          sin.approx.f32 %r30, %r0 | 0 | 0
          cos.approx.f32 %r30, %r0 | 0 | 3f800000
          tanh.approx.f32 %r30, %r0 | 41a00000 | 3f800000
          neg.f32 %r30, %r0 | 0 | 80000000
          abs.f32 %r30, %r0 | bf800000 | 3f800000
          copysign.f32 %r30, %r0, %r1 | 80000000 3f800000 | bf800000
          min.f32 %r30, %r0, %r1 | 7fc00000 3f800000 | 3f800000
          max.f32 %r30, %r0, %r1 | 3f800000 7fc00000 | 3f800000
          max.f32 %r30, %r0, %r1 | 7fc00000 7fc00000 | 7fffffff
          max.NaN.f32 %r30, %r0, %r1 | 3f800000 7fc00000 | 7fffffff
          max.f32 %r30, %r0, %r1 | 80000000 0 | 0
          min.f32 %r30, %r0, %r1 | 80000000 0 | 80000000
          testp.finite.f32 %p15, %r0 | 7f800000 | 0
          testp.notanumber.f32 %p15, %r0 | 7fc00000 | 1
          testp.subnormal.f32 %p15, %r0 | 1 | 1
          """)
  void single(String instruction, String inputs, String expected) {
    MicroKernel.check(instruction, inputs, expected);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          add.f64 %l30, %l0, %l1 | 3ff0000000000000 4000000000000000 | 4008000000000000
          mul.f64 %l30, %l0, 0d4000000000000000 | 3ff0000000000000 | 4000000000000000
          sub.f64 %l30, %l0, %l1 | 3ff0000000000000 4000000000000000 | bff0000000000000
          div.rn.f64 %l30, %l0, %l1 | 3ff0000000000000 4000000000000000 | 3fe0000000000000
          fma.rn.f64 %l30, %l0, %l1, %l2 | 4000000000000000 4000000000000000 3ff0000000000000 | 4014000000000000
          sqrt.rn.f64 %l30, %l0 | 4010000000000000 | 4000000000000000
          neg.f64 %l30, %l0 | 3ff0000000000000 | bff0000000000000
          abs.f64 %l30, %l0 | bff0000000000000 | 3ff0000000000000
          max.f64 %l30, %l0, %l1 | 7ff8000000000000 3ff0000000000000 | 3ff0000000000000
          """)
  void doubles(String instruction, String inputs, String expected) {
    MicroKernel.check(instruction, inputs, expected);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          add.f16 %h15, %h0, %h1 | 3c00 4000 | 4200
          mul.f16 %h15, %h0, %h1 | 7bff 4000 | 7c00
          fma.rn.f16 %h15, %h0, %h1, %h2 | 3c01 3c01 bc02 | 10
          sub.f16x2 %r30, %r0, %r1 | 3c004000 40003c00 | bc003c00
          fma.rn.f16x2 %r30, %r0, %r1, %r2 | 3c004000 40003c00 3c003c00 | 42004200
          max.f16x2 %r30, %r0, %r1 | 7e003c00 3c004000 | 3c004000
          fma.rn.bf16 %h15, %h0, %h1, %h2 | 3f80 4000 3f80 | 4040
          fma.rn.bf16x2 %r30, %r0, %r1, %r2 | 3f804000 40003f80 3f803f80 | 40404040
          neg.bf16x2 %r30, %r0 | 3f80bf80 | bf803f80
          abs.f16x2 %r30, %r0 | bc003c00 | 3c003c00
          """)
  void halves(String instruction, String inputs, String expected) {
    MicroKernel.check(instruction, inputs, expected);
  }
}
