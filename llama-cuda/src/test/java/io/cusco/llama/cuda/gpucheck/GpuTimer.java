package io.cusco.llama.cuda.gpucheck;

import io.cusco.llama.cuda.driver.CudaEvent;
import io.cusco.llama.cuda.driver.CudaStream;
import java.util.Arrays;

/// Times queued work on the device's own clock. Used on the context's thread.
final class GpuTimer {
  private final CudaStream stream;
  private final int warmUps;
  private final int repeats;

  /// @param warmUps runs before the first timed one: module loading, algorithm choice, clocks
  /// @param repeats timed runs
  GpuTimer(CudaStream stream, int warmUps, int repeats) {
    this.stream = stream;
    this.warmUps = warmUps;
    this.repeats = repeats;
  }

  /// The median and the spread of several runs.
  ///
  /// @param seconds all runs, ascending
  record Timing(double[] seconds) {
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

  /// @param work only queues on the timer's stream; called `warmUps + repeats` times with its
  ///   number, so that it can take other operands each time
  Timing time(java.util.function.IntConsumer work) {
    for (int i = 0; i < warmUps; i++) {
      work.accept(i);
    }
    stream.synchronize();
    double[] seconds = new double[repeats];
    try (CudaEvent start = CudaEvent.timed(stream.context());
        CudaEvent end = CudaEvent.timed(stream.context())) {
      for (int i = 0; i < repeats; i++) {
        stream.record(start);
        work.accept(warmUps + i);
        stream.record(end);
        end.synchronize();
        seconds[i] = end.millisecondsSince(start) / 1e3;
      }
    }
    Arrays.sort(seconds);
    return new Timing(seconds);
  }
}
