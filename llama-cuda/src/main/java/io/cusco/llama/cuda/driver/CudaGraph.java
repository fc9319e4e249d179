package io.cusco.llama.cuda.driver;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import io.cusco.llama.cuda.bindings.driver.CudaDriver;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/// Work that a stream was given, recorded instead of run. Used on the context's thread.
///
/// {@snippet :
/// try (CudaGraph graph = CudaGraph.capture(stream, () -> model.forward(step))) {
///   exec = graph.instantiate();
/// }
/// exec.launch(stream);
/// }
public final class CudaGraph implements AutoCloseable {
  private final CudaContext context;
  private final Handle handle;

  private CudaGraph(CudaContext context, MemorySegment handle) {
    this.context = context;
    this.handle = new Handle(context, "graph", handle);
  }

  /// Runs `work` and records what it queues on `stream`. It may neither wait for the device nor
  /// allocate device memory; other threads are not disturbed.
  ///
  /// @throws CudaException if the work did something that cannot be recorded; what `work` itself
  ///   throws is passed on
  public static CudaGraph capture(CudaStream stream, Runnable work) {
    CudaContext context = stream.context();
    MemorySegment streamHandle = stream.handle();
    context.check(
        CudaDriver.cuStreamBeginCapture_v2(
            streamHandle, CudaDriver.CU_STREAM_CAPTURE_MODE_THREAD_LOCAL()),
        "cuStreamBeginCapture_v2");
    boolean completed = false;
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment pointer = arena.allocate(ADDRESS);
      int result;
      try {
        work.run();
        completed = true;
      } finally {
        result = CudaDriver.cuStreamEndCapture(streamHandle, pointer);
        if (!completed) {
          destroy(pointer.get(ADDRESS, 0));
        }
      }
      context.check(result, "cuStreamEndCapture");
      return new CudaGraph(context, pointer.get(ADDRESS, 0));
    }
  }

  private static void destroy(MemorySegment graph) {
    if (!graph.equals(MemorySegment.NULL)) {
      CudaDriver.cuGraphDestroy(graph);
    }
  }

  /// Makes the graph launchable. The result does not need this graph any more.
  public CudaGraphExec instantiate() {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment pointer = arena.allocate(ADDRESS);
      context.check(
          CudaDriver.cuGraphInstantiateWithFlags(pointer, handle(), 0),
          "cuGraphInstantiateWithFlags");
      return new CudaGraphExec(context, pointer.get(ADDRESS, 0));
    }
  }

  /// Launches, copies and fills that were recorded.
  public long numNodes() {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment count = arena.allocate(JAVA_LONG);
      context.check(
          CudaDriver.cuGraphGetNodes(handle(), MemorySegment.NULL, count), "cuGraphGetNodes");
      return count.get(JAVA_LONG, 0);
    }
  }

  MemorySegment handle() {
    return handle.get();
  }

  @Override
  public void close() {
    handle
        .release()
        .ifPresent(pointer -> context.check(CudaDriver.cuGraphDestroy(pointer), "cuGraphDestroy"));
  }
}
