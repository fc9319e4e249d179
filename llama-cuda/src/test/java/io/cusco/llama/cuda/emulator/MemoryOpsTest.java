package io.cusco.llama.cuda.emulator;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// Loads, stores and atomics in every space, and what the checks say about them.
class MemoryOpsTest {
  private static EmulatedDevice device(String body) {
    return device(body, EmulatorOptions.checked(1));
  }

  /// A kernel with `%l1` = its buffer, `%r0` = the thread, 64 bytes of shared and of local memory.
  private static EmulatedDevice device(String body, EmulatorOptions options) {
    String ptx =
        EmulatedDevice.kernel(
                ".param .u64 buffer",
                "  ld.param.u64 %l1, [buffer];\n  mov.u32 %r0, %tid.x;\n" + body)
            .replace(
                ".reg .pred",
                ".shared .align 16 .b8 smem[64];\n  .local .align 16 .b8 depot[64];\n  .reg .pred");
    return new EmulatedDevice(ptx, options);
  }

  private static DeviceRange run(String body, byte... contents) {
    EmulatedDevice device = device(body);
    long buffer = device.bytes(contents);
    device.launch("test", LaunchConfig.of(1, 1, 0), buffer);
    return device.memory().range(buffer, contents.length, false, "test");
  }

  @Test
  void loadsExtendByTheSignOfTheType() {
    byte[] contents = new byte[64];
    contents[0] = (byte) 0x80;
    contents[1] = (byte) 0xFF;
    String body =
        """
          ld.global.s8 %r1, [%l1];
          ld.global.u8 %r2, [%l1];
          ld.global.s16 %r3, [%l1];
          ld.global.u16 %h1, [%l1];
          ld.global.s8 %h2, [%l1];
          ld.global.s32 %l2, [%l1];
          st.global.v4.u32 [%l1+16], {%r1, %r2, %r3, %r1};
          st.global.u16 [%l1+32], %h1;
          st.global.b16 [%l1+34], %h2;
          st.global.u64 [%l1+40], %l2;
          st.global.u8 [%l1+48], %l2;
        """;
    DeviceRange range = run(body, contents);
    assertThat(range.getInt(16)).isEqualTo(-128);
    assertThat(range.getInt(20)).isEqualTo(128);
    assertThat(range.getInt(24)).isEqualTo(-128);
    assertThat(range.getShort(32)).isEqualTo((short) 0xFF80);
    assertThat(range.getShort(34)).isEqualTo((short) 0xFF80);
    assertThat(range.getLong(40)).isEqualTo(0xFF80);
    assertThat(range.getByte(48)).isEqualTo((byte) 0x80);
  }

  @Test
  void genericAddressesReachSharedAndLocalMemory() {
    String body =
        """
          mov.u64 %l2, smem;
          cvta.shared.u64 %l3, %l2;
          mov.b32 %r1, 7;
          st.u32 [%l3+4], %r1;
          ld.shared.u32 %r2, [smem+4];
          mov.u64 %l4, depot;
          cvta.local.u64 %l5, %l4;
          add.s32 %r2, %r2, 1;
          st.local.u32 [%l4+8], %r2;
          ld.u32 %r3, [%l5+8];
          cvta.to.shared.u64 %l6, %l3;
          ld.shared.u32 %r4, [%l6+4];
          isspacep.shared %p1, %l3;
          isspacep.global %p2, %l3;
          isspacep.local %p3, %l5;
          selp.b32 %r5, 1, 0, %p1;
          selp.b32 %r6, 2, %r5, %p2;
          selp.b32 %r7, 4, 0, %p3;
          add.s32 %r7, %r7, %r6;
          st.global.v4.u32 [%l1], {%r2, %r3, %r4, %r7};
        """;
    DeviceRange range = run(body, new byte[16]);
    assertThat(range.getInt(0)).isEqualTo(8);
    assertThat(range.getInt(4)).isEqualTo(8);
    assertThat(range.getInt(8)).isEqualTo(7);
    assertThat(range.getInt(12)).isEqualTo(5);
  }

