package io.cusco.llama.cuda.standin;

import static io.cusco.llama.cuda.standin.CuResult.CUDA_ERROR_ILLEGAL_ADDRESS;
import static io.cusco.llama.cuda.standin.CuResult.CUDA_ERROR_INVALID_VALUE;
import static io.cusco.llama.cuda.standin.CuResult.CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;

import io.cusco.llama.cuda.emulator.DeviceMemory;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/// Copies and fills.
///
/// An asynchronous copy touches pinned host memory when the stream gets there: a buffer that was
/// filled again or freed too early arrives wrong. Pageable memory behaves as on hardware: what goes
/// to the device is staged at the call, what comes from it makes the call wait.
final class CopyCalls {
  private final StandIn standIn;

  CopyCalls(StandIn standIn) {
    this.standIn = standIn;
  }

  int cuMemcpyHtoD_v2(long device, MemorySegment host, long numBytes) {
    blocking(toDevice(device, hostRange(host, numBytes), numBytes), "cuMemcpyHtoD");
    return 0;
  }

  int cuMemcpyDtoH_v2(MemorySegment host, long device, long numBytes) {
    blocking(toHost(hostRange(host, numBytes), device, numBytes), "cuMemcpyDtoH");
    return 0;
  }

  /// Does not wait: a copy within the device is asynchronous for the host.
  int cuMemcpyDtoD_v2(long target, long source, long numBytes) {
    SimulatedContext context = standIn.gpu().context();
    context.queues().submit(context.queues().legacy, withinDevice(target, source, numBytes));
    return 0;
  }

  int cuMemcpyHtoDAsync_v2(long device, MemorySegment host, long numBytes, MemorySegment stream) {
    SimulatedStream queue = StreamCalls.stream(standIn.gpu(), stream);
    MemorySegment source = hostRange(host, numBytes);
    if (!standIn.gpu().pinned().contains(host.address(), numBytes)) {
      rejectPageableInCapture(queue);
      source = Arena.ofAuto().allocate(Math.max(1, numBytes)).copyFrom(source);
    }
    submit(queue, toDevice(device, source, numBytes));
    return 0;
  }

  int cuMemcpyDtoHAsync_v2(MemorySegment host, long device, long numBytes, MemorySegment stream) {
    SimulatedStream queue = StreamCalls.stream(standIn.gpu(), stream);
    boolean pinned = standIn.gpu().pinned().contains(host.address(), numBytes);
    if (!pinned) {
      rejectPageableInCapture(queue);
    }
    submit(queue, toHost(hostRange(host, numBytes), device, numBytes));
    if (!pinned) {
      standIn.gpu().context().queues().runAll(queue);
    }
    return 0;
  }

  int cuMemcpyDtoDAsync_v2(long target, long source, long numBytes, MemorySegment stream) {
    submit(StreamCalls.stream(standIn.gpu(), stream), withinDevice(target, source, numBytes));
    return 0;
  }

  int cuMemsetD8_v2(long device, byte value, long count) {
    return setInOrder(fill(device, value, 1, count));
  }

  int cuMemsetD16_v2(long device, short value, long count) {
    return setInOrder(fill(device, value, 2, count));
  }

  int cuMemsetD32_v2(long device, int value, long count) {
    return setInOrder(fill(device, value, 4, count));
  }

  int cuMemsetD8Async(long device, byte value, long count, MemorySegment stream) {
    submit(StreamCalls.stream(standIn.gpu(), stream), fill(device, value, 1, count));
    return 0;
  }

  int cuMemsetD16Async(long device, short value, long count, MemorySegment stream) {
    submit(StreamCalls.stream(standIn.gpu(), stream), fill(device, value, 2, count));
    return 0;
  }

  int cuMemsetD32Async(long device, int value, long count, MemorySegment stream) {
    submit(StreamCalls.stream(standIn.gpu(), stream), fill(device, value, 4, count));
    return 0;
  }

  /// A fill without a stream is asynchronous for the host, in the legacy default stream.
  private int setInOrder(Work work) {
    SimulatedContext context = standIn.gpu().context();
    context.queues().submit(context.queues().legacy, work);
    return 0;
  }

