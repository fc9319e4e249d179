package io.cusco.llama.cuda.gpucheck;

import java.util.Arrays;
import java.util.concurrent.TimeUnit;

/// The median and the spread of several runs.
///
/// @param seconds all runs, ascending; at least one
record Timing(double[] seconds) {
  private static final int FEWEST_RUNS = 3;

  Timing {
    seconds = seconds.clone();
    Arrays.sort(seconds);
  }

  /// Times a call that returns when its work is done, by the wall clock.
  ///
  /// @param warmUps runs before the first timed one
  /// @param repeats timed runs; three of them if the share is spent before
  static Timing wall(Runnable work, int warmUps, int repeats, TimeShare share) {
    for (int i = 0; i < warmUps; i++) {
      work.run();
    }
    double[] seconds = new double[repeats];
    int runs = 0;
    while (runs < repeats && (runs < FEWEST_RUNS || !share.isSpent())) {
      long start = System.nanoTime();
      work.run();
      seconds[runs++] = (System.nanoTime() - start) / (double) TimeUnit.SECONDS.toNanos(1);
    }
    return new Timing(Arrays.copyOf(seconds, runs));
  }

  int runs() {
    return seconds.length;
  }

  double median() {
    return seconds[seconds.length / 2];
  }

  double fastest() {
    return seconds[0];
  }

  double slowest() {
    return seconds[seconds.length - 1];
  }
}
