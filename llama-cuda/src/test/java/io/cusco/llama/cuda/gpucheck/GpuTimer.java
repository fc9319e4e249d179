package io.cusco.llama.cuda.gpucheck;

import io.cusco.llama.cuda.driver.CudaEvent;
import io.cusco.llama.cuda.driver.CudaStream;
import java.util.ArrayList;
import java.util.List;
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

  /// Queues all runs at once, marks between them: the device goes from one to the next without
  /// waiting for the host.
  ///
  /// @param work only queues on the timer's stream; called `warmUps + repeats` times with its
  ///   number, so that it can take other operands each time
  Timing time(IntConsumer work) {
    List<CudaEvent> marks = new ArrayList<>();
    try {
      for (int i = 0; i <= repeats; i++) {
        marks.add(CudaEvent.timed(stream.context()));
      }
      for (int i = 0; i < warmUps; i++) {
        work.accept(i);
      }
      stream.record(marks.getFirst());
      for (int i = 0; i < repeats; i++) {
        work.accept(warmUps + i);
        stream.record(marks.get(i + 1));
      }
      marks.getLast().synchronize();
      double[] seconds = new double[repeats];
      for (int i = 0; i < repeats; i++) {
        seconds[i] = marks.get(i + 1).millisecondsSince(marks.get(i)) / 1e3;
      }
      return new Timing(seconds);
    } finally {
      marks.forEach(CudaEvent::close);
    }
  }
}
