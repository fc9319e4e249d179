package io.cusco.llama.cuda.standin;

import static io.cusco.llama.cuda.standin.CuResult.CUDA_ERROR_CAPTURED_EVENT;
import static io.cusco.llama.cuda.standin.CuResult.CUDA_ERROR_INVALID_HANDLE;
import static io.cusco.llama.cuda.standin.CuResult.CUDA_ERROR_INVALID_VALUE;
import static io.cusco.llama.cuda.standin.CuResult.CUDA_ERROR_NOT_READY;
import static io.cusco.llama.cuda.standin.CuResult.CUDA_ERROR_STREAM_CAPTURE_ISOLATION;
import static io.cusco.llama.cuda.standin.CuResult.CUDA_ERROR_STREAM_CAPTURE_MERGE;
import static io.cusco.llama.cuda.standin.CuResult.CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;

import io.cusco.llama.cuda.bindings.driver.CudaDriver;
import java.lang.foreign.MemorySegment;
import java.util.BitSet;
import java.util.List;

/// Streams and events.
final class StreamCalls {
  static final int GREATEST_PRIORITY = -5;

  private static final long LEGACY = 1;

  private final StandIn standIn;
  private int numCreated;

  StreamCalls(StandIn standIn) {
    this.standIn = standIn;
  }

  /// The stream of a handle in the calling thread's context; 0 and CU_STREAM_LEGACY are the legacy
  /// one.
  static SimulatedStream stream(SimulatedGpu gpu, MemorySegment handle) {
    SimulatedContext context = gpu.context();
    if (handle.address() == 0 || handle.address() == LEGACY) {
      return context.queues().legacy;
    }
    return gpu.handles().get(handle, SimulatedStream.class);
  }

  private SimulatedEvent event(MemorySegment handle) {
    standIn.gpu().context();
    return standIn.gpu().handles().get(handle, SimulatedEvent.class);
  }

  int cuStreamCreate(MemorySegment stream, int flags) {
    return cuStreamCreateWithPriority(stream, flags, 0);
  }

  /// Priorities are clamped, and mean nothing here.
  int cuStreamCreateWithPriority(MemorySegment stream, int flags, int priority) {
    SimulatedContext context = standIn.gpu().context();
    StandInFault.require(
        flags == CudaDriver.CU_STREAM_DEFAULT() || flags == CudaDriver.CU_STREAM_NON_BLOCKING(),
        CUDA_ERROR_INVALID_VALUE,
        "stream flags %s",
        flags);
    SimulatedStream created =
        new SimulatedStream("stream " + ++numCreated, flags != CudaDriver.CU_STREAM_NON_BLOCKING());
    context.queues().add(created);
    HostMemory.putPointer(stream, standIn.gpu().handles().register(created));
    return 0;
  }

  int cuStreamDestroy_v2(MemorySegment stream) {
    SimulatedContext context = standIn.gpu().context();
    SimulatedStream destroyed = standIn.gpu().handles().get(stream, SimulatedStream.class);
    if (destroyed.capture != null) {
      context.queues().end(destroyed.capture);
    }
    standIn.gpu().handles().remove(stream, SimulatedStream.class);
    context.queues().remove(destroyed);
    return 0;
  }

  int cuStreamSynchronize(MemorySegment stream) {
    SimulatedStream waited = stream(standIn.gpu(), stream);
    rejectCaptured(waited, "cuStreamSynchronize");
    queues().rejectUnsafeDuringCapture("cuStreamSynchronize");
    queues().runAll(waited);
    return 0;
  }

  int cuStreamQuery(MemorySegment stream) {
    SimulatedStream asked = stream(standIn.gpu(), stream);
    rejectCaptured(asked, "cuStreamQuery");
    queues().rejectUnsafeDuringCapture("cuStreamQuery");
    return progress(asked.last);
  }

  /// Success if the operation is done; otherwise not ready, and a little further for the next time.
  private int progress(Operation operation) {
    if (operation == null || operation.done) {
      return 0;
    }
    queues().runOneOf(operation);
    return CUDA_ERROR_NOT_READY.code();
  }

  private static void rejectCaptured(SimulatedStream stream, String call) {
    if (stream.capture != null) {
      stream.capture.invalidated = call + " on a capturing stream";
      throw new StandInFault(
          CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED,
          call + " on " + stream + ", which is being captured: nothing of it has run");
    }
  }

