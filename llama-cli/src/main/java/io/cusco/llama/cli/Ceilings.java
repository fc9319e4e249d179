package io.cusco.llama.cli;

import io.cusco.llama.memory.NativeMemory;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.function.LongBinaryOperator;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.LongVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorSpecies;

/// What the machine can do at most, measured: no decoding is faster than reading the weights, no
/// prefill faster than multiplying (for f32 arithmetic; integer dot products may pass it).
///
/// @param readBytesPerSecond streaming reads of memory that no cache holds, all threads
/// @param flopsPerSecond f32 fused multiply-adds from registers, counted as two, all threads
record Ceilings(double readBytesPerSecond, double flopsPerSecond) {
  /// Larger than any last-level cache by far.
  private static final long READ_BYTES = 1L << 30;

  private static final int READ_ROUNDS = 5;
  private static final int FMA_ROUNDS = 5;
  private static final int FMA_REPEATS = 5_000_000;

  /// Independent chains hide the latency of one: 4 to 5 cycles at two units.
  private static final int FMA_CHAINS = 10;

  private static final VectorSpecies<Long> LONGS = LongVector.SPECIES_PREFERRED;
  private static final VectorSpecies<Float> FLOATS = FloatVector.SPECIES_PREFERRED;

  /// Measures with `threads` threads; takes a second or two.
  static Ceilings measure(int threads) {
    try (ExecutorService pool = Executors.newFixedThreadPool(threads)) {
      return new Ceilings(readRate(pool, threads), fmaRate(pool, threads));
    }
  }

  private static double readRate(ExecutorService pool, int threads) {
    try (Arena arena = Arena.ofShared()) {
      MemorySegment memory = NativeMemory.allocateZeroed(READ_BYTES, arena);
      // Untouched pages all map to one page of zeroes, which a cache holds.
      memory.fill((byte) 1);
      long slice = READ_BYTES / threads / LONGS.vectorByteSize() / 4 * LONGS.vectorByteSize() * 4;
      double best =
          best(READ_ROUNDS, pool, threads, (thread, round) -> sum(memory, thread * slice, slice));
      return slice * threads / best;
    }
  }

  private static double fmaRate(ExecutorService pool, int threads) {
    double best = best(FMA_ROUNDS, pool, threads, (thread, round) -> fma(FMA_REPEATS));
    return 2.0 * FMA_CHAINS * FMA_REPEATS * FLOATS.length() * threads / best;
  }

  /// Seconds of the fastest round; the first rounds also compile the loops.
  private static double best(
      int rounds, ExecutorService pool, int threads, LongBinaryOperator work) {
    double best = Double.POSITIVE_INFINITY;
    long consumed = 0;
    for (int round = 0; round < rounds; round++) {
      int number = round;
      List<Future<Long>> results = new ArrayList<>();
      long start = System.nanoTime();
      for (int t = 0; t < threads; t++) {
        int thread = t;
        results.add(pool.submit(() -> work.applyAsLong(thread, number)));
      }
      for (Future<Long> result : results) {
        consumed += get(result);
      }
      best = Math.min(best, (System.nanoTime() - start) / 1e9);
    }
    if (consumed == Long.MIN_VALUE) {
      // Never the case; without a use the loops would be dropped.
      throw new IllegalStateException("unexpected sum");
    }
    return best;
  }

  private static long get(Future<Long> result) {
    try {
      return result.get();
    } catch (InterruptedException | ExecutionException e) {
      throw new IllegalStateException("measuring the ceiling failed: " + e.getMessage(), e);
    }
  }

  private static long sum(MemorySegment memory, long start, long numBytes) {
    int width = LONGS.vectorByteSize();
    LongVector a = LongVector.zero(LONGS);
    LongVector b = a;
    LongVector c = a;
    LongVector d = a;
    ByteOrder order = ByteOrder.nativeOrder();
    for (long i = start; i < start + numBytes; i += 4L * width) {
      a = a.add(LongVector.fromMemorySegment(LONGS, memory, i, order));
      b = b.add(LongVector.fromMemorySegment(LONGS, memory, i + width, order));
      c = c.add(LongVector.fromMemorySegment(LONGS, memory, i + 2L * width, order));
      d = d.add(LongVector.fromMemorySegment(LONGS, memory, i + 3L * width, order));
    }
    return a.add(b).add(c).add(d).reduceLanes(VectorOperators.ADD);
  }

  private static long fma(int repeats) {
    FloatVector x = FloatVector.broadcast(FLOATS, 0.999f);
    FloatVector y = FloatVector.broadcast(FLOATS, 1e-3f);
    FloatVector c0 = y;
    FloatVector c1 = y;
    FloatVector c2 = y;
    FloatVector c3 = y;
    FloatVector c4 = y;
    FloatVector c5 = y;
    FloatVector c6 = y;
    FloatVector c7 = y;
    FloatVector c8 = y;
    FloatVector c9 = y;
    for (int i = 0; i < repeats; i++) {
      c0 = c0.fma(x, y);
      c1 = c1.fma(x, y);
      c2 = c2.fma(x, y);
      c3 = c3.fma(x, y);
      c4 = c4.fma(x, y);
      c5 = c5.fma(x, y);
      c6 = c6.fma(x, y);
      c7 = c7.fma(x, y);
      c8 = c8.fma(x, y);
      c9 = c9.fma(x, y);
    }
    FloatVector sum = c0.add(c1).add(c2).add(c3).add(c4).add(c5).add(c6).add(c7).add(c8).add(c9);
    return (long) sum.reduceLanes(VectorOperators.ADD);
  }
}
