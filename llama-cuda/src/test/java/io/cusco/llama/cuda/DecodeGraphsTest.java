package io.cusco.llama.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import io.cusco.llama.cuda.driver.CudaContext;
import io.cusco.llama.cuda.driver.CudaStream;
import io.cusco.llama.cuda.driver.DeviceBuffer;
import io.cusco.llama.cuda.standin.EmulatedGpu;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

/// When a step is recorded, and what becomes of one that cannot be.
@EmulatedGpu
class DecodeGraphsTest {
  private static final int SEQUENCES = 2;
  private static final int CONTEXT = 16;

  private static int first(DeviceBuffer buffer) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment host = arena.allocate(ValueLayout.JAVA_INT);
      buffer.copyTo(host, 0);
      return host.get(ValueLayout.JAVA_INT, 0);
    }
  }

  @Test
  void aStepIsRecordedAtTheSecondMeeting(CudaContext context) {
    AtomicInteger calls = new AtomicInteger();
    try (CudaStream stream = CudaStream.create(context);
        DeviceBuffer buffer = DeviceBuffer.allocate(context, "result", 4);
        DecodeGraphs graphs = new DecodeGraphs(SEQUENCES)) {
      for (int i = 0; i < 4; i++) {
        graphs.run(
            SEQUENCES,
            CONTEXT,
            stream,
            () -> buffer.fillInts(calls.incrementAndGet(), 0, 1, stream));
        assertThat(first(buffer)).isEqualTo(Math.min(i + 1, 2));
      }
      assertThat(calls).hasValue(2);
    }
  }

  /// cuBLAS may take an algorithm that does what a recorded stream does not allow.
  @Test
  void aStepThatCannotBeRecordedIsLaunchedAsItIs(CudaContext context) {
    AtomicInteger calls = new AtomicInteger();
    try (CudaStream stream = CudaStream.create(context);
        DeviceBuffer buffer = DeviceBuffer.allocate(context, "result", 4);
        DecodeGraphs graphs = new DecodeGraphs(SEQUENCES)) {
      Runnable waits =
          () -> {
            buffer.fillInts(calls.incrementAndGet(), 0, 1, stream);
            stream.synchronize();
          };
      for (int i = 0; i < 4; i++) {
        graphs.run(SEQUENCES, CONTEXT, stream, waits);
        assertThat(first(buffer)).isEqualTo(calls.get());
      }
      assertThat(calls).as("recorded once in vain").hasValue(5);
    }
  }
}