  int cuEventCreate(MemorySegment event, int flags) {
    standIn.gpu().context();
    int known = CudaDriver.CU_EVENT_BLOCKING_SYNC() | CudaDriver.CU_EVENT_DISABLE_TIMING();
    StandInFault.require((flags & ~known) == 0, CUDA_ERROR_INVALID_VALUE, "event flags %s", flags);
    boolean timing = (flags & CudaDriver.CU_EVENT_DISABLE_TIMING()) == 0;
    HostMemory.putPointer(
        event,
        standIn.gpu().handles().register(new SimulatedEvent("event " + ++numCreated, timing)));
    return 0;
  }

  int cuEventDestroy_v2(MemorySegment event) {
    standIn.gpu().context();
    standIn.gpu().handles().remove(event, SimulatedEvent.class);
    return 0;
  }

  int cuEventRecord(MemorySegment event, MemorySegment stream) {
    SimulatedEvent recorded = event(event);
    SimulatedStream marked = stream(standIn.gpu(), stream);
    if (marked.capture != null) {
      WorkQueues.requireValid(marked.capture);
      recorded.capture = marked.capture;
      recorded.capturedBefore = (BitSet) marked.capturedBefore.clone();
      recorded.recorded = null;
    } else {
      Work mark = new Work(Work.Kind.EMPTY, "record of " + recorded, () -> {});
      recorded.recorded = queues().submit(marked, mark);
      recorded.capture = null;
    }
    return 0;
  }

  int cuStreamWaitEvent(MemorySegment stream, MemorySegment event, int flags) {
    SimulatedStream waiting = stream(standIn.gpu(), stream);
    SimulatedEvent awaited = event(event);
    if (awaited.capture != null) {
      joinCapture(waiting, awaited);
    } else if (awaited.recorded != null) {
      StandInFault.require(
          waiting.capture == null,
          CUDA_ERROR_STREAM_CAPTURE_ISOLATION,
          "%s is being captured and would wait for %s, recorded outside the capture",
          waiting,
          awaited);
      Work wait = new Work(Work.Kind.EMPTY, "wait for " + awaited, () -> {});
      queues().submit(waiting, wait, List.of(awaited.recorded));
    }
    return 0;
  }

  private void joinCapture(SimulatedStream waiting, SimulatedEvent awaited) {
    Capture capture = awaited.capture;
    StandInFault.require(
        queues().captures().contains(capture),
        CUDA_ERROR_CAPTURED_EVENT,
        "%s was last recorded in a capture that has ended; record it again",
        awaited);
    WorkQueues.requireValid(capture);
    if (waiting.capture == null) {
      StandInFault.require(
          waiting != queues().legacy,
          CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED,
          "the legacy default stream cannot be captured");
      capture.enter(waiting, awaited.capturedBefore);
    } else {
      StandInFault.require(
          waiting.capture == capture,
          CUDA_ERROR_STREAM_CAPTURE_MERGE,
          "%s is part of another capture",
          waiting);
      waiting.capturedBefore.or(awaited.capturedBefore);
    }
  }

  int cuEventSynchronize(MemorySegment event) {
    Operation recorded = recorded(event(event), "cuEventSynchronize");
    if (recorded != null) {
      queues().run(recorded);
    }
    return 0;
  }

  int cuEventQuery(MemorySegment event) {
    return progress(recorded(event(event), "cuEventQuery"));
  }

  private Operation recorded(SimulatedEvent event, String call) {
    StandInFault.require(
        event.capture == null,
        CUDA_ERROR_CAPTURED_EVENT,
        "%s: %s was last recorded in a capture, so it never happens itself",
        call,
        event);
    queues().rejectUnsafeDuringCapture(call);
    return event.recorded;
  }

  /// Always zero: an emulated kernel's time is not a measurement of anything.
  int cuEventElapsedTime(MemorySegment milliseconds, MemorySegment start, MemorySegment end) {
    for (MemorySegment handle : List.of(start, end)) {
      SimulatedEvent event = event(handle);
      StandInFault.require(
          event.timing && event.recorded != null,
          CUDA_ERROR_INVALID_HANDLE,
          "%s was never recorded, or was created without timing",
          event);
      StandInFault.require(event.recorded.done, CUDA_ERROR_NOT_READY, "%s is still to come", event);
    }
    HostMemory.putFloat(milliseconds, 0);
    return 0;
  }

  private WorkQueues queues() {
    return standIn.gpu().context().queues();
  }
}
