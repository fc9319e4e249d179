package io.cusco.llama.cuda.emulator;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

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

  @Test
  void threadsKnowTheirPlaceInThreeDimensions() {
    String ptx =
        EmulatedDevice.kernel(
            ".param .u64 out",
            """
              ld.param.u64 %l1, [out];
              mov.u32 %r1, %ctaid.z;
              mov.u32 %r2, %nctaid.y;
              mov.u32 %r3, %ctaid.y;
              mad.lo.s32 %r1, %r1, %r2, %r3;
              mov.u32 %r2, %nctaid.x;
              mov.u32 %r3, %ctaid.x;
              mad.lo.s32 %r1, %r1, %r2, %r3;
              mov.u32 %r2, %ntid.z;
              mov.u32 %r3, %tid.z;
              mad.lo.s32 %r1, %r1, %r2, %r3;
              mov.u32 %r2, %ntid.y;
              mov.u32 %r3, %tid.y;
              mad.lo.s32 %r1, %r1, %r2, %r3;
              mov.u32 %r2, %ntid.x;
              mov.u32 %r3, %tid.x;
              mad.lo.s32 %r1, %r1, %r2, %r3;
              mul.wide.s32 %l2, %r1, 4;
              add.s64 %l2, %l1, %l2;
              mov.u32 %r4, %warpid;
              shl.b32 %r4, %r4, 5;
              mov.u32 %r5, %laneid;
              add.s32 %r4, %r4, %r5;
              st.global.u32 [%l2], %r4;
            """);
    EmulatedDevice device = new EmulatedDevice(ptx, EmulatorOptions.checked(1));
    int threads = 5 * 3 * 4;
    int blocks = 2 * 3 * 2;
    long out = device.empty(4L * blocks * threads);
    device.launch("test", new LaunchConfig(2, 3, 2, 5, 3, 4, 0), out);
    DeviceRange range = device.memory().range(out, 4L * blocks * threads, false, "test");
    // Every place was written once: a second write would be a race, a missing one uninitialised.
    for (int i = 0; i < blocks * threads; i++) {
      assertThat(range.getInt(4L * i)).isEqualTo(i % threads);
    }
  }

  @Test
  void launchesThatHardwareRefusesAreRefused() {
    EmulatedDevice device = new EmulatedDevice(ADD_ONE, EmulatorOptions.checked(1));
    LaunchConfig[] refused = {
      LaunchConfig.of(0, 32, 0),
      new LaunchConfig(1, 65536, 1, 32, 1, 1, 0),
      new LaunchConfig(1, 1, 1, 1, 1, 65, 0),
      LaunchConfig.of(1, 32, 200_000)
    };
    for (LaunchConfig config : refused) {
      assertThatThrownBy(() -> device.launch("addOne", config, 0L, 0))
          .isInstanceOfSatisfying(
              DeviceFault.class, fault -> assertThat(fault.cuResult()).isEqualTo(1));
    }
  }
}
