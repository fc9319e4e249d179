package io.cusco.llama.cuda.driver;

import static java.lang.foreign.ValueLayout.ADDRESS;

import io.cusco.llama.cuda.bindings.driver.CudaDriver;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/// A queue of device work that runs in order. Does not wait for the legacy default stream. Used on
/// the context's thread.
public final class CudaStream implements AutoCloseable {
  private final CudaContext context;
  private final Handle handle;

  private CudaStream(CudaContext context, MemorySegment handle) {
    this.context = context;
    this.handle = new Handle(context, "stream", handle);
  }

  public static CudaStream create(CudaContext context) {
    context.checkUsable();
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment pointer = arena.allocate(ADDRESS);
      context.check(
          CudaDriver.cuStreamCreate(pointer, CudaDriver.CU_STREAM_NON_BLOCKING()),
          "cuStreamCreate");
      return new CudaStream(context, pointer.get(ADDRESS, 0));
    }
  }

  public CudaContext context() {
    return context;
  }

  /// Waits until all work that was queued so far is done.
  ///
  /// @throws CudaException also for a failure of that work, a kernel's illegal access, say
  public void synchronize() {
    context.check(CudaDriver.cuStreamSynchronize(handle()), "cuStreamSynchronize");
  }

  /// Whether all work that was queued so far is done.
  public boolean isDone() {
    int result = CudaDriver.cuStreamQuery(handle());
    if (result == CudaDriver.CUDA_ERROR_NOT_READY()) {
      return false;
    }
    context.check(result, "cuStreamQuery");
    return true;
  }

  /// Marks this point of the queue.
  public void record(CudaEvent event) {
    context.check(CudaDriver.cuEventRecord(event.handle(), handle()), "cuEventRecord");
  }

  /// Lets work queued from now on wait for the point that `event` marks, in this stream or another.
  public void waitFor(CudaEvent event) {
    context.check(CudaDriver.cuStreamWaitEvent(handle(), event.handle(), 0), "cuStreamWaitEvent");
  }

  /// The driver's `CUstream`; checks that it may be used now.
  MemorySegment handle() {
    return handle.get();
  }

  @Override
  public void close() {
    handle
        .release()
        .ifPresent(
            pointer -> context.check(CudaDriver.cuStreamDestroy_v2(pointer), "cuStreamDestroy_v2"));
  }
}
