package io.cusco.llama.cpu;

import io.cusco.llama.LlamaException;
import io.cusco.llama.cpu.kernels.InterleavedMatrix;
import io.cusco.llama.cpu.kernels.Matrix;
import io.cusco.llama.memory.NativeMemory;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayDeque;
import java.util.Collection;
import java.util.Queue;
import java.util.function.Predicate;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Moves weights out of the mapped file into large pages, some before each decode step, until all
/// are there: then a step reads them faster (docs/cpu.md has the figures). Moving takes as long as
/// some steps do, which a short answer would not earn back.
///
/// Those that are read faster in another order get it on the way ([InterleavedMatrix]).
///
/// What has been moved is released from the mapping, so that the process does not hold it twice.
///
/// Owned by the thread that runs the forward pass.
final class WeightMover {
  /// Decode steps before the first move, unless it is wanted at once.
  static final int DELAY_STEPS = 32;

  /// Steps over which the moves are spread.
  private static final int SPREAD_STEPS = 16;

  private static final long TASK_BYTES = 1L << 20;
  private static final Logger LOG = LoggerFactory.getLogger(WeightMover.class);

  private final WorkerPool pool;
  private final Predicate<Matrix> interleaves;
  private final Arena arena;
  private final Queue<WeightMatrix> waiting;
  private final long numBytes;
  private final long bytesPerStep;
  private final WorkerPool.Phase copyPhase = this::copy;
  private final WorkerPool.Phase interleavePhase = this::interleave;

  private int stepsToWait;
  private MemorySegment pages;
  private long filled;
  private MemorySegment source;
  private MemorySegment copy;
  private InterleavedMatrix interleaved;
  private int groupsPerTask;

  /// @param matrices which are to be moved, in the order of their use
  /// @param stepsToWait calls of [#moveSome] that move nothing
  /// @param interleaves which of them get another order
  /// @param arena that the copies live in
  WeightMover(
      Collection<WeightMatrix> matrices,
      int stepsToWait,
      Predicate<Matrix> interleaves,
      WorkerPool pool,
      Arena arena) {
    this.interleaves = interleaves;
    this.stepsToWait = stepsToWait;
    this.pool = pool;
    this.arena = arena;
    waiting = new ArrayDeque<>(matrices);
    numBytes = matrices.stream().mapToLong(WeightMover::paddedBytes).sum();
    bytesPerStep = numBytes / SPREAD_STEPS;
  }

  /// Whether nothing is left to move.
  boolean isDone() {
    return waiting.isEmpty();
  }

  /// Moves the next matrices, one at least, if it is time and any are left. If the system refuses
  /// the memory, they stay where they are.
  void moveSome() {
    if (stepsToWait > 0) {
      stepsToWait--;
      return;
    }
    if (pages == null && !waiting.isEmpty() && !allocate()) {
      return;
    }
    long moved = 0;
    while (moved <= bytesPerStep && !waiting.isEmpty()) {
      WeightMatrix matrix = waiting.remove();
      source = matrix.source().segment();
      copy = pages.asSlice(filled, source.byteSize());
      filled += paddedBytes(matrix);
      if (interleaves.test(matrix.source())) {
        interleave(matrix);
      } else {
        pool.run(copyPhase, Math.toIntExact(Math.ceilDiv(source.byteSize(), TASK_BYTES)));
        matrix.moveTo(copy);
      }
      NativeMemory.release(source); // what lies between the pages of the tasks
      moved += source.byteSize();
    }
  }

  /// One piece for all matrices: each by itself would leave a part of its last page unused.
  private boolean allocate() {
    try {
      pages = NativeMemory.allocateLargePages(numBytes, arena);
      return true;
    } catch (LlamaException e) {
      LOG.warn("CPU: the weights stay in the mapped file: {}", e.getMessage());
      waiting.clear();
      return false;
    }
  }

  private static long paddedBytes(WeightMatrix matrix) {
    return Math.ceilDiv(matrix.source().segment().byteSize(), NativeMemory.ALIGNMENT)
        * NativeMemory.ALIGNMENT;
  }

  private void copy(int task, int worker) {
    long start = task * TASK_BYTES;
    long numBytes = Math.min(TASK_BYTES, source.byteSize() - start);
    MemorySegment.copy(source, start, copy, start, numBytes);
    NativeMemory.release(source.asSlice(start, numBytes));
  }

  private void interleave(WeightMatrix matrix) {
    Matrix rows = matrix.source();
    interleaved = new InterleavedMatrix(rows, copy);
    long groupBytes = InterleavedMatrix.PAIR * rows.rowBytes();
    groupsPerTask = Math.toIntExact(Math.ceilDiv(TASK_BYTES, groupBytes)) * 2;
    pool.run(interleavePhase, Math.ceilDiv(interleaved.numGroups(), groupsPerTask));
    matrix.moveTo(interleaved);
  }

  private void interleave(int task, int worker) {
    int start = task * groupsPerTask;
    int end = Math.min(interleaved.numGroups(), start + groupsPerTask);
    interleaved.fill(start, end);
    long groupBytes = source.byteSize() / interleaved.numGroups();
    NativeMemory.release(source.asSlice(start * groupBytes, (end - start) * groupBytes));
  }
}