  @ParameterizedTest
  @CsvSource({
    "add.u32, 5, 3, 8",
    "min.s32, -5, 3, -5",
    "max.u32, -5, 3, -5",
    "max.s32, -5, 3, 3",
    "and.b32, 6, 3, 2",
    "or.b32, 6, 3, 7",
    "xor.b32, 6, 3, 5",
    "exch.b32, 6, 3, 3",
    "inc.u32, 3, 3, 0",
    "inc.u32, 2, 3, 3",
    "dec.u32, 0, 3, 3",
    "dec.u32, 2, 3, 1"
  })
  void atomicsReturnTheOldValue(String form, int old, int operand, int expected) {
    String body =
        """
          ld.global.u32 %%r1, [%%l1+4];
          atom.global.%s %%r2, [%%l1], %%r1;
          st.global.u32 [%%l1+8], %%r2;
        """
            .formatted(form);
    EmulatedDevice device = device(body);
    long buffer = device.ints(old, operand, 0);
    device.launch("test", LaunchConfig.of(1, 1, 0), buffer);
    assertThat(device.intAt(buffer)).isEqualTo(expected);
    assertThat(device.intAt(buffer + 8)).isEqualTo(old);
  }

  @Test
  void atomicsOfAllThreadsAddUp() {
    String body =
        """
          red.global.add.u32 [%l1], 1;
          red.relaxed.gpu.global.add.f32 [%l1+4], 0f3F000000;
          atom.global.add.u64 %l3, [%l1+8], 2;
          atom.global.cas.b32 %r3, [%l1+16], 0, 77;
          atom.global.max.u64 %l4, [%l1+24], 5;
          atom.add.f64 %l5, [%l1+32], 0d3FF0000000000000;
        """;
    EmulatedDevice device = device(body);
    long buffer = device.bytes(new byte[40]);
    device.launch("test", LaunchConfig.of(3, 64, 0), buffer);
    DeviceRange range = device.memory().range(buffer, 40, false, "test");
    assertThat(range.getInt(0)).isEqualTo(192);
    assertThat(range.getFloat(4)).isEqualTo(96f);
    assertThat(range.getLong(8)).isEqualTo(384);
    assertThat(range.getInt(16)).isEqualTo(77);
    assertThat(range.getLong(24)).isEqualTo(5);
    assertThat(Double.longBitsToDouble(range.getLong(32))).isEqualTo(192);
  }

  private static void expectFault(String body, DeviceFault.Kind kind, String message) {
    EmulatedDevice device = device(body);
    long buffer = device.bytes(new byte[64]);
    assertThatThrownBy(() -> device.launch("test", LaunchConfig.of(1, 64, 0), buffer))
        .isInstanceOfSatisfying(
            DeviceFault.class, fault -> assertThat(fault.kind()).isEqualTo(kind))
        .hasMessageContaining(message);
  }

  @Test
  void accessesOutsideOfEachSpaceAreFaults() {
    DeviceFault.Kind kind = DeviceFault.Kind.ILLEGAL_ADDRESS;
    expectFault("ld.global.u32 %r1, [%l1+64];", kind, "4 bytes past the end of allocation 1");
    expectFault("ld.global.u32 %r1, [%l1+-4];", kind, "4 bytes before allocation 1");
    expectFault("ld.global.u32 %r1, [0];", kind, "no allocation is near");
    expectFault("ld.shared.u32 %r1, [smem+64];", kind, "byte 64 of shared memory of 64 bytes");
    expectFault("st.shared.u32 [0], %r0;", kind, "shared memory");
    expectFault("mov.u64 %l2, depot; st.local.u32 [%l2+64], %r0;", kind, "local memory");
    expectFault("ld.global.u32 %r1, [%l1+2];", DeviceFault.Kind.MISALIGNED, "misaligned");
    expectFault("trap;", DeviceFault.Kind.TRAP, "thread 0 of block 0");
  }

  @Test
  void nothingReadsWhatNothingHasWritten() {
    DeviceFault.Kind kind = DeviceFault.Kind.UNINITIALISED_READ;
    expectFault("ld.shared.u32 %r1, [smem];", kind, "byte 0 of shared memory");
    expectFault("mov.u64 %l2, depot; ld.local.u32 %r1, [%l2];", kind, "local memory");
    String alone = "setp.ne.u32 %p1, %r0, 0; @%p1 ret; ";
    expectFault(
        alone + "st.shared.u16 [smem], %r0; ld.shared.u32 %r1, [smem];", kind, "byte 2 of shared");
    expectFault("red.shared.add.u32 [smem], 1;", kind, "shared memory");
  }

  @Test
  void racesNeedTwoWarpsOrBlocksAndOneWrite() {
    DeviceFault.Kind kind = DeviceFault.Kind.RACE;
    expectFault("st.global.u32 [%l1], %r0;", kind, "write-after-write");
    expectFault(
        "setp.eq.u32 %p1, %r0, 40; ld.global.u32 %r1, [%l1]; @%p1 st.global.u32 [%l1], %r0;",
        kind, "-after-");
    expectFault(
        "setp.eq.u32 %p1, %r0, 40; @%p1 st.global.u32 [%l1], %r0; red.global.add.u32 [%l1], 1;",
        kind, "-after-write");
  }

