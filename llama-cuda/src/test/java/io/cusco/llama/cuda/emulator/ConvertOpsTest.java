package io.cusco.llama.cuda.emulator;

import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// Written-down results of conversions.
class ConvertOpsTest {
  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          cvt.s64.s32 %l30, %r0 | ffffffff | ffffffffffffffff
          cvt.u64.u32 %l30, %r0 | ffffffff | ffffffff
          cvt.u32.u64 %r30, %l0 | 123456789abcdef0 | 9abcdef0
          cvt.u16.u32 %h15, %r0 | 12345678 | 5678
          cvt.u32.u16 %r30, %h0 | ffff | ffff
          cvt.s32.s16 %r30, %h0 | ffff | ffffffff
          cvt.s16.s8 %h15, %h0 | 1280 | ff80
          cvt.s32.s8 %r30, %r0 | 1280 | ffffff80
          cvt.u32.u8 %r30, %r0 | 1280 | 80
          cvt.u16.u8 %h15, %h0 | 1280 | 80
          cvt.sat.s8.s32 %r30, %r0 | ffffff00 | ffffff80
          cvt.sat.u8.s32 %r30, %r0 | ffffff00 | 0
          cvt.sat.u8.u32 %r30, %r0 | 100 | ff
          cvt.sat.s32.s64 %r30, %l0 | 7fffffffffffffff | 7fffffff
          cvt.sat.s64.u64 %l30, %l0 | ffffffffffffffff | 7fffffffffffffff
          """)
  void integers(String instruction, String inputs, String expected) {
    MicroKernel.check(instruction, inputs, expected);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          cvt.rn.f32.s32 %r30, %r0 | ffffffff | bf800000
          cvt.rn.f32.u32 %r30, %r0 | ffffffff | 4f800000
          cvt.rz.f32.u32 %r30, %r0 | ffffffff | 4f7fffff
          cvt.rp.f32.s32 %r30, %r0 | 1000001 | 4b800001
          cvt.rn.f32.s32 %r30, %r0 | 1000001 | 4b800000
          cvt.rm.f32.s32 %r30, %r0 | feffffff | cb800001
          cvt.rn.f32.s16 %r30, %h0 | ffff | bf800000
          cvt.rn.f32.u16 %r30, %h0 | ffff | 477fff00
          cvt.rn.f32.u8 %r30, %r0 | 1ff | 437f0000
          cvt.rn.f32.s8 %r30, %r0 | ff | bf800000
          cvt.rn.f32.u64 %r30, %l0 | ffffffffffffffff | 5f800000
          cvt.rn.f32.u64 %r30, %l0 | 8000008000000001 | 5f000001
          cvt.rn.f32.s64 %r30, %l0 | ffffffffffffffff | bf800000
          cvt.rn.f64.s64 %l30, %l0 | 3 | 4008000000000000
          cvt.rn.f64.u64 %l30, %l0 | ffffffffffffffff | 43f0000000000000
          cvt.rn.f64.s32 %l30, %r0 | ffffffff | bff0000000000000
          cvt.rn.f16.s32 %h15, %r0 | 3 | 4200
          """)
  void toFloats(String instruction, String inputs, String expected) {
    MicroKernel.check(instruction, inputs, expected);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          cvt.rni.s32.f32 %r30, %r0 | 40200000 | 2
          cvt.rni.s32.f32 %r30, %r0 | 40600000 | 4
          cvt.rzi.s32.f32 %r30, %r0 | c0200000 | fffffffe
          cvt.rmi.s32.f32 %r30, %r0 | c0200000 | fffffffd
          cvt.rpi.s32.f32 %r30, %r0 | 40200000 | 3
          cvt.rzi.s32.f32 %r30, %r0 | 4f800000 | 7fffffff
          cvt.rzi.s32.f32 %r30, %r0 | 7fc00000 | 0
          cvt.rzi.u32.f32 %r30, %r0 | bf800000 | 0
          cvt.rzi.u32.f32 %r30, %r0 | 7f800000 | ffffffff
          cvt.rzi.u64.f32 %l30, %r0 | 5f000000 | 8000000000000000
          cvt.rzi.u64.f32 %l30, %r0 | 7f800000 | ffffffffffffffff
          cvt.rzi.s64.f64 %l30, %l0 | 7ff8000000000000 | 8000000000000000
          cvt.rzi.s16.f32 %h15, %r0 | 47800000 | 7fff
          cvt.rzi.s8.f32 %r30, %r0 | c3800000 | ffffff80
          cvt.rzi.u8.f32 %r30, %r0 | 43800000 | ff
          cvt.rni.f32.f32 %r30, %r0 | 40200000 | 40000000
          cvt.rmi.f32.f32 %r30, %r0 | bf000000 | bf800000
          cvt.rzi.f32.f32 %r30, %r0 | bf000000 | 80000000
          cvt.rpi.f64.f64 %l30, %l0 | 3fe0000000000000 | 3ff0000000000000
          """)
  void toIntegers(String instruction, String inputs, String expected) {
    MicroKernel.check(instruction, inputs, expected);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          cvt.f32.f16 %r30, %h0 | 3c00 | 3f800000
          cvt.f32.f16 %r30, %h0 | 1 | 33800000
          cvt.f32.bf16 %r30, %h0 | 3f80 | 3f800000
          cvt.f64.f32 %l30, %r0 | 3f800000 | 3ff0000000000000
          cvt.rn.f32.f64 %r30, %l0 | 3ff0000010000000 | 3f800000
          cvt.rp.f32.f64 %r30, %l0 | 3ff0000010000000 | 3f800001
          cvt.rn.f16.f32 %h15, %r0 | 477ff000 | 7c00
          cvt.rz.f16.f32 %h15, %r0 | 477ff000 | 7bff
          cvt.rz.f16.f32 %h15, %r0 | 7f800000 | 7c00
          cvt.rn.f16.f32 %h15, %r0 | 33000001 | 1
          cvt.rn.f16.f32 %h15, %r0 | 7fc00000 | 7fff
          cvt.rn.f16.f64 %h15, %l0 | 3ff0020000000001 | 3c01
          cvt.rn.bf16.f32 %h15, %r0 | 3f808000 | 3f80
          cvt.rn.bf16.f32 %h15, %r0 | 3f818000 | 3f82
          cvt.rn.bf16.f32 %h15, %r0 | 7f7fffff | 7f80
          cvt.rn.bf16.f32 %h15, %r0 | ff800001 | 7fff
          cvt.rz.bf16.f32 %h15, %r0 | 3f81ffff | 3f81
          cvt.rn.relu.bf16.f32 %h15, %r0 | bf800000 | 0
          cvt.rn.bf16x2.f32 %r30, %r0, %r1 | 3f800000 40000000 | 3f804000
          cvt.rn.f16x2.f32 %r30, %r0, %r1 | 3f800000 40000000 | 3c004000
          cvt.sat.f32.f32 %r30, %r0 | 40000000 | 3f800000
          cvt.sat.f32.f32 %r30, %r0 | 7fc00000 | 0
          """)
  void betweenFloats(String instruction, String inputs, String expected) {
    MicroKernel.check(instruction, inputs, expected);
  }
}
