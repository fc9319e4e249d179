package io.cusco.llama.cuda.gpucheck;

import java.util.concurrent.TimeUnit;

/// The time that one part of a run may take. A part asks before each measurement and says what it
/// leaves out.
final class TimeShare {
  private final int seconds;
  private final long start = System.nanoTime();
  private boolean leftOut;

  /// Begins now.
  TimeShare(int seconds) {
    this.seconds = seconds;
  }

  double secondsLeft() {
    return seconds - (System.nanoTime() - start) / (double) TimeUnit.SECONDS.toNanos(1);
  }

  boolean isSpent() {
    return secondsLeft() <= 0;
  }

  /// Notes that something is not measured, and gives the reason in words.
  String leaveOut() {
    leftOut = true;
    return "not measured: the share of %d s was spent".formatted(seconds);
  }

  boolean hasLeftOut() {
    return leftOut;
  }
}