  @Test
  void nonCoherentReadsDoNotSeeTheLaunchsOwnWrites() {
    String alone = "setp.ne.u32 %p1, %r0, 0; @%p1 ret; ";
    expectFault(
        alone + "st.global.u32 [%l1], %r0; ld.global.nc.u32 %r1, [%l1];",
        DeviceFault.Kind.RACE,
        "non-coherent read of byte 0 of allocation 1");
  }

  @Test
  void barriersAndAtomicsOrder() {
    String body =
        """
          setp.eq.u32 %p1, %r0, 40;
          @%p1 st.global.u32 [%l1], %r0;
          bar.sync 0;
          ld.global.u32 %r1, [%l1];
          bar.sync 0;
          red.global.add.u32 [%l1], %r1;
          st.volatile.global.u32 [%l1+8], %r1;
        """;
    EmulatedDevice device = device(body);
    long buffer = device.bytes(new byte[16]);
    device.launch("test", LaunchConfig.of(1, 64, 0), buffer);
    assertThat(device.intAt(buffer)).isEqualTo(65 * 40);
    assertThat(device.intAt(buffer + 8)).isEqualTo(40);
  }

  @Test
  void manyReadersAreRemembered() {
    // The last reader is the writer itself; those before are not forgotten.
    String body =
        """
          ld.global.u32 %r1, [%l1];
          setp.lt.u32 %p1, %r0, 32;
          @%p1 st.global.u32 [%l1], %r0;
        """;
    for (int seed = 0; seed < 6; seed++) {
      EmulatedDevice device =
          device(body, EmulatorOptions.checked(seed).withStrictWarpRaces(false));
      long buffer = device.bytes(new byte[16]);
      assertThatThrownBy(() -> device.launch("test", LaunchConfig.of(1, 64, 0), buffer))
          .hasMessageContaining("race");
    }
  }

  @Test
  void lanesOfAWarpRaceInStrictModeOnly() {
    String exchange =
        """
          mov.u32 %r1, smem;
          shl.b32 %r2, %r0, 2;
          add.s32 %r3, %r1, %r2;
          st.shared.u32 [%r3], %r0;
          SYNC
          xor.b32 %r2, %r2, 4;
          add.s32 %r3, %r1, %r2;
          ld.shared.u32 %r4, [%r3];
        """;
    LaunchConfig config = LaunchConfig.of(1, 16, 0);
    EmulatedDevice synced = device(exchange.replace("SYNC", "bar.warp.sync 0xffff;"));
    synced.launch("test", config, synced.bytes(new byte[16]));
    String unsynced = exchange.replace("SYNC", "");
    EmulatedDevice strict = device(unsynced);
    long buffer = strict.bytes(new byte[16]);
    assertThatThrownBy(() -> strict.launch("test", config, buffer)).hasMessageContaining("race");
    EmulatedDevice lenient =
        device(unsynced, EmulatorOptions.checked(1).withStrictWarpRaces(false));
    lenient.launch("test", config, lenient.bytes(new byte[16]));
  }

  @Test
  void uncheckedRunsStillCheckBounds() {
    EmulatedDevice device = device("ld.shared.u32 %r1, [smem];", EmulatorOptions.unchecked(1));
    device.launch("test", LaunchConfig.of(1, 64, 0), device.bytes(new byte[16]));
    EmulatedDevice outside = device("ld.global.u32 %r1, [%l1+64];", EmulatorOptions.unchecked(1));
    long buffer = outside.bytes(new byte[16]);
    assertThatThrownBy(() -> outside.launch("test", LaunchConfig.of(1, 64, 0), buffer))
        .hasMessageContaining("out of bounds");
  }

  @Test
  void shortSourceOfAnAsynchronousCopyLeavesZeros() {
    String body =
        """
          mov.u32 %r1, smem;
          cp.async.ca.shared.global [%r1], [%l1], 8, 3;
          cp.async.cg.shared.global [%r1+16], [%l1], 16, 0;
          cp.async.commit_group;
          cp.async.wait_group 0;
          ld.shared.v2.u32 {%r2, %r3}, [%r1];
          ld.shared.u32 %r4, [%r1+28];
          st.global.v4.u32 [%l1], {%r2, %r3, %r4, %r4};
        """;
    byte[] contents = new byte[16];
    Arrays.fill(contents, (byte) 0x11);
    DeviceRange range = run(body, contents);
    assertThat(range.getInt(0)).isEqualTo(0x111111);
    assertThat(range.getInt(4)).isZero();
    assertThat(range.getInt(8)).isZero();
  }
}
