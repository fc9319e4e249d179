package io.cusco.llama.engine;

import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.locks.LockSupport;

/// How other threads reach the engine thread: they leave commands, it runs them between steps and
/// parks when there is nothing to do.
final class Inbox {
  private final ConcurrentLinkedQueue<Runnable> commands = new ConcurrentLinkedQueue<>();
  private volatile Thread owner;
  private volatile boolean closed;

  /// Leaves a command. Once this returns true the command will run.
  ///
  /// @return false if the inbox is closed
  boolean offer(Runnable command) {
    // Once per request or cancel, never per token: the lock orders it before or after close().
    synchronized (commands) {
      if (closed) {
        return false;
      }
      commands.add(command);
    }
    LockSupport.unpark(owner);
    return true;
  }

  /// Takes no more commands and wakes the engine thread.
  void close() {
    synchronized (commands) {
      closed = true;
    }
    LockSupport.unpark(owner);
  }

  boolean isClosed() {
    return closed;
  }

  /// Runs what has come in; called by the engine thread only.
  void runAll() {
    for (Runnable command = commands.poll(); command != null; command = commands.poll()) {
      command.run();
    }
  }

  /// Parks the engine thread until there is a command or the inbox is closed.
  void await() {
    owner = Thread.currentThread();
    while (commands.isEmpty() && !closed) {
      LockSupport.park(this);
      // An interrupt means nothing to this thread, and would keep park from parking.
      Thread.interrupted();
    }
  }
}
