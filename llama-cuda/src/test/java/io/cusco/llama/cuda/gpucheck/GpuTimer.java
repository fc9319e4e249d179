package io.cusco.llama.cuda.gpucheck;

import io.cusco.llama.cuda.driver.CudaEvent;
import io.cusco.llama.cuda.driver.CudaStream;
import java.util.function.IntConsumer;

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

  /// @param work only queues on the timer's stream; called `warmUps + repeats` times with its
  ///   number, so that it can take other operands each time
  Timing time(IntConsumer work) {
    return time(work, () -> {});
  }

  /// @param afterEach called when a run's work is done, outside of its time
  Timing time(IntConsumer work, Runnable afterEach) {
    double[] seconds = new double[repeats];
    try (CudaEvent start = CudaEvent.timed(stream.context());
        CudaEvent end = CudaEvent.timed(stream.context())) {
      for (int i = 0; i < warmUps + repeats; i++) {
        stream.record(start);
        work.accept(i);
        stream.record(end);
        end.synchronize();
        afterEach.run();
        if (i >= warmUps) {
          seconds[i - warmUps] = end.millisecondsSince(start) / 1e3;
        }
      }
    }
    return new Timing(seconds);
  }
}
