package io.cusco.llama.memory;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.junit.jupiter.api.Test;

class OpenMemoryTest {
  @Test
  void whatLiesInsideIsReadAtItsAddress() {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment segment = arena.allocate(16);
      segment.set(ValueLayout.JAVA_INT, 12, 42);
      long address = OpenMemory.address(segment, 12, 4);
      assertThat(OpenMemory.MEMORY.get(ValueLayout.JAVA_INT, address)).isEqualTo(42);
      assertThat(OpenMemory.address(segment, 16, 0)).isEqualTo(segment.address() + 16);
    }
  }

  @Test
  void rangesOutsideAreRefused() {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment segment = arena.allocate(16);
      for (long[] range : new long[][] {{-1, 4}, {13, 4}, {17, 0}, {0, -1}, {8, Long.MAX_VALUE}}) {
        assertThatThrownBy(() -> OpenMemory.address(segment, range[0], range[1]))
            .isInstanceOf(IndexOutOfBoundsException.class);
      }
    }
  }

  @Test
  void arraysAndFreedMemoryAreRefused() {
    MemorySegment array = MemorySegment.ofArray(new float[4]);
    assertThatThrownBy(() -> OpenMemory.address(array, 0, 4))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("off-heap");
    MemorySegment freed;
    try (Arena arena = Arena.ofShared()) {
      freed = arena.allocate(16);
    }
    assertThatThrownBy(() -> OpenMemory.address(freed, 0, 4))
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("freed");
  }
}
