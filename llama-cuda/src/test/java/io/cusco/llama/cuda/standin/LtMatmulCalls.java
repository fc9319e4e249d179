package io.cusco.llama.cuda.standin;

import static io.cusco.llama.cuda.standin.CublasStatus.CUBLAS_STATUS_INVALID_VALUE;

import io.cusco.llama.cuda.bindings.cublaslt.cublasLtMatmulAlgo_t;
import io.cusco.llama.cuda.bindings.cublaslt.cublasLtMatmulHeuristicResult_t;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/// cublasLt on a device: the choice of an algorithm, of which there are two, and the product. The
/// first runs with the number of columns that it was asked for only, as one of cublasLt's may: who
/// means to use it with others has to ask.
final class LtMatmulCalls {
  /// Marks an algorithm that the heuristic below has filled in; the columns of D that it serves
  /// follow, or [#ANY].
  private static final long ALGORITHM = 0x6375_7363_6f00_0001L;

  private static final int ANY = 0;

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
    int columns = product(descriptor, a, b, c, d).d().columns();
    int offers = Math.min(requestedCount, 2);
    long size = cublasLtMatmulHeuristicResult_t.sizeof();
    MemorySegment all = HostMemory.at(results, size * requestedCount, "heuristicResultsArray");
    all.fill((byte) 0);
    for (int i = 0; i < offers; i++) {
      MemorySegment result = all.asSlice(i * size, size);
      MemorySegment algorithm = cublasLtMatmulHeuristicResult_t.algo(result);
      algorithm.set(ValueLayout.JAVA_LONG, 0, ALGORITHM);
      algorithm.set(ValueLayout.JAVA_LONG, Long.BYTES, i == 0 ? columns : ANY);
      cublasLtMatmulHeuristicResult_t.wavesCount(result, 1);
    }
    HostMemory.putInt(returnedCount, offers);
    return 0;
  }

  int cublasLtMatmulAlgoCheck(
      MemorySegment handle,
      MemorySegment descriptor,
      MemorySegment a,
      MemorySegment b,
      MemorySegment c,
      MemorySegment d,
      MemorySegment algorithm,
      MemorySegment result) {
    requireHandle(handle);
    LtProduct product = product(descriptor, a, b, c, d);
    MemorySegment answer =
        HostMemory.at(result, cublasLtMatmulHeuristicResult_t.sizeof(), "result");
    answer.fill((byte) 0);
    if (!serves(algorithm, product)) {
      return CublasStatus.CUBLAS_STATUS_NOT_SUPPORTED.code();
    }
    cublasLtMatmulHeuristicResult_t.algo(answer).copyFrom(chosen(algorithm));
    return 0;
  }

  private static MemorySegment chosen(MemorySegment algorithm) {
    MemorySegment chosen = HostMemory.at(algorithm, cublasLtMatmulAlgo_t.sizeof(), "algo");
    StandInFault.require(
        chosen.get(ValueLayout.JAVA_LONG_UNALIGNED, 0) == ALGORITHM,
        CUBLAS_STATUS_INVALID_VALUE,
        "algo was not filled in by cublasLtMatmulAlgoGetHeuristic");
    return chosen;
  }

  private static boolean serves(MemorySegment algorithm, LtProduct product) {
    long columns = chosen(algorithm).get(ValueLayout.JAVA_LONG_UNALIGNED, Long.BYTES);
    return columns == ANY || columns == product.d().columns();
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
    if (workspaceBytes > 0) {
      context.requireRange(workspace.address(), workspaceBytes, true, "workspace");
    }
    LtProduct product = product(descriptor, layoutA, layoutB, layoutC, layoutD);
    StandInFault.require(
        algorithm.address() == 0 || serves(algorithm, product),
        CUBLAS_STATUS_INVALID_VALUE,
        "algo was chosen for other columns than the %s of D",
        product.d().columns());
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
