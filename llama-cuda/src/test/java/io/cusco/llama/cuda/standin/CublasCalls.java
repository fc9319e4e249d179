package io.cusco.llama.cuda.standin;

import static io.cusco.llama.cuda.standin.CublasStatus.CUBLAS_STATUS_INVALID_VALUE;
import static io.cusco.llama.cuda.standin.CublasStatus.CUBLAS_STATUS_NOT_SUPPORTED;

import io.cusco.llama.cuda.bindings.cublas.Cublas;
import java.lang.foreign.MemorySegment;

/// cuBLAS: products of bfloat16, float16 and float32 matrices with sums in float32.
final class CublasCalls {
  private static final int WORKSPACE_ALIGNMENT = 256;

  private final StandIn standIn;
  private final StatusTexts texts = new StatusTexts();

  CublasCalls(StandIn standIn) {
    this.standIn = standIn;
  }

  private CublasHandle handle(MemorySegment handle) {
    standIn.gpu().context();
    return standIn.gpu().handles().get(handle, CublasHandle.class);
  }

  int cublasCreate_v2(MemorySegment handle) {
    standIn.gpu().context();
    HostMemory.putPointer(handle, standIn.gpu().handles().register(new CublasHandle()));
    return 0;
  }

  int cublasDestroy_v2(MemorySegment handle) {
    handle(handle);
    standIn.gpu().handles().remove(handle, CublasHandle.class);
    return 0;
  }

  /// Gives up the caller's workspace, as the library does.
  int cublasSetStream_v2(MemorySegment handle, MemorySegment stream) {
    CublasHandle cublas = handle(handle);
    StreamCalls.stream(standIn.gpu(), stream);
    cublas.stream = stream;
    cublas.workspace = 0;
    cublas.workspaceBytes = 0;
    return 0;
  }

  int cublasSetWorkspace_v2(MemorySegment handle, MemorySegment workspace, long numBytes) {
    CublasHandle cublas = handle(handle);
    StandInFault.require(
        workspace.address() % WORKSPACE_ALIGNMENT == 0,
        CUBLAS_STATUS_INVALID_VALUE,
        "a workspace has to be aligned to %s bytes",
        WORKSPACE_ALIGNMENT);
    standIn.gpu().context().requireRange(workspace.address(), numBytes, true, "workspace");
    cublas.workspace = workspace.address();
    cublas.workspaceBytes = numBytes;
    return 0;
  }

  int cublasSetMathMode(MemorySegment handle, int mode) {
    CublasHandle cublas = handle(handle);
    int known =
        Cublas.CUBLAS_PEDANTIC_MATH()
            | Cublas.CUBLAS_TF32_TENSOR_OP_MATH()
            | Cublas.CUBLAS_MATH_DISALLOW_REDUCED_PRECISION_REDUCTION();
    StandInFault.require((mode & ~known) == 0, CUBLAS_STATUS_INVALID_VALUE, "math mode %s", mode);
    cublas.tensorFloat32 =
        (mode & ~Cublas.CUBLAS_MATH_DISALLOW_REDUCED_PRECISION_REDUCTION())
            == Cublas.CUBLAS_TF32_TENSOR_OP_MATH();
    return 0;
  }

  int cublasSetPointerMode_v2(MemorySegment handle, int mode) {
    handle(handle);
    StandInFault.require(
        mode == Cublas.CUBLAS_POINTER_MODE_HOST(),
        CUBLAS_STATUS_NOT_SUPPORTED,
        "alpha and beta on the device are not emulated");
    return 0;
  }

  int cublasSetAtomicsMode(MemorySegment handle, int mode) {
    handle(handle);
    StandInFault.require(
        mode == Cublas.CUBLAS_ATOMICS_ALLOWED() || mode == Cublas.CUBLAS_ATOMICS_NOT_ALLOWED(),
        CUBLAS_STATUS_INVALID_VALUE,
        "atomics mode %s",
        mode);
    return 0;
  }

  /// Needs no device, as in the library.
  int cublasGetVersion_v2(MemorySegment handle, MemorySegment version) {
    HostMemory.putInt(version, standIn.gpu().settings().cublasVersion());
    return 0;
  }

  int cublasGetProperty(int property, MemorySegment value) {
    HostMemory.putInt(value, standIn.gpu().settings().cublasProperty(property));
    return 0;
  }

  long cublasGetCudartVersion() {
    return standIn.gpu().settings().driverVersion();
  }

  MemorySegment cublasGetStatusName(int status) {
    return texts.name(status);
  }

  MemorySegment cublasGetStatusString(int status) {
    return texts.text(status);
  }

