package io.cusco.llama.cuda.driver;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;

/// Contexts, streams, events and memory, on whatever device the subclass stands for.
abstract class DriverTest {
  private static final int N = 1031;

  private final Arena arena = Arena.ofAuto();

  private MemorySegment counting() {
    MemorySegment host = arena.allocate(JAVA_INT, N);
    for (int i = 0; i < N; i++) {
      host.setAtIndex(JAVA_INT, i, 3 * i);
    }
    return host;
  }

  private DeviceBuffer buffer(CudaContext context) {
    return DeviceBuffer.allocate(context, "test buffer", 4L * N);
  }

  @Test
  void bytesSurviveTheWayThereAndBack(CudaContext context) {
    MemorySegment back = arena.allocate(JAVA_INT, N);
    try (DeviceBuffer buffer = buffer(context)) {
      buffer.copyFrom(counting(), 0);
      buffer.copyTo(back, 0);
      assertThat(back.mismatch(counting())).isEqualTo(-1);
      buffer.copyTo(back.asSlice(0, 8), 4);
      assertThat(back.getAtIndex(JAVA_INT, 0)).isEqualTo(3);
      assertThat(buffer.address() % 256).isZero();
      assertThat(buffer.address(8, 4)).isEqualTo(buffer.address() + 8);
    }
  }

  @Test
  void queuedCopiesAndFillsRunInOrder(CudaContext context) {
    try (CudaStream stream = CudaStream.create(context);
        PinnedBuffer pinned = PinnedBuffer.allocate(context, 4L * N);
        DeviceBuffer first = buffer(context);
        DeviceBuffer second = buffer(context)) {
      pinned.segment().copyFrom(counting());
      first.copyFrom(pinned.segment(), 0, stream);
      first.fillInts(-7, 8, 2, stream);
      second.fill((byte) 1, 0, 4L * N, stream);
      second.copyFrom(first, 4, 0, 16, stream);
      second.copyTo(pinned.segment(), 0, stream);
      stream.synchronize();
      assertThat(stream.isDone()).isTrue();
      assertThat(pinned.segment().asSlice(0, 20).toArray(JAVA_INT))
          .containsExactly(3, -7, -7, 12, 0x01010101);
    }
  }

  @Test
  void aWholeBufferIsFilled(CudaContext context) {
    MemorySegment back = arena.allocate(4L * N);
    try (DeviceBuffer buffer = buffer(context)) {
      buffer.fill((byte) 0x5a);
      buffer.copyTo(back, 0);
    }
    assertThat(back.toArray(JAVA_BYTE)).containsOnly(0x5a);
  }

  @Test
  void rangesOutsideOfABufferAreRefused(CudaContext context) {
    try (CudaStream stream = CudaStream.create(context);
        DeviceBuffer buffer = buffer(context)) {
      assertThatThrownBy(() -> buffer.copyFrom(counting(), 4))
          .isInstanceOf(IndexOutOfBoundsException.class)
          .hasMessage("test buffer: bytes 4 .. 4128 are outside of its 4124");
      assertThatThrownBy(() -> buffer.address(Long.MAX_VALUE, 2))
          .isInstanceOf(IndexOutOfBoundsException.class);
      assertThatThrownBy(() -> buffer.fill((byte) 0, -1, 2, stream))
          .isInstanceOf(IndexOutOfBoundsException.class);
      assertThatThrownBy(() -> buffer.fillInts(0, 2, 1, stream))
          .isInstanceOf(IllegalArgumentException.class);
      assertThatThrownBy(() -> DeviceBuffer.allocate(context, "nothing", 0))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("nothing");
    }
  }

  @Test
  void memoryOfTheJavaHeapIsRefused(CudaContext context) {
    try (DeviceBuffer buffer = buffer(context)) {
      assertThatThrownBy(() -> buffer.copyFrom(MemorySegment.ofArray(new int[3]), 0))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("native memory");
    }
  }

  @Test
  void tooLargeABufferSaysWhatIsFreeAndWhatToLower(CudaContext context) {
    long tooMuch = context.device().totalBytes() * 4;
    assertThatThrownBy(() -> DeviceBuffer.allocate(context, "KV cache", tooMuch))
        .isInstanceOf(CudaOutOfMemoryException.class)
        .hasMessageContaining("out of GPU memory: KV cache needs ")
        .hasMessageContaining("are free on device 0 (")
        .hasMessageContaining("lower the context length");
    assertThat(context.freeBytes()).isPositive();
  }

