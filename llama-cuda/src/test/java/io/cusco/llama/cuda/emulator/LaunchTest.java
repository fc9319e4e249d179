package io.cusco.llama.cuda.emulator;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.junit.jupiter.api.Test;

class LaunchTest {
  private static final String ADD_ONE =
      """
      .version 7.0
      .target sm_80
      .address_size 64
      .visible .entry addOne(.param .u64 values, .param .u32 count)
      {
        .reg .pred %p<2>;
        .reg .b32 %r<6>;
        .reg .b64 %rd<5>;
        ld.param.u64 %rd1, [values];
        ld.param.u32 %r1, [count];
        mov.u32 %r2, %ctaid.x;
        mov.u32 %r3, %ntid.x;
        mov.u32 %r4, %tid.x;
        mad.lo.s32 %r2, %r2, %r3, %r4;
        setp.ge.u32 %p1, %r2, %r1;
        @%p1 bra $L_end;
        cvta.to.global.u64 %rd2, %rd1;
        mul.wide.s32 %rd3, %r2, 4;
        add.s64 %rd4, %rd2, %rd3;
        ld.global.u32 %r5, [%rd4];
        add.s32 %r5, %r5, 1;
        st.global.u32 [%rd4], %r5;
      $L_end:
        ret;
      }
      """;

  @Test
  void everyThreadOfEveryBlockRunsOnce() {
    DeviceMemory memory = new DeviceMemory(1 << 20);
    PtxEmulator emulator = new PtxEmulator(memory, EmulatorOptions.checked(7));
    PtxModule module = PtxModule.parse("addOne.ptx", ADD_ONE);
    LoadedModule loaded = emulator.load(module);
    long values = memory.allocate(207 * 4);
    DeviceRange range = memory.range(values, 207 * 4, true, "test");
    for (int i = 0; i < 207; i++) {
      range.setInt(4L * i, i);
    }
    byte[] parameters =
        ByteBuffer.allocate(12).order(ByteOrder.LITTLE_ENDIAN).putLong(values).putInt(207).array();
    emulator.launch(loaded, module.kernel("addOne"), LaunchConfig.of(4, 64, 0), parameters);
    for (int i = 0; i < 207; i++) {
      assertThat(range.getInt(4L * i)).isEqualTo(i + 1);
    }
    assertThat(emulator.coverage().kernels().getFirst().ratio()).isEqualTo(1);
  }
}
