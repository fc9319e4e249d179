package io.cusco.llama.cpu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

import java.lang.management.ManagementFactory;
import java.time.Duration;
import java.util.Random;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicIntegerArray;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class WorkerPoolTest {
  private static final long SEED = 20261121;

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 3, 8})
  void everyTaskOfEveryPhaseRunsOnce(int threads) {
    Random random = new Random(SEED);
    try (WorkerPool pool = new WorkerPool(threads)) {
      for (int phase = 0; phase < 20_000; phase++) {
        int numTasks = random.nextInt(12);
        AtomicIntegerArray runs = new AtomicIntegerArray(12);
        pool.run((task, worker) -> runs.incrementAndGet(task), numTasks);
        for (int task = 0; task < 12; task++) {
          assertThat(runs.get(task))
              .as("phase %d of seed %d, task %d of %d", phase, SEED, task, numTasks)
              .isEqualTo(task < numTasks ? 1 : 0);
        }
      }
    }
  }

  @Test
  void aCoreCanBeLeftToTheCompilerAndTakenBack() {
    int cores = Runtime.getRuntime().availableProcessors();
    try (WorkerPool pool = new WorkerPool(cores + 1)) {
      for (int phase = 0; phase < 1_000; phase++) {
        boolean leave = phase % 3 != 0;
        pool.leaveCoreToCompiler(leave);
        AtomicIntegerArray runs = new AtomicIntegerArray(cores + 1);
        pool.run((task, worker) -> runs.incrementAndGet(worker), 64);
        int total = 0;
        for (int worker = 0; worker <= cores; worker++) {
          total += runs.get(worker);
          if (leave && worker >= Math.max(1, cores - 1)) {
            assertThat(runs.get(worker)).as("tasks of worker %d", worker).isZero();
          }
        }
        assertThat(total).isEqualTo(64);
      }
    }
  }

  @Test
  void workersHaveDistinctNumbers() {
    AtomicIntegerArray inside = new AtomicIntegerArray(4);
    try (WorkerPool pool = new WorkerPool(4)) {
      pool.run(
          (task, worker) -> {
            assertThat(inside.incrementAndGet(worker)).isEqualTo(1);
            Thread.onSpinWait();
            inside.decrementAndGet(worker);
          },
          10_000);
    }
  }

  @Test
  void aFailedTaskFailsThePhaseAndThePoolLivesOn() {
    try (WorkerPool pool = new WorkerPool(3)) {
      WorkerPool.Phase failing =
          (task, worker) -> {
            if (task == 7) {
              throw new IllegalArgumentException("task seven");
            }
          };
      assertThatIllegalStateException()
          .isThrownBy(() -> pool.run(failing, 16))
          .withMessageContaining("task seven");
      int[] ran = new int[16];
      pool.run((task, worker) -> ran[task]++, 16);
      assertThat(ran).containsOnly(1);
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 5})
  void aPoolHasExactlyItsThreads(int threads) {
    long before = numWorkers();
    try (WorkerPool pool = new WorkerPool(threads)) {
      assertThat(pool.numThreads()).isEqualTo(threads);
      assertThat(numWorkers() - before).isEqualTo(threads - 1);
      pool.run((task, worker) -> assertThat(worker).isBetween(0, threads - 1), 1_000);
    }
    assertThat(numWorkers()).isEqualTo(before);
  }

  private static long numWorkers() {
    return Thread.getAllStackTraces().keySet().stream()
        .filter(thread -> thread.getName().startsWith("cusco-cpu-"))
        .count();
  }

  @Test
  void theCallerSleepsWhileAWorkerHoldsTheLastTask() {
    var threads = ManagementFactory.getThreadMXBean();
    AtomicInteger started = new AtomicInteger();
    try (WorkerPool pool = new WorkerPool(2)) {
      for (int phase = 0; phase < 3; phase++) {
        started.set(0);
        long before = threads.getCurrentThreadCpuTime();
        pool.run(
            (task, worker) -> {
              // Each thread takes one of the two tasks; the worker's is long.
              started.incrementAndGet();
              while (started.get() < 2) {
                LockSupport.parkNanos(100_000); // the other core may be another's for a while
              }
              if (worker == 1) {
                LockSupport.parkNanos(200_000_000);
              }
            },
            2);
        assertThat(threads.getCurrentThreadCpuTime() - before).isLessThan(100_000_000);
      }
    }
  }

  @Test
  void idleWorkersPark() throws InterruptedException {
    try (WorkerPool pool = new WorkerPool(2)) {
      pool.run((task, worker) -> {}, 2);
      Thread.sleep(Duration.ofMillis(50));
      long before = cpuNanosOfWorkers();
      Thread.sleep(Duration.ofMillis(200));
      // A spinning worker would have used most of the 200 ms.
      assertThat(cpuNanosOfWorkers() - before).isLessThan(50_000_000);
    }
  }

  private static long cpuNanosOfWorkers() {
    var threads = ManagementFactory.getThreadMXBean();
    long sum = 0;
    for (Thread thread : Thread.getAllStackTraces().keySet()) {
      if (thread.getName().startsWith("cusco-cpu-")) {
        sum += Math.max(0, threads.getThreadCpuTime(thread.threadId()));
      }
    }
    return sum;
  }

  @Test
  void aClosedPoolRefusesWork() {
    WorkerPool pool = new WorkerPool(2);
    pool.close();
    pool.close();
    assertThatIllegalStateException()
        .isThrownBy(() -> pool.run((task, worker) -> {}, 1))
        .withMessageContaining("closed");
  }
}
