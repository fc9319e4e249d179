package io.cusco.llama.cpu;

import static org.assertj.core.api.Assertions.assertThat;

import io.cusco.llama.checkpoint.BlockFormats;
import io.cusco.llama.checkpoint.DType;
import io.cusco.llama.cpu.kernels.Kernels;
import io.cusco.llama.cpu.kernels.Matrix;
import io.cusco.llama.cpu.kernels.ScalarKernels;
import io.cusco.llama.memory.NativeMemory;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
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
      WeightMover mover = new WeightMover(matrices, 2, matrix -> false, pool, arena);
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

  @Test
  void matricesThatAreToBeInterleavedAre() throws IOException {
    int columns = 96;
    long rowBytes = DType.Q8_0.numBytes(columns);
    int rows = 32 * 1031;
    long matrixBytes = rows * rowBytes;
    byte[] bytes = new byte[Math.toIntExact(2 * matrixBytes)];
    new Random(2).nextBytes(bytes);
    Path file = Files.write(folder.resolve("weights"), bytes);
    try (Arena arena = Arena.ofShared();
        WorkerPool pool = new WorkerPool(3)) {
      MemorySegment mapped = NativeMemory.map(file, arena);
      List<WeightMatrix> matrices = new ArrayList<>();
      for (int i = 0; i < 2; i++) {
        MemorySegment segment = mapped.asSlice(i * matrixBytes, matrixBytes);
        matrices.add(new WeightMatrix(new Matrix(DType.Q8_0, segment, rows, columns, rowBytes)));
      }
      Matrix first = matrices.get(0).source();
      WeightMover mover =
          new WeightMover(
              matrices, 0, matrix -> matrix.segment().address() == mapped.address(), pool, arena);
      while (!mover.isDone()) {
        mover.moveSome();
      }
      assertThat(matrices.get(1).interleaved()).isNull();
      assertThat(NativeMemory.isMapped(matrices.get(1).current().segment())).isFalse();
      float[] expected = new float[rows * columns];
      BlockFormats.dequantize(DType.Q8_0, first.segment(), 0, expected, 0, expected.length);
      MemorySegment panels = NativeMemory.allocateZeroed(32L * columns * Float.BYTES, arena);
      Kernels kernels = new ScalarKernels();
      int width = kernels.panelVectors() * kernels.lanes();
      float[] scratch = new float[Kernels.GEMV_SCRATCH];
      for (int row = 0; row < rows; row++) {
        if (row % 32 == 0) {
          kernels.widenInterleaved(
              matrices.get(0).interleaved(), row, 0, columns, panels, 0, scratch);
        }
        for (int k = 0; k < columns; k++) {
          long index = (row % 32 / width * (long) columns + k) * width + row % width;
          float actual = panels.getAtIndex(ValueLayout.JAVA_FLOAT, index);
          assertThat(Float.compare(actual, expected[row * columns + k])).isZero();
        }
      }
    }
  }

  private static long numMoved(List<WeightMatrix> matrices) {
    return matrices.stream()
        .filter(matrix -> !NativeMemory.isMapped(matrix.current().segment()))
        .count();
  }
}
