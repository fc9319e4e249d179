package io.cusco.llama.cuda.standin;

import static io.cusco.llama.cuda.standin.CuResult.CUDA_ERROR_INVALID_VALUE;
import static io.cusco.llama.cuda.standin.CuResult.CUDA_ERROR_NOT_SUPPORTED;

import io.cusco.llama.cuda.bindings.driver.CudaDriver;
import java.lang.foreign.MemorySegment;

/// Allocation: device memory, stream-ordered device memory, pinned host memory.
final class MemoryCalls {
  /// The default memory pool of the device, the only one there is.
  private static final MemorySegment DEFAULT_POOL = MemorySegment.ofAddress(0x5d00_0000_0100L);

  private final StandIn standIn;

  MemoryCalls(StandIn standIn) {
    this.standIn = standIn;
  }

  int cuMemGetInfo_v2(MemorySegment free, MemorySegment total) {
    SimulatedContext context = standIn.gpu().context();
    long totalBytes = standIn.gpu().settings().totalBytes();
    HostMemory.putLong(free, totalBytes - context.memory().liveBytes());
    HostMemory.putLong(total, totalBytes);
    return 0;
  }

  int cuMemAlloc_v2(MemorySegment devicePointer, long numBytes) {
    SimulatedContext context = standIn.gpu().context();
    context.queues().rejectUnsafeDuringCapture("cuMemAlloc");
    HostMemory.putLong(devicePointer, context.allocate(numBytes));
    return 0;
  }

  /// Waits for all work of the device first, as cuMemFree does: what is queued may still use the
  /// memory.
  int cuMemFree_v2(long devicePointer) {
    SimulatedContext context = standIn.gpu().context();
    if (devicePointer != 0) {
      context.queues().rejectUnsafeDuringCapture("cuMemFree");
      context.requireAllocation(devicePointer);
      context.queues().runAll();
      context.free(devicePointer);
    }
    return 0;
  }

  int cuDeviceGetDefaultMemPool(MemorySegment pool, int device) {
    standIn.gpu().requireDevice(device);
    HostMemory.putPointer(pool, DEFAULT_POOL);
    return 0;
  }

  int cuMemAllocAsync(MemorySegment devicePointer, long numBytes, MemorySegment stream) {
    SimulatedContext context = standIn.gpu().context();
    rejectCaptured(stream, "cuMemAllocAsync");
    HostMemory.putLong(devicePointer, context.allocate(numBytes));
    return 0;
  }

  /// Frees when the stream gets there; the address is refused from now on in this call alone.
  int cuMemFreeAsync(long devicePointer, MemorySegment stream) {
    SimulatedContext context = standIn.gpu().context();
    SimulatedStream queue = rejectCaptured(stream, "cuMemFreeAsync");
    context.requireAllocation(devicePointer);
    context
        .queues()
        .submit(
            queue,
            new Work(
                Work.Kind.EMPTY,
                "free 0x%x".formatted(devicePointer),
                () -> context.free(devicePointer)));
    return 0;
  }

  private SimulatedStream rejectCaptured(MemorySegment handle, String call) {
    SimulatedStream stream = StreamCalls.stream(standIn.gpu(), handle);
    StandInFault.require(
        stream.capture == null,
        CUDA_ERROR_NOT_SUPPORTED,
        "%s on a capturing stream would make a memory node, which is not emulated",
        call);
    return stream;
  }

  int cuMemPoolTrimTo(MemorySegment pool, long minBytesToKeep) {
    requirePool(pool);
    return 0;
  }

  int cuMemPoolSetAttribute(MemorySegment pool, int attribute, MemorySegment value) {
    requirePool(pool);
    StandInFault.require(
        attribute == CudaDriver.CU_MEMPOOL_ATTR_RELEASE_THRESHOLD(),
        CUDA_ERROR_INVALID_VALUE,
        "pool attribute %s cannot be set here",
        attribute);
    standIn.gpu().setPoolReleaseThreshold(HostMemory.getLong(value, "value"));
    return 0;
  }

  int cuMemPoolGetAttribute(MemorySegment pool, int attribute, MemorySegment value) {
    requirePool(pool);
    if (attribute == CudaDriver.CU_MEMPOOL_ATTR_RELEASE_THRESHOLD()) {
      HostMemory.putLong(value, standIn.gpu().poolReleaseThreshold());
    } else if (attribute == CudaDriver.CU_MEMPOOL_ATTR_RESERVED_MEM_CURRENT()
        || attribute == CudaDriver.CU_MEMPOOL_ATTR_USED_MEM_CURRENT()) {
      HostMemory.putLong(value, standIn.gpu().context().memory().liveBytes());
    } else {
      throw new StandInFault(
          CUDA_ERROR_INVALID_VALUE, "pool attribute %s is not known here".formatted(attribute));
    }
    return 0;
  }

  private void requirePool(MemorySegment pool) {
    standIn.gpu().requireInitialized();
    StandInFault.require(
        pool.address() == DEFAULT_POOL.address(),
        CUDA_ERROR_INVALID_VALUE,
        "0x%x is not the default memory pool",
        pool.address());
  }

  int cuMemHostAlloc(MemorySegment pointer, long numBytes, int flags) {
    SimulatedContext context = standIn.gpu().context();
    context.queues().rejectUnsafeDuringCapture("cuMemHostAlloc");
    HostMemory.putPointer(pointer, standIn.gpu().pinned().allocate(numBytes));
    return 0;
  }

  /// Waits for all work of the device first, as cuMemFreeHost does.
  int cuMemFreeHost(MemorySegment pointer) {
    SimulatedContext context = standIn.gpu().context();
    context.queues().rejectUnsafeDuringCapture("cuMemFreeHost");
    context.queues().runAll();
    standIn.gpu().pinned().free(pointer);
    return 0;
  }

  int cuMemHostRegister_v2(MemorySegment pointer, long numBytes, int flags) {
    standIn.gpu().context().queues().rejectUnsafeDuringCapture("cuMemHostRegister");
    standIn.gpu().pinned().register(pointer, numBytes);
    return 0;
  }

  int cuMemHostUnregister(MemorySegment pointer) {
    SimulatedContext context = standIn.gpu().context();
    context.queues().rejectUnsafeDuringCapture("cuMemHostUnregister");
    context.queues().runAll();
    standIn.gpu().pinned().unregister(pointer);
    return 0;
  }
}
