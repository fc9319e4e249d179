package io.cusco.llama.cpu;

import static org.assertj.core.api.Assertions.assertThat;

import io.cusco.llama.checkpoint.DType;
import io.cusco.llama.cpu.kernels.Matrix;
import io.cusco.llama.memory.NativeMemory;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class WeightMoverTest {
  private static final int ROWS = 48;
  private static final int COLUMNS = 32 * 1031;
  private static final int MATRICES = 35;

  @TempDir private Path folder;

  @Test
  void matricesMoveWithTheirBytesAfterTheDelay() throws IOException {
    long rowBytes = DType.Q8_0.numBytes(COLUMNS);
    long matrixBytes = ROWS * rowBytes;
    byte[] bytes = new byte[Math.toIntExact(MATRICES * matrixBytes)];
    new Random(1).nextBytes(bytes);
    Path file = Files.write(folder.resolve("weights"), bytes);
    try (Arena arena = Arena.ofShared();
        WorkerPool pool = new WorkerPool(3)) {
      MemorySegment mapped = NativeMemory.map(file, arena);
      List<WeightMatrix> matrices = new ArrayList<>();
      for (int i = 0; i < MATRICES; i++) {
        MemorySegment segment = mapped.asSlice(i * matrixBytes, matrixBytes);
        matrices.add(new WeightMatrix(new Matrix(DType.Q8_0, segment, ROWS, COLUMNS, rowBytes)));
      }
      WeightMover mover = new WeightMover(matrices, 2, pool, arena);
      mover.moveSome();
      mover.moveSome();
      assertThat(numMoved(matrices)).as("before it is time").isZero();
      mover.moveSome();
      assertThat(numMoved(matrices)).as("a part at a time").isBetween(1L, MATRICES / 2L);
      for (int steps = 0; !mover.isDone(); steps++) {
        assertThat(steps).isLessThan(MATRICES);
        mover.moveSome();
      }
      mover.moveSome();
      assertThat(numMoved(matrices)).isEqualTo(MATRICES);
      for (WeightMatrix matrix : matrices) {
        assertThat(matrix.current().segment().mismatch(matrix.source().segment())).isEqualTo(-1L);
        assertThat(matrix.current().rowBytes()).isEqualTo(rowBytes);
        assertThat(NativeMemory.isMapped(matrix.current().segment())).isFalse();
      }
      assertThat(mapped.mismatch(MemorySegment.ofArray(bytes)))
          .as("what was released can still be read")
          .isEqualTo(-1L);
    }
  }

  private static long numMoved(List<WeightMatrix> matrices) {
    return matrices.stream()
        .filter(matrix -> !NativeMemory.isMapped(matrix.current().segment()))
        .count();
  }
}