  int cublasGemmEx(
      MemorySegment handle,
      int transposeA,
      int transposeB,
      int m,
      int n,
      int k,
      MemorySegment alpha,
      MemorySegment a,
      int typeA,
      int lda,
      MemorySegment b,
      int typeB,
      int ldb,
      MemorySegment beta,
      MemorySegment c,
      int typeC,
      int ldc,
      int computeType,
      int algorithm) {
    CublasHandle cublas = handle(handle);
    GemmArguments arguments =
        GemmArguments.of(
            transposeA, transposeB, m, n, k, typeA, lda, typeB, ldb, typeC, ldc, computeType);
    submit(cublas, arguments.product(cublas, a.address(), b.address(), c.address(), alpha, beta));
    return 0;
  }

  int cublasGemmStridedBatchedEx(
      MemorySegment handle,
      int transposeA,
      int transposeB,
      int m,
      int n,
      int k,
      MemorySegment alpha,
      MemorySegment a,
      int typeA,
      int lda,
      long strideA,
      MemorySegment b,
      int typeB,
      int ldb,
      long strideB,
      MemorySegment beta,
      MemorySegment c,
      int typeC,
      int ldc,
      long strideC,
      int batchCount,
      int computeType,
      int algorithm) {
    CublasHandle cublas = handle(handle);
    GemmArguments arguments =
        GemmArguments.of(
            transposeA, transposeB, m, n, k, typeA, lda, typeB, ldb, typeC, ldc, computeType);
    requireBatch(batchCount);
    requireApart(batchCount, strideC, m, n, ldc);
    MatrixProduct first =
        arguments.product(cublas, a.address(), b.address(), c.address(), alpha, beta);
    for (int i = 0; i < batchCount; i++) {
      submit(cublas, first.shifted(i * strideA, i * strideB, i * strideC, i * strideC));
    }
    return 0;
  }

  /// The arrays of pointers lie on the device and are read when the stream gets there.
  int cublasGemmBatchedEx(
      MemorySegment handle,
      int transposeA,
      int transposeB,
      int m,
      int n,
      int k,
      MemorySegment alpha,
      MemorySegment a,
      int typeA,
      int lda,
      MemorySegment b,
      int typeB,
      int ldb,
      MemorySegment beta,
      MemorySegment c,
      int typeC,
      int ldc,
      int batchCount,
      int computeType,
      int algorithm) {
    CublasHandle cublas = handle(handle);
    GemmArguments arguments =
        GemmArguments.of(
            transposeA, transposeB, m, n, k, typeA, lda, typeB, ldb, typeC, ldc, computeType);
    requireBatch(batchCount);
    SimulatedContext context = standIn.gpu().context();
    float scale = HostMemory.getFloat(alpha, "alpha");
    float keep = HostMemory.getFloat(beta, "beta");
    Runnable action =
        () -> {
          for (int i = 0; i < batchCount; i++) {
            arguments
                .product(
                    cublas.tensorFloat32,
                    pointer(context, a, i, "Aarray"),
                    pointer(context, b, i, "Barray"),
                    pointer(context, c, i, "Carray"),
                    scale,
                    keep)
                .run(context.memory());
          }
        };
    submit(cublas, "batch of " + batchCount + " GEMMs", action);
    return 0;
  }

  private static long pointer(
      SimulatedContext context, MemorySegment array, int index, String what) {
    return context.memory().range(array.address() + 8L * index, 8, false, what).getLong(0);
  }

  private static void requireBatch(int batchCount) {
    StandInFault.require(
        batchCount >= 0, CUBLAS_STATUS_INVALID_VALUE, "a batch of %s products", batchCount);
  }

  /// Results may follow each other or, as the heads of a token do, lie side by side between two
  /// columns.
  private static void requireApart(int batchCount, long stride, int m, int n, int ldc) {
    boolean behind = stride >= (n - 1L) * ldc + m;
    boolean beside = stride >= m && (batchCount - 1) * stride + m <= ldc;
    StandInFault.require(
        batchCount <= 1 || behind || beside,
        CUBLAS_STATUS_INVALID_VALUE,
        "%s results of %s x %s, leading dimension %s, %s elements apart: they overlap",
        batchCount,
        m,
        n,
        ldc,
        stride);
  }

  private void submit(CublasHandle cublas, MatrixProduct product) {
    SimulatedContext context = standIn.gpu().context();
    submit(cublas, product.toString(), () -> product.run(context.memory()));
  }

  private void submit(CublasHandle cublas, String what, Runnable action) {
    SimulatedContext context = standIn.gpu().context();
    SimulatedStream stream = StreamCalls.stream(standIn.gpu(), cublas.stream);
    StandInFault.require(
        stream.capture == null || cublas.workspace != 0,
        CUBLAS_STATUS_NOT_SUPPORTED,
        "%s is captured without a workspace, so cuBLAS would add a memory node, which is not emulated:"
            + " call cublasSetWorkspace after cublasSetStream",
        what);
    long workspace = cublas.workspace;
    long workspaceBytes = cublas.workspaceBytes;
    Runnable withScratch =
        () -> {
          Workspace.scribble(context.memory(), workspace, workspaceBytes);
          action.run();
        };
    context
        .queues()
        .submit(
            stream, new Work(Work.Kind.KERNEL, what, () -> context.onDevice(what, withScratch)));
  }
}