  private void blocking(Work work, String call) {
    SimulatedContext context = standIn.gpu().context();
    WorkQueues queues = context.queues();
    queues.rejectLegacyDuringCapture();
    queues.rejectUnsafeDuringCapture(call);
    Operation operation = queues.submit(queues.legacy, work);
    queues.run(operation);
  }

  private void submit(SimulatedStream stream, Work work) {
    standIn.gpu().context().queues().submit(stream, work);
  }

  private static void rejectPageableInCapture(SimulatedStream stream) {
    StandInFault.require(
        stream.capture == null,
        CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED,
        "a copy of pageable host memory is captured: the graph would use it at every replay; pin it");
  }

  private MemorySegment hostRange(MemorySegment pointer, long numBytes) {
    StandInFault.require(numBytes >= 0, CUDA_ERROR_INVALID_VALUE, "%s bytes", numBytes);
    if (numBytes == 0) {
      return MemorySegment.NULL;
    }
    StandInFault.require(
        !standIn.gpu().pinned().wasFreed(pointer.address()),
        CUDA_ERROR_INVALID_VALUE,
        "the host memory at 0x%x was pinned and has been freed",
        pointer.address());
    return HostMemory.at(pointer, numBytes, "the host pointer");
  }

  private Work toDevice(long device, MemorySegment host, long numBytes) {
    SimulatedContext context = standIn.gpu().context();
    PinnedMemory pinned = standIn.gpu().pinned();
    context.requireRange(device, numBytes, true, "copy to the device");
    String what = "copy of %s bytes to 0x%x".formatted(numBytes, device);
    return work(
        Work.Kind.MEMCPY,
        what,
        numBytes,
        () -> {
          requireStillPinned(pinned, host, what);
          context.memory().write(device, host, numBytes);
        });
  }

  private Work toHost(MemorySegment host, long device, long numBytes) {
    SimulatedContext context = standIn.gpu().context();
    PinnedMemory pinned = standIn.gpu().pinned();
    context.requireRange(device, numBytes, false, "copy to the host");
    String what = "copy of %s bytes from 0x%x".formatted(numBytes, device);
    return work(
        Work.Kind.MEMCPY,
        what,
        numBytes,
        () -> {
          requireStillPinned(pinned, host, what);
          context.memory().read(device, host, numBytes);
        });
  }

  /// Work on a range of the device; none if the range is empty, whatever its address.
  private Work work(Work.Kind kind, String what, long numBytes, Runnable action) {
    SimulatedContext context = standIn.gpu().context();
    return new Work(kind, what, numBytes == 0 ? () -> {} : () -> context.onDevice(what, action));
  }

  private static void requireStillPinned(PinnedMemory pinned, MemorySegment host, String what) {
    StandInFault.require(
        !pinned.wasFreed(host.address()),
        CUDA_ERROR_ILLEGAL_ADDRESS,
        "%s: the pinned host memory was freed before the stream got to the copy",
        what);
  }

  private Work withinDevice(long target, long source, long numBytes) {
    SimulatedContext context = standIn.gpu().context();
    context.requireRange(target, numBytes, true, "copy within the device, target");
    context.requireRange(source, numBytes, false, "copy within the device, source");
    String what = "copy of %s bytes from 0x%x to 0x%x".formatted(numBytes, source, target);
    return work(
        Work.Kind.MEMCPY, what, numBytes, () -> context.memory().copy(target, source, numBytes));
  }

  private Work fill(long device, int value, int width, long count) {
    SimulatedContext context = standIn.gpu().context();
    StandInFault.require(
        device % width == 0,
        CUDA_ERROR_INVALID_VALUE,
        "0x%x is not a multiple of %s",
        device,
        width);
    long numBytes = Math.multiplyExact(count, width);
    context.requireRange(device, numBytes, true, "fill");
    String what = "fill of %s bytes at 0x%x".formatted(numBytes, device);
    DeviceMemory memory = context.memory();
    Runnable action =
        switch (width) {
          case 1 -> () -> memory.fillBytes(device, (byte) value, count);
          case 2 -> () -> memory.fillShorts(device, (short) value, count);
          default -> () -> memory.fillInts(device, value, count);
        };
    return work(Work.Kind.MEMSET, what, numBytes, action);
  }
}
