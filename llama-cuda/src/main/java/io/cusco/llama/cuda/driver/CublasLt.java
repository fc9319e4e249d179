package io.cusco.llama.cuda.driver;

import static io.cusco.llama.cuda.bindings.cublaslt.CublasLt.CUBLAS_STATUS_INVALID_VALUE;
import static io.cusco.llama.cuda.bindings.cublaslt.CublasLt.CUBLAS_STATUS_NOT_SUPPORTED;
import static io.cusco.llama.cuda.bindings.cublaslt.CublasLt.cublasLtCreate;
import static io.cusco.llama.cuda.bindings.cublaslt.CublasLt.cublasLtDestroy;
import static io.cusco.llama.cuda.bindings.cublaslt.CublasLt.cublasLtGetVersion;
import static java.lang.foreign.ValueLayout.ADDRESS;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;

/// A cublasLt handle with one workspace: products with a bias, with FP8 inputs, and those of any
/// number of rows by one algorithm ([LtMatmul.Rows]). Descriptors and the chosen algorithm are kept
/// for every [LtMatmul] that it has seen. Used on the context's thread.
public final class CublasLt implements AutoCloseable {
  private final CudaContext context;
  private final DeviceBuffer workspace;
  private final Handle handle;
  private final Map<LtMatmul, LtPlan> plans = new HashMap<>();

  private CublasLt(CudaContext context, DeviceBuffer workspace, MemorySegment handle) {
    this.context = context;
    this.workspace = workspace;
    this.handle = new Handle(context, "cublasLt handle", handle);
  }

  /// @param workspace scratch memory, used by one stream at a time; outlives the handle
  public static CublasLt create(CudaContext context, DeviceBuffer workspace) {
    context.checkUsable();
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment pointer = arena.allocate(ADDRESS);
      Status.checkCublasLt(cublasLtCreate(pointer), "cublasLtCreate", context.label());
      return new CublasLt(context, workspace, pointer.get(ADDRESS, 0));
    }
  }

  /// 130101 for 13.1.1; needs no device.
  public static long version() {
    return cublasLtGetVersion();
  }

  /// Makes descriptors and chooses the algorithm, which takes milliseconds, before the first use.
  ///
  /// @throws CudaException if cublasLt cannot do this product on this device
  public void prepare(LtMatmul matmul, LtMatmul.Operands operands) {
    matmul.require(operands);
    plan(matmul, operands.scaleA(), operands.scaleB());
  }

  /// Why cublasLt cannot do a product of any number of rows here: what prepares it is kept if it
  /// can.
  ///
  /// @param scaleA,scaleB device addresses of scale factors, or 0 where there are none
  /// @return empty if it can
  public Optional<String> refusal(LtMatmul matmul, long scaleA, long scaleB) {
    matmul.requireAnyRows(0, 0, 0, scaleA, scaleB);
    try {
      plan(matmul, scaleA, scaleB);
      return Optional.empty();
    } catch (CudaException e) {
      // A version before 12.8 does not know the attribute that asks for scales per row.
      if (e.code() == CUBLAS_STATUS_NOT_SUPPORTED() || e.code() == CUBLAS_STATUS_INVALID_VALUE()) {
        return Optional.of(e.getMessage());
      }
      throw e;
    }
  }

  /// Queues one product.
  public void matmul(
      LtMatmul matmul, float alpha, LtMatmul.Operands operands, float beta, CudaStream stream) {
    matmul.require(operands);
    LtPlan plan = plan(matmul, operands.scaleA(), operands.scaleB());
    plan.run(handle.get(), alpha, operands, beta, stream, workspace);
  }

  /// Queues `c = a b + beta c` for `rows` rows, whatever the m of `matmul`, without scales.
  ///
  /// @param matmul of any number of rows ([LtMatmul.Rows])
  /// @param a,b,c device addresses of the matrices
  /// @throws IllegalArgumentException if `rows` are more than `matmul` is for
  public void matmul(
      LtMatmul matmul, int rows, long a, long b, float beta, long c, CudaStream stream) {
    scaledMatmul(matmul, rows, a, 0, b, 0, beta, c, stream);
  }

  /// The same with FP8 inputs and their scales.
  ///
  /// @param scaleA,scaleB device addresses of the scale factors that `matmul` declares, or 0
  public void scaledMatmul(
      LtMatmul matmul,
      int rows,
      long a,
      long scaleA,
      long b,
      long scaleB,
      float beta,
      long c,
      CudaStream stream) {
    matmul.requireAnyRows(a, b, c, scaleA, scaleB);
    matmul.requireRows(rows);
    LtPlan plan = plan(matmul, scaleA, scaleB);
    plan.setScales(scaleA, scaleB);
    plan.run(handle.get(), rows, a, b, beta, c, stream, workspace);
  }

  private LtPlan plan(LtMatmul matmul, long scaleA, long scaleB) {
    MemorySegment lt = handle.get();
    LtPlan plan = plans.get(matmul);
    if (plan == null) {
      plan = new LtPlan(context, lt, matmul, scaleA, scaleB, workspace.numBytes());
      plans.put(matmul, plan);
    }
    return plan;
  }

  @Override
  public void close() {
    handle
        .release()
        .ifPresent(pointer -> {
          plans.values().forEach(LtPlan::destroy);
          plans.clear();
          Status.checkCublasLt(cublasLtDestroy(pointer), "cublasLtDestroy", context.label());
        });
  }
}
