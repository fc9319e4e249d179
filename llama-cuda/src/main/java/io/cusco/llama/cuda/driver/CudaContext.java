package io.cusco.llama.cuda.driver;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import io.cusco.llama.cuda.bindings.driver.CudaDriver;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/// The primary context of one device, held and current on one platform thread.
///
/// CUDA keeps the current context per thread of the operating system. So everything made from this
/// context (streams, buffers, modules, handles) is used on the thread that opened it or that took
/// it over with [#bindToCurrentThread]; any other call throws `IllegalStateException`. A virtual
/// thread moves between carriers and is refused.
///
/// Close it last: what was made from it can be neither used nor freed afterwards. The device's
/// memory is freed when the last holder of its primary context has closed it.
public final class CudaContext implements AutoCloseable {
  private final CudaDevice device;
  private final String label;
  private final MemorySegment handle;
  private Thread owner;
  private boolean closed;

  private CudaContext(CudaDevice device, MemorySegment handle) {
    this.device = device;
    this.label = device.label();
    this.handle = handle;
  }

  /// Retains the device's primary context and makes it current here.
  ///
  /// @throws CudaException if the driver refuses, because the device is in exclusive use, say
  public static CudaContext open(CudaDevice device) {
    requirePlatformThread();
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment pointer = arena.allocate(ADDRESS);
      Status.checkDriver(
          CudaDriver.cuDevicePrimaryCtxRetain(pointer, device.handle()),
          "cuDevicePrimaryCtxRetain",
          device.label());
      CudaContext context = new CudaContext(device, pointer.get(ADDRESS, 0));
      try {
        context.bindToCurrentThread();
      } catch (CudaException e) {
        CudaDriver.cuDevicePrimaryCtxRelease_v2(device.handle());
        throw e;
      }
      return context;
    }
  }

  public CudaDevice device() {
    return device;
  }

  /// Hands the context over to the calling thread, from which alone it is used from now on. The
  /// thread that had it must have stopped using it.
  public void bindToCurrentThread() {
    requirePlatformThread();
    if (closed) {
      throw closedException("context");
    }
    Status.checkDriver(CudaDriver.cuCtxSetCurrent(handle), "cuCtxSetCurrent", label);
    owner = Thread.currentThread();
  }

  /// Waits until the device has done all work of this context.
  public void synchronize() {
    checkUsable();
    check(CudaDriver.cuCtxSynchronize(), "cuCtxSynchronize");
  }

  /// Device memory that is free now, other processes' use taken into account.
  public long freeBytes() {
    checkUsable();
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment free = arena.allocate(JAVA_LONG);
      MemorySegment total = arena.allocate(JAVA_LONG);
      check(CudaDriver.cuMemGetInfo_v2(free, total), "cuMemGetInfo_v2");
      return free.get(JAVA_LONG, 0);
    }
  }

  /// Throws if closed or called from a thread that does not hold this context.
  void checkUsable() {
    if (closed) {
      throw closedException("context");
    }
    if (!Thread.currentThread().equals(owner)) {
      throw new IllegalStateException(
          "%s belongs to thread %s, called from %s: hand it over with bindToCurrentThread"
              .formatted(label, owner.getName(), Thread.currentThread().getName()));
    }
  }

  boolean isClosed() {
    return closed;
  }

  void check(int result, String call) {
    Status.checkDriver(result, call, label);
  }

  String label() {
    return label;
  }

  /// @param what the closed thing, "stream" or "buffer 'KV cache'"
  IllegalStateException closedException(String what) {
    return new IllegalStateException("%s of %s is closed".formatted(what, label));
  }

  private static void requirePlatformThread() {
    if (Thread.currentThread().isVirtual()) {
      throw new IllegalStateException(
          "a CUDA context belongs to a platform thread; this one is virtual");
    }
  }

  /// Releases the primary context.
  @Override
  public void close() {
    if (closed) {
      return;
    }
    checkUsable();
    closed = true;
    int unset = CudaDriver.cuCtxSetCurrent(MemorySegment.NULL);
    int released = CudaDriver.cuDevicePrimaryCtxRelease_v2(device.handle());
    Status.checkDriver(unset, "cuCtxSetCurrent", label);
    Status.checkDriver(released, "cuDevicePrimaryCtxRelease_v2", label);
  }
}
