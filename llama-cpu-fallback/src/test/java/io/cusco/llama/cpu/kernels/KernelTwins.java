package io.cusco.llama.cpu.kernels;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.data.Offset.offset;

import io.cusco.llama.checkpoint.DType;
import io.cusco.llama.memory.NativeMemory;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;

/// The vector kernels and their scalar twins, with data for both. Tests that extend this run at
/// every width, by their names, `*KernelsTest`.
abstract class KernelTwins {
  static final long SEED = 20261121;

  final Arena arena = Arena.ofShared();
  final Random random = new Random(SEED);
  final Kernels scalar = new ScalarKernels();
  final Kernels vector = new VectorKernels();

  @AfterEach
  void free() {
    arena.close();
  }

  final float[] randomArray(int count) {
    float[] floats = new float[count];
    for (int i = 0; i < count; i++) {
      floats[i] = (float) random.nextGaussian();
    }
    return floats;
  }

  final MemorySegment randomFloats(int count) {
    MemorySegment floats = NativeMemory.allocateZeroed(count * 4L, arena);
    for (int i = 0; i < count; i++) {
      floats.setAtIndex(ValueLayout.JAVA_FLOAT, i, (float) random.nextGaussian());
    }
    return floats;
  }

  final MemorySegment randomBlocks(DType type, int count) {
    byte[] bytes = new byte[Math.toIntExact(type.numBytes(count))];
    RandomBlocks.fill(type, bytes, random);
    MemorySegment segment = NativeMemory.allocateZeroed(bytes.length, arena);
    segment.copyFrom(MemorySegment.ofArray(bytes));
    return segment;
  }

  /// Relative to the largest expected value.
  static void assertClose(
      String what, MemorySegment actual, MemorySegment expected, float tolerance) {
    float[] want = expected.toArray(ValueLayout.JAVA_FLOAT);
    float[] got = actual.toArray(ValueLayout.JAVA_FLOAT);
    float largest = 0;
    for (float value : want) {
      largest = Math.max(largest, Math.abs(value));
    }
    for (int i = 0; i < want.length; i++) {
      assertThat(got[i])
          .as("%s, seed %d, element %d", what, SEED, i)
          .isCloseTo(want[i], offset(tolerance * largest));
    }
  }
}
