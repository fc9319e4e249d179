package io.cusco.llama.cuda.driver;

import io.cusco.llama.cuda.bindings.driver.CUgraphExecUpdateResultInfo_st;
import io.cusco.llama.cuda.bindings.driver.CudaDriver;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/// A graph ready to be launched, any number of times. Used on the context's thread.
public final class CudaGraphExec implements AutoCloseable {
  private final CudaContext context;
  private final Handle handle;

  CudaGraphExec(CudaContext context, MemorySegment handle) {
    this.context = context;
    this.handle = new Handle(context, "graph", handle);
  }

  /// Queues all of the recorded work. Buffers that it names are read as they are when it runs.
  public void launch(CudaStream stream) {
    context.check(CudaDriver.cuGraphLaunch(handle(), stream.handle()), "cuGraphLaunch");
  }

  /// Prepares the device, so that the first launch is as fast as the others.
  public void upload(CudaStream stream) {
    context.check(CudaDriver.cuGraphUpload(handle(), stream.handle()), "cuGraphUpload");
  }

  /// Takes over the arguments of a graph with the same shape.
  ///
  /// @return false if the graph differs too much; then it has to be instantiated anew, and this one
  ///   is as before
  public boolean update(CudaGraph graph) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment info = CUgraphExecUpdateResultInfo_st.allocate(arena);
      int result = CudaDriver.cuGraphExecUpdate_v2(handle(), graph.handle(), info);
      if (result == CudaDriver.CUDA_ERROR_GRAPH_EXEC_UPDATE_FAILURE()) {
        return false;
      }
      context.check(result, "cuGraphExecUpdate_v2");
      return true;
    }
  }

  private MemorySegment handle() {
    return handle.get();
  }

  /// Frees the graph; its launches must be done.
  @Override
  public void close() {
    handle
        .release()
        .ifPresent(
            pointer -> context.check(CudaDriver.cuGraphExecDestroy(pointer), "cuGraphExecDestroy"));
  }
}
