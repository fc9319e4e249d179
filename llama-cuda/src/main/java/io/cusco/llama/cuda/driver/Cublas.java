package io.cusco.llama.cuda.driver;

import static io.cusco.llama.cuda.bindings.cublas.Cublas.CUBLAS_GEMM_DEFAULT;
import static io.cusco.llama.cuda.bindings.cublas.Cublas.CUBLAS_MATH_DISALLOW_REDUCED_PRECISION_REDUCTION;
import static io.cusco.llama.cuda.bindings.cublas.Cublas.CUBLAS_OP_N;
import static io.cusco.llama.cuda.bindings.cublas.Cublas.CUBLAS_OP_T;
import static io.cusco.llama.cuda.bindings.cublas.Cublas.cublasCreate_v2;
import static io.cusco.llama.cuda.bindings.cublas.Cublas.cublasDestroy_v2;
import static io.cusco.llama.cuda.bindings.cublas.Cublas.cublasGemmEx;
import static io.cusco.llama.cuda.bindings.cublas.Cublas.cublasGemmStridedBatchedEx;
import static io.cusco.llama.cuda.bindings.cublas.Cublas.cublasGetProperty;
import static io.cusco.llama.cuda.bindings.cublas.Cublas.cublasSetMathMode;
import static io.cusco.llama.cuda.bindings.cublas.Cublas.cublasSetStream_v2;
import static io.cusco.llama.cuda.bindings.cublas.Cublas.cublasSetWorkspace_v2;
import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_INT;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/// A cuBLAS handle for one stream. Used on the context's thread.
///
/// Partial sums of a product that is split along k are added in float32, also for shorter outputs.
public final class Cublas implements AutoCloseable {
  private final CudaContext context;
  private final CudaStream stream;
  private final DeviceBuffer workspace;
  private final Handle handle;

  // Read by the library during the call.
  private final MemorySegment alpha = Arena.ofAuto().allocate(JAVA_FLOAT);
  private final MemorySegment beta = Arena.ofAuto().allocate(JAVA_FLOAT);
  private final DevicePointers pointers = new DevicePointers();

  private Cublas(
      CudaContext context, CudaStream stream, DeviceBuffer workspace, MemorySegment handle) {
    this.context = context;
    this.stream = stream;
    this.workspace = workspace;
    this.handle = new Handle(context, "cuBLAS handle", handle);
  }

  /// @param workspace scratch memory for this handle alone; outlives it. Without one of its own,
  ///   cuBLAS would allocate, which a stream that is captured does not allow. NVIDIA advises 32 MiB
  ///   on compute capability 9.0 and above, 4 MiB before
  public static Cublas create(CudaStream stream, DeviceBuffer workspace) {
    CudaContext context = stream.context();
    context.checkUsable();
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment pointer = arena.allocate(ADDRESS);
      check(context, cublasCreate_v2(pointer), "cublasCreate_v2");
      Cublas cublas = new Cublas(context, stream, workspace, pointer.get(ADDRESS, 0));
      try {
        cublas.configure();
      } catch (RuntimeException e) {
        cublas.close();
        throw e;
      }
      return cublas;
    }
  }

  private void configure() {
    MemorySegment cublas = handle.get();
    check(context, cublasSetStream_v2(cublas, stream.handle()), "cublasSetStream_v2");
    // After the stream, because setting the stream takes the workspace away again.
    check(
        context,
        cublasSetWorkspace_v2(
            cublas, MemorySegment.ofAddress(workspace.address()), workspace.numBytes()),
        "cublasSetWorkspace_v2");
    check(
        context,
        cublasSetMathMode(cublas, CUBLAS_MATH_DISALLOW_REDUCED_PRECISION_REDUCTION()),
        "cublasSetMathMode");
  }

  /// "13.1.1"; needs no device.
  public static String version() {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment value = arena.allocate(JAVA_INT);
      int[] parts = new int[3];
      for (int i = 0; i < parts.length; i++) {
        // libraryPropertyType: MAJOR_VERSION, MINOR_VERSION, PATCH_LEVEL are 0, 1, 2.
        Status.checkCublas(cublasGetProperty(i, value), "cublasGetProperty", "");
        parts[i] = value.get(JAVA_INT, 0);
      }
      return "%d.%d.%d".formatted(parts[0], parts[1], parts[2]);
    }
  }

  /// Queues one product.
  ///
  /// @param a,b,c device addresses of the matrices
  public void gemm(Gemm gemm, float alpha, long a, long b, float beta, long c) {
    MemorySegment cublas = handle.get();
    this.alpha.set(JAVA_FLOAT, 0, alpha);
    this.beta.set(JAVA_FLOAT, 0, beta);
    int status =
        cublasGemmEx(
            cublas,
            gemm.transposeB() ? CUBLAS_OP_T() : CUBLAS_OP_N(),
            gemm.transposeA() ? CUBLAS_OP_T() : CUBLAS_OP_N(),
            gemm.n(),
            gemm.m(),
            gemm.k(),
            this.alpha,
            pointers.of(b),
            gemm.inputType().code(),
            gemm.strideB(),
            pointers.of(a),
            gemm.inputType().code(),
            gemm.strideA(),
            this.beta,
            pointers.of(c),
            gemm.outputType().code(),
            gemm.strideC(),
            gemm.computeType(),
            CUBLAS_GEMM_DEFAULT());
    check(context, status, "cublasGemmEx");
  }

  /// How the matrices of a batch follow each other.
  ///
  /// @param a,b,c elements from one matrix to the next; 0 uses the same matrix every time
  public record Batch(int count, long a, long b, long c) {
    public Batch {
      if (count <= 0 || a < 0 || b < 0 || c < 0) {
        throw new IllegalArgumentException(
            "no batch has %d products, %d, %d and %d elements apart".formatted(count, a, b, c));
      }
    }
  }

  /// Queues `batch.count()` products of the same shape.
  public void gemmStridedBatched(
      Gemm gemm, Batch batch, float alpha, long a, long b, float beta, long c) {
    MemorySegment cublas = handle.get();
    this.alpha.set(JAVA_FLOAT, 0, alpha);
    this.beta.set(JAVA_FLOAT, 0, beta);
    int status =
        cublasGemmStridedBatchedEx(
            cublas,
            gemm.transposeB() ? CUBLAS_OP_T() : CUBLAS_OP_N(),
            gemm.transposeA() ? CUBLAS_OP_T() : CUBLAS_OP_N(),
            gemm.n(),
            gemm.m(),
            gemm.k(),
            this.alpha,
            pointers.of(b),
            gemm.inputType().code(),
            gemm.strideB(),
            batch.b(),
            pointers.of(a),
            gemm.inputType().code(),
            gemm.strideA(),
            batch.a(),
            this.beta,
            pointers.of(c),
            gemm.outputType().code(),
            gemm.strideC(),
            batch.c(),
            batch.count(),
            gemm.computeType(),
            CUBLAS_GEMM_DEFAULT());
    check(context, status, "cublasGemmStridedBatchedEx");
  }

  private static void check(CudaContext context, int status, String call) {
    Status.checkCublas(status, call, context.label());
  }

  @Override
  public void close() {
    handle
        .release()
        .ifPresent(pointer -> check(context, cublasDestroy_v2(pointer), "cublasDestroy_v2"));
  }
}
