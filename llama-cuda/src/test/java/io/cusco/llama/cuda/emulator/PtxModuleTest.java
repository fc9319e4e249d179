package io.cusco.llama.cuda.emulator;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class PtxModuleTest {
  private static PtxException refusal(String body) {
    try {
      EmulatedDevice device =
          new EmulatedDevice(EmulatedDevice.kernel("", body), EmulatorOptions.checked(1));
      throw new AssertionError("loaded " + device.loaded().module().name());
    } catch (PtxException e) {
      return e;
    }
  }

  @Test
  void parametersLieAtTheirNaturalAlignment() {
    PtxModule module =
        PtxModule.parse(
            "m",
            """
            .version 7.0
            .target sm_80
            .address_size 64
            .visible .entry k(
              .param .u32 a, .param .u64 .ptr .global .align 16 b, .param .f32 c,
              .param .align 8 .b8 d[24], .param .u8 e
            )
            .maxntid 8, 4, 2
            .minnctapersm 2
            { ret; }
            """);
    PtxKernel kernel = module.kernel("k");
    assertThat(kernel.parameters())
        .isEqualTo(
            List.of(
                new PtxParameter("a", 0, 4, 4),
                new PtxParameter("b", 8, 8, 8),
                new PtxParameter("c", 16, 4, 4),
                new PtxParameter("d", 24, 24, 8),
                new PtxParameter("e", 48, 1, 1)));
    assertThat(kernel.parameterBytes()).isEqualTo(49);
    assertThat(kernel.maxThreadsPerBlock()).isEqualTo(64);
    assertThat(kernel.numInstructions()).isEqualTo(1);
    assertThatThrownBy(() -> module.kernel("other")).hasMessageContaining("m has no kernel other");
  }

  @Test
  void commentsScopesAndDebugDirectivesAreUnderstood() {
    String ptx =
        EmulatedDevice.kernel(
            ".param .u64 out",
            """
              /* a comment; over
                 two lines */ // and { one more
              .pragma "nounroll";
              .loc\t1 5 3, function_name $L_info0, inlined_at 1 9 7
              mov.b32 %r1, 1;
              { .reg .b32 %r1; .reg .f32 t, u; mov.b32 %r1, 5; mov.f32 t, 0f3F800000; mov.b32 u, t; }
              ld.param.u64 %l1, [out];
              st.global.u32 [%l1], %r1;
              ret;
            """);
    EmulatedDevice device =
        new EmulatedDevice(
            ptx + "\n.section .debug_str\n{\n$L_info0:\n.b8 102 // f\n.b8 0\n}\n",
            EmulatorOptions.checked(1));
    long out = device.empty(4);
    device.launch("test", LaunchConfig.of(1, 1, 0), out);
    assertThat(device.intAt(out)).isEqualTo(1);
  }

  @Test
  void variablesAreInitialisedAndLinked() {
    String variables =
        """
        .const .align 4 .f32 table[3] = {0f3F800000, 0f40000000};
        .global .align 4 .u32 words[2] = {7, 0x2a};
        .visible .global .align 8 .u64 pointer = generic(words)+4;
        """;
    String ptx =
        EmulatedDevice.kernel(
                ".param .u64 out",
                """
                  ld.param.u64 %l1, [out];
                  mov.u64 %l2, table;
                  ld.const.f32 %r1, [%l2+4];
                  ld.const.f32 %r2, [table+8];
                  ld.global.u64 %l3, [pointer];
                  ld.global.u32 %r3, [%l3];
                  st.global.v4.b32 [%l1], {%r1, %r2, %r3, %r3};
                """)
            .replace(".visible .entry", variables + ".visible .entry");
    EmulatedDevice device = new EmulatedDevice(ptx, EmulatorOptions.checked(1));
    long out = device.empty(16);
    device.launch("test", LaunchConfig.of(1, 1, 0), out);
    DeviceRange range = device.memory().range(out, 16, false, "test");
    assertThat(range.getFloat(0)).isEqualTo(2f);
    assertThat(range.getFloat(4)).isZero();
    assertThat(range.getInt(8)).isEqualTo(42);
    assertThat(device.loaded().globalBytes("words")).isEqualTo(8);
    long constant = device.loaded().globalAddress("table");
    assertThatThrownBy(() -> device.memory().requireRange(constant, 4, true, "copy"))
        .hasMessageContaining("which is constant");
    device.loaded().unload();
    assertThat(device.memory().contains(constant)).isFalse();
    assertThatThrownBy(() -> device.launch("test", LaunchConfig.of(1, 1, 0), out))
        .hasMessageContaining("not part of a loaded module");
  }

  @Test
  void structsByValueAreReadInPlace() {
    String ptx =
        EmulatedDevice.kernel(
            ".param .align 8 .b8 s[16]",
            """
              ld.param.u64 %l1, [s+8];
              mov.b64 %l2, s;
              ld.param.u32 %r1, [%l2+4];
              st.global.u32 [%l1], %r1;
            """);
    EmulatedDevice device = new EmulatedDevice(ptx, EmulatorOptions.checked(1));
    long out = device.empty(4);
    byte[] packed =
        ByteBuffer.allocate(16)
            .order(ByteOrder.LITTLE_ENDIAN)
            .putInt(1)
            .putInt(9)
            .putLong(out)
            .array();
    PtxKernel kernel = device.loaded().module().kernel("test");
    device.emulator().launch(device.loaded(), kernel, LaunchConfig.of(1, 1, 0), packed);
    assertThat(device.intAt(out)).isEqualTo(9);
    assertThatThrownBy(() ->
            device
                .emulator()
                .launch(device.loaded(), kernel, LaunchConfig.of(1, 1, 0), new byte[12]))
        .hasMessageContaining("test takes 16 bytes of parameters, not 12");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "frobnicate.b32 %r1, %r2;",
        "add.ftz.f32 %r1, %r2, %r3;",
        "wgmma.fence.sync.aligned;",
        "mbarrier.init.shared.b64 [%r1], 1;",
        "cp.async.bulk.commit_group;",
        "tex.2d.v4.f32.s32 {%r1,%r2,%r3,%r4}, [t, {%r1,%r2}];",
        "bar.sync 0, 64;",
        "bar.arrive 0, 64;",
        "add.s32 %r1, %r2;",
        "add.s32 %r1, %r2, %l3;",
        "mov.u32 %r1, %clock;",
        "ld.global.u32 %h1, [%l1];",
        "mov.u32 %r1, nowhere;",
        "bra $L_nowhere;",
        "shfl.bfly.b32 %r1, %r2, 1, 31;",
        "call.uni (r), f, (%r1);"
      })
  void whatIsNotEmulatedIsRefusedAtLoad(String instruction) {
    assertThat(refusal("  " + instruction))
        .hasMessageContaining("test.ptx: kernel test: PTX line 10: `")
        .hasMessageContaining(instruction.substring(0, 3));
  }

  @Test
  void fastMathIsNamedAsTheReason() {
    assertThat(refusal("  mul.ftz.f32 %r1, %r2, %r3;"))
        .hasMessageContaining("compile without fast math");
  }

  @Test
  void fp8NeedsATargetThatHasIt() {
    assertThat(refusal("  cvt.rn.f16x2.e4m3x2 %r1, %h1;"))
        .hasMessageContaining("needs .target sm_89 or above, the module has sm_80");
  }

  @Test
  void functionsAreRefused() {
    assertThatThrownBy(() ->
            PtxModule.parse(
                "m", ".version 7.0\n.extern .func (.param .b32 r) vprintf (.param .b64 a);\n"))
        .hasMessageContaining("m: PTX line 2")
        .hasMessageContaining("printf");
    assertThatThrownBy(() -> PtxModule.parse("m", ".visible .func f()\n{ ret; }"))
        .hasMessageContaining("functions are not emulated");
  }

  @Test
  void undeclaredRegistersAreNamed() {
    assertThat(refusal("  add.s32 %r1, %r99, 1;"))
        .hasMessageContaining("no register `%r99` is declared here");
  }
}
