package io.cusco.llama.cuda.standin;

import static io.cusco.llama.cuda.standin.CuResult.CUDA_ERROR_ILLEGAL_STATE;
import static io.cusco.llama.cuda.standin.CuResult.CUDA_ERROR_INVALID_VALUE;
import static io.cusco.llama.cuda.standin.CuResult.CUDA_ERROR_STREAM_CAPTURE_INVALIDATED;
import static io.cusco.llama.cuda.standin.CuResult.CUDA_ERROR_STREAM_CAPTURE_UNJOINED;
import static io.cusco.llama.cuda.standin.CuResult.CUDA_ERROR_STREAM_CAPTURE_UNMATCHED;
import static io.cusco.llama.cuda.standin.CuResult.CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
import static io.cusco.llama.cuda.standin.CuResult.CUDA_ERROR_STREAM_CAPTURE_WRONG_THREAD;

import io.cusco.llama.cuda.bindings.driver.CudaDriver;
import java.lang.foreign.MemorySegment;
import java.util.BitSet;

/// Stream capture: what is called on a stream in between becomes a graph and does not run.
final class CaptureCalls {
  private final StandIn standIn;

  CaptureCalls(StandIn standIn) {
    this.standIn = standIn;
  }

  int cuStreamBeginCapture_v2(MemorySegment stream, int mode) {
    SimulatedStream origin = StreamCalls.stream(standIn.gpu(), stream);
    WorkQueues queues = standIn.gpu().context().queues();
    StandInFault.require(
        mode >= Capture.MODE_GLOBAL && mode <= CudaDriver.CU_STREAM_CAPTURE_MODE_RELAXED(),
        CUDA_ERROR_INVALID_VALUE,
        "capture mode %s",
        mode);
    StandInFault.require(
        origin != queues.legacy,
        CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED,
        "the legacy default stream cannot be captured");
    StandInFault.require(
        origin.capture == null, CUDA_ERROR_ILLEGAL_STATE, "%s is being captured already", origin);
    Capture capture = new Capture(origin, mode, new SimulatedGraph("a captured graph"));
    capture.enter(origin, new BitSet());
    queues.captures().add(capture);
    return 0;
  }

  /// Ends the capture in every case; there is a graph only if nothing was wrong with it.
  int cuStreamEndCapture(MemorySegment stream, MemorySegment graph) {
    SimulatedStream origin = StreamCalls.stream(standIn.gpu(), stream);
    HostMemory.putPointer(graph, MemorySegment.NULL);
    Capture capture = origin.capture;
    StandInFault.require(
        capture != null, CUDA_ERROR_ILLEGAL_STATE, "%s is not being captured", origin);
    StandInFault.require(
        capture.origin == origin,
        CUDA_ERROR_STREAM_CAPTURE_UNMATCHED,
        "the capture began in %s and ends in %s",
        capture.origin,
        origin);
    StandInFault.require(
        capture.thread.equals(Thread.currentThread())
            || capture.mode == CudaDriver.CU_STREAM_CAPTURE_MODE_RELAXED(),
        CUDA_ERROR_STREAM_CAPTURE_WRONG_THREAD,
        "the capture began in thread %s",
        capture.thread.getName());
    standIn.gpu().context().queues().end(capture);
    StandInFault.require(
        capture.invalidated == null,
        CUDA_ERROR_STREAM_CAPTURE_INVALIDATED,
        "no graph: %s",
        capture.invalidated);
    StandInFault.require(
        capture.joined(),
        CUDA_ERROR_STREAM_CAPTURE_UNJOINED,
        "a stream that joined the capture of %s has work that nothing waits for",
        origin);
    HostMemory.putPointer(graph, standIn.gpu().handles().register(capture.graph));
    return 0;
  }

  int cuStreamIsCapturing(MemorySegment stream, MemorySegment status) {
    Capture capture = StreamCalls.stream(standIn.gpu(), stream).capture;
    int code;
    if (capture == null) {
      code = CudaDriver.CU_STREAM_CAPTURE_STATUS_NONE();
    } else if (capture.invalidated == null) {
      code = CudaDriver.CU_STREAM_CAPTURE_STATUS_ACTIVE();
    } else {
      code = CudaDriver.CU_STREAM_CAPTURE_STATUS_INVALIDATED();
    }
    HostMemory.putInt(status, code);
    return 0;
  }
}
