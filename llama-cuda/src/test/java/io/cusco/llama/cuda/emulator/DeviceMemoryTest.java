package io.cusco.llama.cuda.emulator;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.junit.jupiter.api.Test;

class DeviceMemoryTest {
  private final DeviceMemory memory = new DeviceMemory(10_000);

  @Test
  void copiesRoundTripAndKeepWhatIsUninitialised() {
    long a = memory.allocate(100);
    long b = memory.allocate(100);
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment host = arena.allocate(100);
      for (int i = 0; i < 50; i++) {
        host.set(ValueLayout.JAVA_BYTE, i, (byte) i);
      }
      memory.write(a, host, 50);
      memory.copy(b + 3, a, 70);
      MemorySegment back = arena.allocate(100);
      memory.read(b, back, 100);
      assertThat(back.get(ValueLayout.JAVA_BYTE, 52)).isEqualTo((byte) 49);
      assertThat(back.get(ValueLayout.JAVA_BYTE, 53)).isEqualTo((byte) 0xFF);
    }
    DeviceRange range = memory.range(b, 100, false, "gemm input");
    assertThat(range.getByte(52)).isEqualTo((byte) 49);
    assertThatThrownBy(() -> range.getByte(53))
        .hasMessageContaining("gemm input reads byte 53 of allocation 2")
        .isInstanceOfSatisfying(
            DeviceFault.class,
            fault -> assertThat(fault.kind()).isEqualTo(DeviceFault.Kind.UNINITIALISED_READ));
    assertThatThrownBy(() -> range.getInt(98)).isInstanceOf(IndexOutOfBoundsException.class);
  }

  @Test
  void fills() {
    long a = memory.allocate(16);
    memory.fillBytes(a, (byte) 1, 16);
    memory.fillShorts(a + 2, (short) 0x203, 2);
    memory.fillInts(a + 8, 0x4050607, 1);
    DeviceRange range = memory.range(a, 16, false, "test");
    assertThat(range.getLong(0)).isEqualTo(0x0101_0203_0203_0101L);
    assertThat(range.getLong(8)).isEqualTo(0x0101_0101_0405_0607L);
    assertThatThrownBy(() -> memory.fillInts(a + 2, 0, 1)).hasMessageContaining("not aligned");
  }

  @Test
  void lifetimesAreKept() {
    long a = memory.allocate(100);
    long b = memory.allocate(200);
    assertThat(a % 512).isZero();
    assertThat(b).isGreaterThan(a + 4096);
    assertThat(memory.liveBytes()).isEqualTo(300);
    memory.free(a);
    assertThat(memory.leaks()).singleElement().asString().startsWith("allocation 2: 200 bytes");
    assertThatThrownBy(() -> memory.free(a)).hasMessageContaining("was freed before");
    assertThatThrownBy(() -> memory.free(b + 4)).hasMessageContaining("starts no allocation");
    assertThatThrownBy(() -> memory.requireRange(a, 4, false, "copy"))
        .hasMessageContaining("allocation of 100 bytes that was freed");
    assertThatThrownBy(() -> memory.requireRange(b, 201, false, "copy"))
        .hasMessageContaining("it ends 1 bytes past the end of allocation 2");
    assertThatThrownBy(() -> memory.allocate(9_801))
        .isInstanceOfSatisfying(
            DeviceFault.class, fault -> assertThat(fault.cuResult()).isEqualTo(2));
    assertThatThrownBy(() -> memory.allocate(0)).hasMessageContaining("cannot allocate 0 bytes");
  }
}
