package io.cusco.llama.cuda.driver;

import static java.lang.foreign.ValueLayout.ADDRESS;

import io.cusco.llama.cuda.bindings.driver.CudaDriver;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/// Page-locked host memory, which the device copies from and to by itself while the host goes on.
/// Made and closed on the context's thread; its segment may be read and written by any.
public final class PinnedBuffer implements AutoCloseable {
  private final CudaContext context;
  private final MemorySegment allocation;
  private final MemorySegment segment;
  private final Arena arena;
  private boolean closed;

  private PinnedBuffer(
      CudaContext context, MemorySegment allocation, MemorySegment segment, Arena arena) {
    this.context = context;
    this.allocation = allocation;
    this.segment = segment;
    this.arena = arena;
  }

  /// Contents are unspecified.
  ///
  /// @throws CudaOutOfMemoryException if the system cannot lock so many pages
  public static PinnedBuffer allocate(CudaContext context, long numBytes) {
    if (numBytes <= 0) {
      throw new IllegalArgumentException(
          "pinned memory: the size must be positive, got %d bytes".formatted(numBytes));
    }
    context.checkUsable();
    try (Arena outputs = Arena.ofConfined()) {
      MemorySegment pointer = outputs.allocate(ADDRESS);
      int result =
          CudaDriver.cuMemHostAlloc(pointer, numBytes, CudaDriver.CU_MEMHOSTALLOC_PORTABLE());
      if (result == CudaDriver.CUDA_ERROR_OUT_OF_MEMORY()) {
        throw new CudaOutOfMemoryException(
            "cuMemHostAlloc",
            result,
            "the system cannot page-lock %.3f GB of host memory for %s; free memory or raise the limit (ulimit -l)"
                .formatted(numBytes / 1e9, context.label()));
      }
      context.check(result, "cuMemHostAlloc");
      MemorySegment allocation = pointer.get(ADDRESS, 0);
      Arena arena = Arena.ofShared();
      return new PinnedBuffer(
          context, allocation, allocation.reinterpret(numBytes, arena, null), arena);
    }
  }

  /// The memory; unusable after [#close].
  public MemorySegment segment() {
    if (closed) {
      throw context.closedException("pinned buffer");
    }
    return segment;
  }

  public long numBytes() {
    return segment.byteSize();
  }

  /// Frees the memory; copies from and to it must be done.
  @Override
  public void close() {
    if (closed) {
      return;
    }
    if (!context.isClosed()) {
      context.checkUsable();
    }
    closed = true;
    arena.close();
    if (!context.isClosed()) {
      context.check(CudaDriver.cuMemFreeHost(allocation), "cuMemFreeHost");
    }
  }
}
