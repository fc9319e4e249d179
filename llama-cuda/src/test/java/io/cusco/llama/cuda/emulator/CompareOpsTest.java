package io.cusco.llama.cuda.emulator;

import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// Written-down results of comparisons and selections.
class CompareOpsTest {
  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          setp.lt.s32 %p15, %r0, %r1 | ffffffff 1 | 1
          setp.lt.u32 %p15, %r0, %r1 | ffffffff 1 | 0
          setp.hi.u32 %p15, %r0, %r1 | ffffffff 1 | 1
          setp.ls.u32 %p15, %r0, %r1 | 1 1 | 1
          setp.ge.s64 %p15, %l0, %l1 | ffffffffffffffff 1 | 0
          setp.ge.u64 %p15, %l0, %l1 | ffffffffffffffff 1 | 1
          setp.eq.b32 %p15, %r0, %r1 | 5 5 | 1
          setp.ne.s16 %p15, %h0, %h1 | 10001 1 | 0
          setp.lt.s16 %p15, %h0, %h1 | ffff 1 | 1
          setp.gt.u16 %p15, %h0, %h1 | ffff 1 | 1
          setp.le.s32 %p15, %r0, -1 | ffffffff | 1
          """)
  void integers(String instruction, String inputs, String expected) {
    MicroKernel.check(instruction, inputs, expected);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          setp.eq.f32 %p15, %r0, %r1 | 0 80000000 | 1
          setp.ne.f32 %p15, %r0, %r1 | 7fc00000 0 | 0
          setp.neu.f32 %p15, %r0, %r1 | 7fc00000 0 | 1
          setp.lt.f32 %p15, %r0, %r1 | 7fc00000 0 | 0
          setp.ltu.f32 %p15, %r0, %r1 | 7fc00000 0 | 1
          setp.geu.f32 %p15, %r0, %r1 | bf800000 0 | 0
          setp.gtu.f32 %p15, %r0, %r1 | 3f800000 0 | 1
          setp.leu.f32 %p15, %r0, %r1 | 3f800000 7fc00000 | 1
          setp.equ.f32 %p15, %r0, %r1 | 3f800000 3f800000 | 1
          setp.num.f32 %p15, %r0, %r1 | 7fc00000 0 | 0
          setp.nan.f32 %p15, %r0, %r1 | 7fc00000 0 | 1
          setp.gt.f64 %p15, %l0, %l1 | 4000000000000000 3ff0000000000000 | 1
          setp.lt.f16 %p15, %h0, %h1 | 3c00 4000 | 1
          setp.lt.bf16 %p15, %h0, %h1 | 3f80 4000 | 1
          """)
  void floatsWithNan(String instruction, String inputs, String expected) {
    MicroKernel.check(instruction, inputs, expected);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          setp.lt.and.s32 %p15, %r0, %r1, %p2 | 1 2 0 | 0
          setp.lt.and.s32 %p15, %r0, %r1, !%p2 | 1 2 0 | 1
          setp.lt.or.s32 %p15, %r0, %r1, %p2 | 2 1 1 | 1
          setp.lt.xor.s32 %p15, %r0, %r1, %p2 | 1 2 1 | 0
          setp.lt.s32 %p14+%p15, %r0, %r1 | 1 2 | 0
          setp.lt.and.s32 %p14+%p15, %r0, %r1, %p2 | 2 1 1 | 1
          """)
  void combined(String instruction, String inputs, String expected) {
    // The bar of two destinations separates the columns here.
    MicroKernel.check(instruction.replace('+', '|'), inputs, expected);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          selp.b32 %r30, %r0, %r1, %p2 | 5 6 1 | 5
          selp.b32 %r30, %r0, %r1, %p2 | 5 6 0 | 6
          selp.f32 %r30, 0f3F800000, %r1, %p2 | 5 6 1 | 3f800000
          selp.b64 %l30, %l0, %l1, %p2 | 500000000 6 1 | 500000000
          selp.b16 %h15, %h0, %h1, %p2 | 5 6 0 | 6
          selp.s32 %r30, -1, %r1, %p2 | 5 6 1 | ffffffff
          slct.s32.s32 %r30, %r0, %r1, %r2 | 5 6 ffffffff | 6
          slct.f32.f32 %r30, %r0, %r1, %r2 | 5 6 80000000 | 5
          slct.u64.s32 %l30, %l0, %l1, %r2 | 5 6 0 | 5
          set.lt.u32.s32 %r30, %r0, %r1 | 1 2 | ffffffff
          set.eq.f32.f32 %r30, %r0, %r1 | 0 80000000 | 3f800000
          """)
  void selections(String instruction, String inputs, String expected) {
    MicroKernel.check(instruction, inputs, expected);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          mov.b32 %r30, {%h0, %h1} | 1111 2222 | 22221111
          mov.b32 %r30, {0, %h1} | 1111 3f80 | 3f800000
          mov.b64 %l30, {%r0, %r1} | 11111111 22222222 | 2222222211111111
          mov.b64 %l30, {%h0, %h1, %h2, %h3} | 1 2 3 4 | 4000300020001
          mov.b32 {%h14, %h15}, %r0 | 22221111 | 2222
          mov.b32 {%h15, _}, %r0 | 22221111 | 1111
          mov.b64 {%r29, %r30}, %l0 | 2222222211111111 | 22222222
          mov.pred %p15, %p0 | 1 | 1
          mov.u16 %h15, -1 | 0 | ffff
          mov.u32 %r30, %ntid.y | 0 | 1
          mov.u32 %r30, WARP_SZ | 0 | 20
          mov.f32 %r30, 1.5 | 0 | 3fc00000
          mov.u64 %l30, 0xffffffffffffffff | 0 | ffffffffffffffff
          """)
  void moves(String instruction, String inputs, String expected) {
    MicroKernel.check(instruction, inputs, expected);
  }
}
