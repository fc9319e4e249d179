package io.cusco.llama.cuda.standin;

import static io.cusco.llama.cuda.standin.CublasStatus.CUBLAS_STATUS_INVALID_VALUE;

import io.cusco.llama.cuda.bindings.cublaslt.cublasLtMatmulAlgo_t;
import io.cusco.llama.cuda.bindings.cublaslt.cublasLtMatmulHeuristicResult_t;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/// cublasLt on a device: the choice of an algorithm, of which there is one, and the product.
final class LtMatmulCalls {
  /// Marks an algorithm that the heuristic below has filled in.
  private static final long ALGORITHM = 0x6375_7363_6f00_0001L;

  private final StandIn standIn;

  LtMatmulCalls(StandIn standIn) {
    this.standIn = standIn;
  }

  private void requireHandle(MemorySegment handle) {
    standIn.gpu().context();
    standIn.gpu().handles().get(handle, LtHandle.class);
  }

  int cublasLtCreate(MemorySegment handle) {
    standIn.gpu().context();
    HostMemory.putPointer(handle, standIn.gpu().handles().register(new LtHandle()));
    return 0;
  }

  int cublasLtDestroy(MemorySegment handle) {
    requireHandle(handle);
    standIn.gpu().handles().remove(handle, LtHandle.class);
    return 0;
  }

  private LtProduct product(
      MemorySegment descriptor,
      MemorySegment a,
      MemorySegment b,
      MemorySegment c,
      MemorySegment d) {
    Handles handles = standIn.gpu().handles();
    LtProduct product =
        new LtProduct(
            handles.get(descriptor, LtDescriptor.class),
            handles.get(a, LtLayout.class),
            handles.get(b, LtLayout.class),
            handles.get(c, LtLayout.class),
            handles.get(d, LtLayout.class));
    product.check(standIn.gpu().settings());
    return product;
  }

  int cublasLtMatmulAlgoGetHeuristic(
      MemorySegment handle,
      MemorySegment descriptor,
      MemorySegment a,
      MemorySegment b,
      MemorySegment c,
      MemorySegment d,
      MemorySegment preference,
      int requestedCount,
      MemorySegment results,
      MemorySegment returnedCount) {
    requireHandle(handle);
    standIn.gpu().handles().get(preference, LtPreference.class);
    StandInFault.require(
        requestedCount > 0, CUBLAS_STATUS_INVALID_VALUE, "%s algorithms requested", requestedCount);
    HostMemory.putInt(returnedCount, 0);
    product(descriptor, a, b, c, d);
    MemorySegment result =
        HostMemory.at(results, cublasLtMatmulHeuristicResult_t.sizeof(), "heuristicResultsArray");
    result.fill((byte) 0);
    cublasLtMatmulHeuristicResult_t.algo(result).set(ValueLayout.JAVA_LONG, 0, ALGORITHM);
    cublasLtMatmulHeuristicResult_t.wavesCount(result, 1);
    HostMemory.putInt(returnedCount, 1);
    return 0;
  }

  /// @param algorithm NULL or one from the heuristic
  int cublasLtMatmul(
      MemorySegment handle,
      MemorySegment descriptor,
      MemorySegment alpha,
      MemorySegment a,
      MemorySegment layoutA,
      MemorySegment b,
      MemorySegment layoutB,
      MemorySegment beta,
      MemorySegment c,
      MemorySegment layoutC,
      MemorySegment d,
      MemorySegment layoutD,
      MemorySegment algorithm,
      MemorySegment workspace,
      long workspaceBytes,
      MemorySegment stream) {
    requireHandle(handle);
    SimulatedContext context = standIn.gpu().context();
    SimulatedStream target = StreamCalls.stream(standIn.gpu(), stream);
    if (algorithm.address() != 0) {
      MemorySegment chosen = HostMemory.at(algorithm, cublasLtMatmulAlgo_t.sizeof(), "algo");
      StandInFault.require(
          chosen.get(ValueLayout.JAVA_LONG_UNALIGNED, 0) == ALGORITHM,
          CUBLAS_STATUS_INVALID_VALUE,
          "algo was not filled in by cublasLtMatmulAlgoGetHeuristic");
    }
    if (workspaceBytes > 0) {
      context.requireRange(workspace.address(), workspaceBytes, true, "workspace");
    }
    LtProduct product = product(descriptor, layoutA, layoutB, layoutC, layoutD);
    float keep = HostMemory.getFloat(beta, "beta");
    // Nothing reads C where beta is zero, and it may be NULL.
    long old = keep == 0 ? d.address() : c.address();
    LtProduct.Operands operands =
        new LtProduct.Operands(
            a.address(), b.address(), old, d.address(), HostMemory.getFloat(alpha, "alpha"), keep);
    for (int i = 0; i < product.batchCount(); i++) {
      MatrixProduct one = product.of(operands, i);
      String what = "cublasLtMatmul, " + one;
      Runnable action =
          () -> {
            Workspace.scribble(context.memory(), workspace.address(), workspaceBytes);
            one.run(context.memory());
          };
      context
          .queues()
          .submit(target, new Work(Work.Kind.KERNEL, what, () -> context.onDevice(what, action)));
    }
    return 0;
  }
}
