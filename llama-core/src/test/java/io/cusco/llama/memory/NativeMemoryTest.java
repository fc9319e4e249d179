package io.cusco.llama.memory;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.cusco.llama.LlamaException;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

final class NativeMemoryTest {
  @TempDir Path folder;

  @Test
  void allocationsAreAlignedZeroedAndEndWithTheirArena() {
    MemorySegment segment;
    try (Arena arena = Arena.ofShared()) {
      for (long numBytes : new long[] {0, 1, 13, 64, 4097}) {
        MemorySegment one = NativeMemory.allocateZeroed(numBytes, arena);
        assertThat(one.byteSize()).isEqualTo(numBytes);
        assertThat(one.address() % NativeMemory.ALIGNMENT).isZero();
        for (long i = 0; i < numBytes; i++) {
          assertThat(one.get(ValueLayout.JAVA_BYTE, i)).isZero();
        }
      }
      segment = NativeMemory.allocateZeroed(8, arena);
    }
    assertThatThrownBy(() -> segment.get(ValueLayout.JAVA_BYTE, 0))
        .isInstanceOf(IllegalStateException.class);
  }

  @Test
  void moreThanTheSystemHasIsRefusedWithARemedy() {
    try (Arena arena = Arena.ofShared()) {
      assertThatExceptionOfType(LlamaException.class)
          .isThrownBy(() -> NativeMemory.allocateZeroed(1L << 60, arena))
          .withMessageContaining("lower the context length");
    }
  }

  @Test
  void whatIsReleasedOfAMappedFileCanBeReadAgain() throws IOException {
    byte[] bytes = new byte[300_001];
    new Random(2).nextBytes(bytes);
    Path file = Files.write(folder.resolve("weights"), bytes);
    MemorySegment mapped;
    try (Arena arena = Arena.ofShared()) {
      mapped = NativeMemory.map(file, arena);
      MemorySegment part = mapped.asSlice(70_000, 200_000);
      assertThat(NativeMemory.isMapped(mapped)).isTrue();
      assertThat(NativeMemory.isMapped(part)).isTrue();
      NativeMemory.release(part);
      assertThat(mapped.toArray(ValueLayout.JAVA_BYTE)).isEqualTo(bytes);
    }
    assertThat(NativeMemory.isMapped(mapped)).isFalse();
  }

  @Test
  void allocatedMemoryIsNeverReleased() {
    try (Arena arena = Arena.ofShared()) {
      MemorySegment allocated = NativeMemory.allocateZeroed(300_000, arena);
      allocated.fill((byte) 5);
      assertThat(NativeMemory.isMapped(allocated)).isFalse();
      NativeMemory.release(allocated);
      assertThat(allocated.toArray(ValueLayout.JAVA_BYTE)).containsOnly(5);
    }
  }

  @Test
  void mappedAndAllocatedMemoryAreOneKindOfSegment() throws IOException {
    Path file = Files.write(folder.resolve("bytes"), new byte[] {1, 2, 3});
    Path empty = Files.createFile(folder.resolve("empty"));
    try (Arena arena = Arena.ofShared()) {
      MemorySegment mapped = NativeMemory.map(file, arena);
      assertThat(mapped.toArray(ValueLayout.JAVA_BYTE)).containsExactly(1, 2, 3);
      assertThat(mapped.getClass()).isEqualTo(NativeMemory.allocateZeroed(3, arena).getClass());
      assertThat(NativeMemory.map(empty, arena).byteSize()).isZero();
    }
  }

  @Test
  void aFileOverTwoGigabytesIsOneSegment() throws IOException {
    long size = (3L << 30) + 5;
    Path file = folder.resolve("large");
    // sparse: only the last byte takes room on the disk
    try (RandomAccessFile sparse = new RandomAccessFile(file.toFile(), "rw")) {
      sparse.seek(size - 1);
      sparse.write(7);
    }
    try (Arena arena = Arena.ofShared()) {
      MemorySegment mapped = NativeMemory.map(file, arena);
      assertThat(mapped.byteSize()).isEqualTo(size);
      assertThat(mapped.get(ValueLayout.JAVA_BYTE, 0)).isZero();
      assertThat(mapped.get(ValueLayout.JAVA_BYTE, size - 1)).isEqualTo((byte) 7);
    }
  }

  @Test
  @EnabledOnOs(OS.LINUX)
  void largePagesAreThereUnlessTheSystemSaysNever() throws IOException {
    Path setting = Path.of("/sys/kernel/mm/transparent_hugepage/enabled");
    boolean allowed = Files.exists(setting) && !Files.readString(setting).contains("[never]");
    assertThat(NativeMemory.hasLargePages()).isEqualTo(allowed);
  }
}
