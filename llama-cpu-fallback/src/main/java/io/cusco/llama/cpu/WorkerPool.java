package io.cusco.llama.cpu;

import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;

/// Runs the phases of a forward pass on a fixed set of threads, the caller included.
///
/// A phase is a number of independent tasks. Threads claim tasks one by one from a shared ticket,
/// so a thread that the system has taken off its core delays only the task it holds, and a phase
/// never waits for a thread that has not joined it.
///
/// ```
/// ticket = phase number (32 bits) | next task (32 bits)
///
/// caller:  close ticket -> write phase, task count -> open ticket -> claim tasks -> wait for the last
/// worker:  read ticket -> read phase, task count -> claim by compare-and-set -> run -> count done
/// ```
///
/// A claim succeeds only if the ticket is still the one that was read, so what was read after it
/// belongs to the same phase. Closing the ticket first keeps a worker that holds the last phase's
/// exhausted ticket from claiming with it once the larger task count of the next phase is written.
/// [#leaveCoreToCompiler] keeps workers out of the following phases.
///
/// Who waits, a worker for the next phase or the caller for the last task, spins briefly, because
/// what it waits for mostly comes within microseconds, and then parks. On a machine that others use
/// too, the thread that holds the last task may be off its core for milliseconds; a caller that
/// spun or yielded all that time would use up its own share of the processor (Linux takes a whole
/// time slice for a yield).
///
/// [#run] may be called by one thread at a time.
final class WorkerPool implements AutoCloseable {

  /// Work that can be divided; `run` is called once for each task, on any thread.
  interface Phase {
    /// @param task `0 .. numTasks - 1`
    /// @param worker the thread's number, `0 .. numThreads - 1`: an index for scratch memory
    void run(int task, int worker);
  }

  /// A task number that no phase has.
  private static final int CLOSED = Integer.MAX_VALUE;

  /// Longer than the gap between two phases and than most waits for a last task, far shorter than a
  /// time slice.
  private static final long SPIN_NANOS = 100_000;

  /// The clock is read once in so many spins.
  private static final int SPINS_PER_CLOCK = 32;

  private final Thread[] workers;
  private final AtomicLong ticket = new AtomicLong();
  private final AtomicInteger done = new AtomicInteger();
  private final AtomicInteger numParked = new AtomicInteger();
  private volatile IllegalStateException failure;

  /// The caller, while it is parked or about to be; whoever ends the last task wakes it.
  private volatile Thread waitingCaller;

  private volatile boolean closed;
  private volatile int activeThreads;
  private Phase phase;
  private int numTasks;

  WorkerPool(int numThreads) {
    workers = new Thread[numThreads - 1];
    activeThreads = numThreads;
    for (int i = 0; i < workers.length; i++) {
      int worker = i + 1;
      workers[i] =
          Thread.ofPlatform()
              .daemon()
              .name("cusco-cpu-" + worker)
              .unstarted(() -> workUntilClosed(worker));
    }
    for (Thread worker : workers) {
      worker.start();
    }
  }

  int numThreads() {
    return workers.length + 1;
  }

  /// While true, one core of the machine stays free of workers. Before its kernels are compiled a
  /// pool on all cores makes little progress and holds up the one thread that compiles them.
  void leaveCoreToCompiler(boolean leave) {
    int cores = Runtime.getRuntime().availableProcessors();
    activeThreads = leave ? Math.clamp(cores - 1, 1, numThreads()) : numThreads();
  }

  /// Runs all tasks of `phase` and returns when the last is done. A task's exception is thrown
  /// here, after the other tasks have ended.
  void run(Phase phase, int numTasks) {
    if (closed) {
      throw new IllegalStateException("the CPU backend's worker pool is closed");
    }
    if (numTasks <= 1 || activeThreads == 1) {
      for (int task = 0; task < numTasks; task++) {
        phase.run(task, 0);
      }
      return;
    }
    long opened = ((ticket.get() >>> 32) + 1) << 32;
    ticket.set(opened | CLOSED);
    this.phase = phase;
    this.numTasks = numTasks;
    done.set(0);
    ticket.set(opened);
    if (numParked.get() > 0) {
      unparkAll();
    }
    while (claimAndRun(0)) {}
    awaitLastTask(numTasks);
    IllegalStateException thrown = failure;
    if (thrown != null) {
      failure = null;
      throw thrown;
    }
  }

  private void awaitLastTask(int numTasks) {
    long start = 0;
    for (int spins = 1; done.get() < numTasks; spins++) {
      Thread.onSpinWait();
      if (spins % SPINS_PER_CLOCK == 0) {
        long now = System.nanoTime();
        start = start == 0 ? now : start;
        if (now - start > SPIN_NANOS) {
          break;
        }
      }
    }
    if (done.get() < numTasks) {
      // Announce first, then look again: the worker counts first, then looks for a waiting caller.
      waitingCaller = Thread.currentThread();
      while (done.get() < numTasks) {
        LockSupport.park(this);
      }
      waitingCaller = null;
    }
  }

  /// Returns false if the current phase has no task left to claim.
  private boolean claimAndRun(int worker) {
    long claimed = ticket.get();
    Phase claimedPhase = phase;
    int claimedTasks = numTasks;
    int task = (int) claimed;
    if (task >= claimedTasks || claimedPhase == null || worker >= activeThreads) {
      return false;
    }
    if (ticket.compareAndSet(claimed, claimed + 1)) {
      try {
        claimedPhase.run(task, worker);
      } catch (RuntimeException | Error e) {
        failure = new IllegalStateException("a CPU worker failed: " + e, e);
      } finally {
        if (done.incrementAndGet() == claimedTasks) {
          LockSupport.unpark(waitingCaller); // nobody, mostly, which costs nothing
        }
      }
    }
    return true;
  }

  private void workUntilClosed(int worker) {
    long seen = ticket.get();
    long idleSince = 0;
    int spins = 0;
    while (!closed) {
      if (claimAndRun(worker)) {
        idleSince = 0;
        continue;
      }
      long now = ticket.get();
      if (now != seen && worker < activeThreads) {
        seen = now;
        idleSince = 0;
        continue;
      }
      Thread.onSpinWait();
      if (++spins % SPINS_PER_CLOCK == 0) {
        long nanos = System.nanoTime();
        if (idleSince == 0) {
          idleSince = nanos;
        } else if (nanos - idleSince > SPIN_NANOS) {
          parkUntilTicketChanges(seen, worker);
          idleSince = 0;
        }
      }
    }
  }

  private void parkUntilTicketChanges(long seen, int worker) {
    // Announce first, then look again: the caller publishes the ticket first, then looks for parked
    // workers. One of the two sees the other.
    numParked.incrementAndGet();
    try {
      while ((ticket.get() == seen || worker >= activeThreads) && !closed) {
        LockSupport.park(this);
      }
    } finally {
      numParked.decrementAndGet();
    }
  }

  private void unparkAll() {
    for (Thread worker : workers) {
      LockSupport.unpark(worker);
    }
  }

  /// Ends the workers and waits for them. Idempotent.
  @Override
  public void close() {
    closed = true;
    unparkAll();
    boolean interrupted = false;
    for (Thread worker : workers) {
      while (worker.isAlive()) {
        try {
          worker.join();
        } catch (InterruptedException e) {
          interrupted = true;
        }
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }
}
