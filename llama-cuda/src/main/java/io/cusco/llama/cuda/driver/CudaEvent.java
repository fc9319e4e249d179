package io.cusco.llama.cuda.driver;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_FLOAT;

import io.cusco.llama.cuda.bindings.driver.CudaDriver;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/// A mark in a stream, set by [CudaStream#record]. Used on the context's thread.
public final class CudaEvent implements AutoCloseable {
  private final CudaContext context;
  private final Handle handle;
  private final boolean timed;

  private CudaEvent(CudaContext context, MemorySegment handle, boolean timed) {
    this.context = context;
    this.handle = new Handle(context, "event", handle);
    this.timed = timed;
  }

  /// An event for ordering only; cheaper than a timed one.
  public static CudaEvent create(CudaContext context) {
    return create(context, false);
  }

  /// An event that knows when it was passed.
  public static CudaEvent timed(CudaContext context) {
    return create(context, true);
  }

  private static CudaEvent create(CudaContext context, boolean timed) {
    context.checkUsable();
    int flags = timed ? CudaDriver.CU_EVENT_DEFAULT() : CudaDriver.CU_EVENT_DISABLE_TIMING();
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment pointer = arena.allocate(ADDRESS);
      context.check(CudaDriver.cuEventCreate(pointer, flags), "cuEventCreate");
      return new CudaEvent(context, pointer.get(ADDRESS, 0), timed);
    }
  }

  /// Waits until the device has passed the mark; returns at once if it was never set.
  public void synchronize() {
    context.check(CudaDriver.cuEventSynchronize(handle()), "cuEventSynchronize");
  }

  /// Whether the device has passed the mark.
  public boolean isDone() {
    int result = CudaDriver.cuEventQuery(handle());
    if (result == CudaDriver.CUDA_ERROR_NOT_READY()) {
      return false;
    }
    context.check(result, "cuEventQuery");
    return true;
  }

  /// Device time from `earlier` to this mark in milliseconds, to about half a microsecond. Both are
  /// timed and passed.
  public float millisecondsSince(CudaEvent earlier) {
    if (!timed || !earlier.timed) {
      throw new IllegalArgumentException("both events must be made by CudaEvent.timed");
    }
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment milliseconds = arena.allocate(JAVA_FLOAT);
      context.check(
          CudaDriver.cuEventElapsedTime(milliseconds, earlier.handle(), handle()),
          "cuEventElapsedTime");
      return milliseconds.get(JAVA_FLOAT, 0);
    }
  }

  MemorySegment handle() {
    return handle.get();
  }

  @Override
  public void close() {
    handle
        .release()
        .ifPresent(
            pointer -> context.check(CudaDriver.cuEventDestroy_v2(pointer), "cuEventDestroy_v2"));
  }
}
