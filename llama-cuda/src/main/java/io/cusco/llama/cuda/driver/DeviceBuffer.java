package io.cusco.llama.cuda.driver;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

import io.cusco.llama.cuda.bindings.driver.CudaDriver;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Locale;
import java.util.Objects;

/// Device memory, 256-byte aligned, contents unspecified at first. Offsets and sizes are bytes and
/// checked here, before the driver sees them. Used on the context's thread.
///
/// Copies and fills without a stream wait for all work of the context before and after. Those with
/// a stream are queued; the host memory they name must stay alive and untouched until the stream
/// has passed them, and they overlap with other work only if it is a [PinnedBuffer]'s.
public final class DeviceBuffer implements AutoCloseable {
  private final CudaContext context;
  private final String name;
  private final long address;
  private final long numBytes;
  private boolean closed;

  private DeviceBuffer(CudaContext context, String name, long address, long numBytes) {
    this.context = context;
    this.name = name;
    this.address = address;
    this.numBytes = numBytes;
  }

  /// @param name what it holds, for messages: "KV cache"
  /// @throws CudaOutOfMemoryException if the device has no such block free
  public static DeviceBuffer allocate(CudaContext context, String name, long numBytes) {
    if (numBytes <= 0) {
      throw new IllegalArgumentException(
          "%s: the size must be positive, got %d bytes".formatted(name, numBytes));
    }
    context.checkUsable();
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment pointer = arena.allocate(JAVA_LONG);
      int result = CudaDriver.cuMemAlloc_v2(pointer, numBytes);
      if (result == CudaDriver.CUDA_ERROR_OUT_OF_MEMORY()) {
        throw outOfMemory(context, "cuMemAlloc_v2", result, name, numBytes);
      }
      context.check(result, "cuMemAlloc_v2");
      return new DeviceBuffer(context, name, pointer.get(JAVA_LONG, 0), numBytes);
    }
  }

  private static CudaOutOfMemoryException outOfMemory(
      CudaContext context, String call, int result, String name, long numBytes) {
    return new CudaOutOfMemoryException(
        call,
        result,
        String.format(
            Locale.ROOT,
            "out of GPU memory: %s needs %.3f GB, %.3f GB of %.3f GB are free on %s; lower the"
                + " context length or the number of concurrent sequences, take a smaller or"
                + " quantised model, or end other programs on this GPU",
            name,
            numBytes / 1e9,
            context.freeBytes() / 1e9,
            context.device().totalBytes() / 1e9,
            context.label()));
  }

  /// The device address of the first byte, what kernels and cuBLAS take.
  public long address() {
    checkUsable();
    return address;
  }

  /// The device address of byte `offset`, of which `length` bytes on belong to this buffer.
  public long address(long offset, long length) {
    checkUsable();
    checkRange(offset, length);
    return address + offset;
  }

  public long numBytes() {
    return numBytes;
  }

  public String name() {
    return name;
  }

  /// Copies all of `host` to `offset` and waits.
  ///
  /// @param host native memory; a heap segment is refused
  public void copyFrom(MemorySegment host, long offset) {
    checkHost(host);
    checkTarget(offset, host.byteSize());
    context.check(
        CudaDriver.cuMemcpyHtoD_v2(address + offset, host, host.byteSize()), "cuMemcpyHtoD_v2");
    // From pageable memory the call returns while the last piece may still be on its way.
    context.synchronize();
  }

  /// Copies `host.byteSize()` bytes from `offset` to `host` when all queued work is done.
  public void copyTo(MemorySegment host, long offset) {
    checkHost(host);
    checkTarget(offset, host.byteSize());
    context.synchronize();
    context.check(
        CudaDriver.cuMemcpyDtoH_v2(host, address + offset, host.byteSize()), "cuMemcpyDtoH_v2");
  }

  /// Queues a copy of all of `host` to `offset`.
  public void copyFrom(MemorySegment host, long offset, CudaStream stream) {
    copyFrom(host, host.byteSize(), offset, stream);
  }

  /// Queues a copy of the first `length` bytes of `host` to `offset`.
  public void copyFrom(MemorySegment host, long length, long offset, CudaStream stream) {
    checkHost(host, length);
    checkTarget(offset, length);
    context.check(
        CudaDriver.cuMemcpyHtoDAsync_v2(address + offset, host, length, stream.handle()),
        "cuMemcpyHtoDAsync_v2");
  }

  /// Queues a copy of `host.byteSize()` bytes from `offset` to `host`.
  public void copyTo(MemorySegment host, long offset, CudaStream stream) {
    copyTo(host, host.byteSize(), offset, stream);
  }

  /// Queues a copy of `length` bytes from `offset` to the beginning of `host`.
  public void copyTo(MemorySegment host, long length, long offset, CudaStream stream) {
    checkHost(host, length);
    checkTarget(offset, length);
    context.check(
        CudaDriver.cuMemcpyDtoHAsync_v2(host, address + offset, length, stream.handle()),
        "cuMemcpyDtoHAsync_v2");
  }

  /// Queues a copy of `length` bytes of another buffer of this context. The ranges must not
  /// overlap.
  public void copyFrom(
      DeviceBuffer source, long sourceOffset, long offset, long length, CudaStream stream) {
    long from = source.address(sourceOffset, length);
    checkTarget(offset, length);
    context.check(
        CudaDriver.cuMemcpyDtoDAsync_v2(address + offset, from, length, stream.handle()),
        "cuMemcpyDtoDAsync_v2");
  }

  /// Sets every byte to `value` and waits.
  public void fill(byte value) {
    checkUsable();
    context.synchronize();
    context.check(CudaDriver.cuMemsetD8_v2(address, value, numBytes), "cuMemsetD8_v2");
    context.synchronize();
  }

  /// Queues setting `length` bytes from `offset` on to `value`.
  public void fill(byte value, long offset, long length, CudaStream stream) {
    checkTarget(offset, length);
    context.check(
        CudaDriver.cuMemsetD8Async(address + offset, value, length, stream.handle()),
        "cuMemsetD8Async");
  }

  /// Queues setting `count` ints from byte `offset` on, a multiple of 4, to `value`.
  public void fillInts(int value, long offset, long count, CudaStream stream) {
    checkTarget(offset, Math.multiplyExact(count, Integer.BYTES));
    if (offset % Integer.BYTES != 0) {
      throw new IllegalArgumentException(
          "%s: the offset of ints must be a multiple of 4, got %d".formatted(name, offset));
    }
    context.check(
        CudaDriver.cuMemsetD32Async(address + offset, value, count, stream.handle()),
        "cuMemsetD32Async");
  }

  private void checkTarget(long offset, long length) {
    checkUsable();
    checkRange(offset, length);
  }

  private void checkRange(long offset, long length) {
    if (offset < 0 || length < 0 || length > numBytes || offset > numBytes - length) {
      throw new IndexOutOfBoundsException(
          "%s: bytes %d .. %d are outside of its %d"
              .formatted(name, offset, offset + length, numBytes));
    }
  }

  private void checkHost(MemorySegment host, long length) {
    checkHost(host);
    if (length > host.byteSize()) {
      throw new IndexOutOfBoundsException(
          "%s: a copy of %d bytes, the host memory has %d"
              .formatted(name, length, host.byteSize()));
    }
  }

  private void checkHost(MemorySegment host) {
    Objects.requireNonNull(host);
    if (!host.isNative()) {
      throw new IllegalArgumentException(
          "%s: copies need native memory, got a segment on the Java heap".formatted(name));
    }
  }

  private void checkUsable() {
    context.checkUsable();
    if (closed) {
      throw context.closedException("buffer '%s'".formatted(name));
    }
  }

  /// Frees the memory once the device has done all work that may use it.
  @Override
  public void close() {
    if (closed || context.isClosed()) {
      closed = true;
      return;
    }
    context.checkUsable();
    closed = true;
    context.check(CudaDriver.cuMemFree_v2(address), "cuMemFree_v2");
  }
}
