package io.cusco.llama.cuda.emulator;

import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// Written-down results of integer instructions, at the edges where they differ from Java's.
class IntegerOpsTest {
  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          add.s32 %r30, %r0, %r1 | 7fffffff 1 | 80000000
          add.sat.s32 %r30, %r0, %r1 | 7fffffff 1 | 7fffffff
          sub.sat.s32 %r30, %r0, %r1 | 80000000 1 | 80000000
          add.s16 %h15, %h0, %h1 | ffff 2 | 1
          add.s64 %l30, %l0, %l1 | ffffffffffffffff 2 | 1
          add.s32 %r30, %r0, -3 | 1 | fffffffe
          sub.s32 %r30, %r0, %r1 | 1 2 | ffffffff
          sub.s64 %l30, %l0, %l1 | 1 2 | ffffffffffffffff
          mul.lo.s32 %r30, %r0, %r1 | 10000 10001 | 10000
          mul.lo.s64 %l30, %l0, %l1 | 100000000 100000003 | 300000000
          mul.hi.s32 %r30, %r0, %r1 | ffffffff 2 | ffffffff
          mul.hi.u32 %r30, %r0, %r1 | ffffffff 2 | 1
          mul.hi.u64 %l30, %l0, %l1 | ffffffffffffffff 2 | 1
          mul.hi.s64 %l30, %l0, %l1 | ffffffffffffffff 2 | ffffffffffffffff
          mul.wide.s32 %l30, %r0, %r1 | ffffffff 2 | fffffffffffffffe
          mul.wide.u32 %l30, %r0, %r1 | ffffffff 2 | 1fffffffe
          mul.wide.s16 %r30, %h0, %h1 | ffff 2 | fffffffe
          mul.wide.u16 %r30, %h0, %h1 | ffff 2 | 1fffe
          mul.lo.s16 %h15, %h0, %h1 | ffff 3 | fffd
          mul.hi.u16 %h15, %h0, %h1 | ffff ffff | fffe
          mad.lo.s32 %r30, %r0, %r1, %r2 | 3 4 ffffffff | b
          mad.wide.u32 %l30, %r0, %r1, %l2 | ffffffff 2 1 | 1ffffffff
          mad.wide.s32 %l30, %r0, %r1, %l2 | ffffffff 2 1 | ffffffffffffffff
          mad.lo.s64 %l30, %l0, %l1, %l2 | 3 4 5 | 11
          mad.hi.u32 %r30, %r0, %r1, %r2 | ffffffff 2 5 | 6
          mul24.lo.s32 %r30, %r0, %r1 | ffffff 2 | fffffffe
          mul24.hi.u32 %r30, %r0, %r1 | ffffff ffffff | fffffe00
          div.s32 %r30, %r0, %r1 | fffffff9 2 | fffffffd
          div.u32 %r30, %r0, %r1 | fffffff9 2 | 7ffffffc
          div.s64 %l30, %l0, %l1 | fffffffffffffff9 2 | fffffffffffffffd
          div.u64 %l30, %l0, %l1 | fffffffffffffff9 2 | 7ffffffffffffffc
          div.s16 %h15, %h0, %h1 | fff9 2 | fffd
          rem.s32 %r30, %r0, %r1 | fffffff9 2 | ffffffff
          rem.u32 %r30, %r0, %r1 | fffffff9 2 | 1
          rem.u64 %l30, %l0, %l1 | fffffffffffffff9 a | 9
          min.s32 %r30, %r0, %r1 | ffffffff 1 | ffffffff
          min.u32 %r30, %r0, %r1 | ffffffff 1 | 1
          max.s64 %l30, %l0, %l1 | ffffffffffffffff 1 | 1
          max.u64 %l30, %l0, %l1 | ffffffffffffffff 1 | ffffffffffffffff
          max.s16 %h15, %h0, %h1 | ffff 1 | 1
          max.u16 %h15, %h0, %h1 | ffff 1 | ffff
          neg.s32 %r30, %r0 | 80000000 | 80000000
          neg.s16 %h15, %h0 | 1 | ffff
          abs.s32 %r30, %r0 | fffffffb | 5
          abs.s64 %l30, %l0 | fffffffffffffffb | 5
          sad.u32 %r30, %r0, %r1, %r2 | 1 ffffffff 2 | 0
          sad.s32 %r30, %r0, %r1, %r2 | 1 ffffffff 2 | 4
          dp4a.s32.s32 %r30, %r0, %r1, %r2 | ff02807f 01030201 a | ffffff8e
          dp4a.u32.s32 %r30, %r0, %r1, %r2 | ff 80 0 | ffff8080
          dp2a.lo.s32.s32 %r30, %r0, %r1, %r2 | 0002ffff 09080403 1 | 6
          dp2a.hi.s32.s32 %r30, %r0, %r1, %r2 | 0002ffff 09080403 1 | b
          """)
  void arithmetic(String instruction, String inputs, String expected) {
    MicroKernel.check(instruction, inputs, expected);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          and.b32 %r30, %r0, %r1 | f0f0 ff00 | f000
          or.b64 %l30, %l0, %l1 | f0f0 ff00 | fff0
          xor.b32 %r30, %r0, %r1 | f0f0 ff00 | ff0
          xor.b16 %h15, %h0, %h1 | f0f0 ff00 | ff0
          not.b32 %r30, %r0 | 1 | fffffffe
          not.b16 %h15, %h0 | 1 | fffe
          not.b64 %l30, %l0 | 1 | fffffffffffffffe
          cnot.b32 %r30, %r0 | 0 | 1
          and.pred %p15, %p0, %p1 | 1 0 | 0
          or.pred %p15, %p0, %p1 | 1 0 | 1
          xor.pred %p15, %p0, %p1 | 1 1 | 0
          not.pred %p15, %p0 | 0 | 1
          lop3.b32 %r30, %r0, %r1, %r2, 0x96 | ff00 f0f0 cccc | c33c
          lop3.b32 %r30, %r0, %r1, %r2, 0xe8 | ff00 f0f0 cccc | fcc0
          """)
  void logic(String instruction, String inputs, String expected) {
    MicroKernel.check(instruction, inputs, expected);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          shl.b32 %r30, %r0, %r1 | 1 1f | 80000000
          shl.b32 %r30, %r0, %r1 | 1 20 | 0
          shl.b32 %r30, %r0, %r1 | 1 ffffffff | 0
          shl.b64 %l30, %l0, %r1 | 1 3f | 8000000000000000
          shl.b64 %l30, %l0, %r1 | 1 40 | 0
          shl.b16 %h15, %h0, %r1 | 8001 1 | 2
          shl.b16 %h15, %h0, %r1 | 8001 20 | 0
          shr.u32 %r30, %r0, %r1 | 80000000 1f | 1
          shr.u32 %r30, %r0, %r1 | 80000000 20 | 0
          shr.s32 %r30, %r0, %r1 | 80000000 20 | ffffffff
          shr.s32 %r30, %r0, %r1 | 80000000 ffffffff | ffffffff
          shr.u64 %l30, %l0, %r1 | 8000000000000000 40 | 0
          shr.s64 %l30, %l0, %r1 | 8000000000000000 40 | ffffffffffffffff
          shr.s16 %h15, %h0, %r1 | 8000 f | ffff
          shr.u16 %h15, %h0, %r1 | 8000 f | 1
          shr.b32 %r30, %r0, %r1 | 80000000 4 | 8000000
          shf.l.wrap.b32 %r30, %r0, %r1, %r2 | 80000000 1 1 | 3
          shf.l.wrap.b32 %r30, %r0, %r1, %r2 | 80000000 1 21 | 3
          shf.l.clamp.b32 %r30, %r0, %r1, %r2 | 80000000 1 21 | 80000000
          shf.r.wrap.b32 %r30, %r0, %r1, %r2 | 2 1 1 | 80000001
          shf.r.clamp.b32 %r30, %r0, %r1, %r2 | 2 1 ff | 1
          """)
  void shifts(String instruction, String inputs, String expected) {
    MicroKernel.check(instruction, inputs, expected);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          bfi.b32 %r30, %r0, %r1, %r2, %r3 | ff 0 4 4 | f0
          bfi.b32 %r30, %r0, %r1, %r2, %r3 | 0 ffffffff 1c 8 | fffffff
          bfi.b32 %r30, %r0, %r1, %r2, %r3 | ff 12345678 20 4 | 12345678
          bfi.b32 %r30, %r0, %r1, %r2, %r3 | ff 12345678 4 0 | 12345678
          bfi.b64 %l30, %l0, %l1, %r2, %r3 | 3 ffffffff00000000 3e 2 | ffffffff00000000
          bfe.u32 %r30, %r0, %r1, %r2 | 12345678 8 8 | 56
          bfe.s32 %r30, %r0, %r1, %r2 | 1280 4 4 | fffffff8
          bfe.s32 %r30, %r0, %r1, %r2 | 80000000 1c 8 | fffffff8
          bfe.s32 %r30, %r0, %r1, %r2 | 80000000 28 4 | ffffffff
          bfe.u64 %l30, %l0, %r1, %r2 | 123456789abcdef0 20 10 | 5678
          bfind.u32 %r30, %r0 | 10 | 4
          bfind.u32 %r30, %r0 | 0 | ffffffff
          bfind.s32 %r30, %r0 | fffffff0 | 3
          bfind.shiftamt.u32 %r30, %r0 | 10 | 1b
          bfind.shiftamt.u32 %r30, %r0 | 0 | ffffffff
          bfind.shiftamt.u64 %r30, %l0 | 1 | 3f
          brev.b32 %r30, %r0 | 1 | 80000000
          brev.b64 %l30, %l0 | 1 | 8000000000000000
          clz.b32 %r30, %r0 | 0 | 20
          clz.b64 %r30, %l0 | 1 | 3f
          popc.b32 %r30, %r0 | f0f | 8
          popc.b64 %r30, %l0 | ffffffffffffffff | 40
          prmt.b32 %r30, %r0, %r1, 0x5410 | 33221100 77665544 | 55441100
          prmt.b32 %r30, %r0, %r1, %r2 | 33229100 77665544 c9b8 | ff0000
          """)
  void bitFields(String instruction, String inputs, String expected) {
    MicroKernel.check(instruction, inputs, expected);
  }

  @ParameterizedTest
  @CsvSource({"div.s32", "div.u32", "rem.s32", "rem.u32"})
  void divisionByZeroIsAFault(String opcode) {
    assertThatThrownBy(() -> MicroKernel.run(opcode + " %r30, %r0, %r1", 1, 0))
        .isInstanceOf(DeviceFault.class)
        .hasMessageContaining("thread 0 of block 0: integer division by zero");
  }
}