  @Test
  void eventsOrderStreamsAndTellTime(CudaContext context) {
    MemorySegment back = arena.allocate(4L * N);
    try (CudaStream one = CudaStream.create(context);
        CudaStream two = CudaStream.create(context);
        CudaEvent start = CudaEvent.timed(context);
        CudaEvent filled = CudaEvent.timed(context);
        CudaEvent untimed = CudaEvent.create(context);
        DeviceBuffer buffer = buffer(context)) {
      one.record(start);
      buffer.fill((byte) 1, 0, 4L * N, one);
      one.record(filled);
      two.waitFor(filled);
      buffer.fill((byte) 2, 4, 4, two);
      two.record(untimed);
      untimed.synchronize();
      assertThat(untimed.isDone()).isTrue();
      assertThat(filled.millisecondsSince(start)).isGreaterThanOrEqualTo(0);
      assertThatThrownBy(() -> untimed.millisecondsSince(start))
          .isInstanceOf(IllegalArgumentException.class);
      buffer.copyTo(back, 0);
    }
    assertThat(back.asSlice(0, 12).toArray(JAVA_INT))
        .containsExactly(0x01010101, 0x02020202, 0x01010101);
  }

  @Test
  void closingTwiceIsFineAndUseAfterwardsNamesTheThing(CudaContext context) {
    CudaStream stream = CudaStream.create(context);
    CudaEvent event = CudaEvent.create(context);
    DeviceBuffer buffer = buffer(context);
    PinnedBuffer pinned = PinnedBuffer.allocate(context, 64);
    MemorySegment segment = pinned.segment();
    for (int i = 0; i < 2; i++) {
      stream.close();
      event.close();
      buffer.close();
      pinned.close();
    }
    assertClosed(stream::synchronize, "stream of device 0 (");
    assertClosed(event::isDone, "event of device 0 (");
    assertClosed(buffer::address, "buffer 'test buffer' of device 0 (");
    assertClosed(pinned::segment, "pinned buffer of device 0 (");
    assertThatThrownBy(() -> segment.get(JAVA_INT, 0)).isInstanceOf(IllegalStateException.class);
  }

  private static void assertClosed(Runnable use, String message) {
    assertThatThrownBy(use::run)
        .isInstanceOf(IllegalStateException.class)
        .hasMessageStartingWith(message)
        .hasMessageEndingWith("is closed");
  }

  @Test
  void aClosedContextEndsAllThatWasMadeFromIt(CudaContext context) {
    CudaContext own = CudaContext.open(context.device());
    CudaStream stream = CudaStream.create(own);
    stream.close();
    own.close();
    own.close();
    stream.close();
    assertClosed(stream::isDone, "context of device 0 (");
    assertClosed(own::synchronize, "context of device 0 (");
    // Closing took the current context from this thread.
    context.bindToCurrentThread();
  }

  @Test
  void anotherThreadIsRefusedUntilItTakesOver(CudaContext context) {
    CompletableFuture<String> message = new CompletableFuture<>();
    inThread(() -> {
      try {
        context.synchronize();
        message.complete("was let in");
      } catch (IllegalStateException e) {
        message.complete(e.getMessage());
      }
      context.bindToCurrentThread();
      context.synchronize();
    });
    assertThat(message.join()).contains("belongs to thread", "called from other");
    assertThatThrownBy(context::synchronize).hasMessageContaining("belongs to thread other");
    context.bindToCurrentThread();
    context.synchronize();
  }

  private static void inThread(Runnable work) {
    CompletableFuture.runAsync(work, task -> Thread.ofPlatform().name("other").start(task)).join();
  }

  @Test
  void aVirtualThreadIsRefused(CudaContext context) {
    CudaDevice device = context.device();
    String message =
        CompletableFuture.supplyAsync(
                () -> {
                  try (CudaContext _ = CudaContext.open(device)) {
                    return "was let in";
                  } catch (IllegalStateException e) {
                    return e.getMessage();
                  }
                },
                Thread::startVirtualThread)
            .join();
    assertThat(message).contains("platform thread");
  }
}
