package io.cusco.llama.cuda.driver;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import io.cusco.llama.cuda.bindings.cublaslt.CublasLt;
import io.cusco.llama.cuda.bindings.cublaslt.cublasLtMatmulHeuristicResult_t;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/// Descriptors and the chosen algorithm of one [LtMatmul]. The matrices are handed over exchanged
/// (see [Gemm]): cublasLt's A is our B.
final class LtPlan {
  /// The first may not run with every number of rows.
  private static final int MAX_OFFERS = 8;

  private static final long OFFER_BYTES = cublasLtMatmulHeuristicResult_t.sizeof();

  private final LtMatmul matmul;
  private final CudaContext context;

  /// For the structures that are kept; freed with this object.
  private final Arena arena = Arena.ofAuto();

  private final MemorySegment slot = arena.allocate(JAVA_LONG);
  private final MemorySegment alpha = arena.allocate(JAVA_FLOAT);
  private final MemorySegment beta = arena.allocate(JAVA_FLOAT);
  private final DevicePointers pointers = new DevicePointers();
  private MemorySegment algorithm = MemorySegment.NULL;
  private MemorySegment description = MemorySegment.NULL;
  private MemorySegment layoutA = MemorySegment.NULL;
  private MemorySegment layoutB = MemorySegment.NULL;
  private MemorySegment layoutC = MemorySegment.NULL;
  private long bias;
  private long scaleA;
  private long scaleB;
  private int rows;

  /// Makes the descriptors and asks for the best algorithm.
  ///
  /// @param scaleA,scaleB any addresses of scales, or 0: some algorithms want to see them
  LtPlan(
      CudaContext context,
      MemorySegment handle,
      LtMatmul matmul,
      long scaleA,
      long scaleB,
      long workspaceBytes) {
    this.context = context;
    this.matmul = matmul;
    rows = matmul.gemm().m();
    try {
      describe();
      setScales(scaleA, scaleB);
      chooseAlgorithm(handle, workspaceBytes);
    } catch (RuntimeException e) {
      destroy();
      throw e;
    }
  }

  private void describe() {
    Gemm gemm = matmul.gemm();
    MemorySegment pointer = arena.allocate(ADDRESS);
    check(
        CublasLt.cublasLtMatmulDescCreate(pointer, gemm.computeType(), CublasLt.CUDA_R_32F()),
        "cublasLtMatmulDescCreate");
    description = pointer.get(ADDRESS, 0);
    setInt(
        CublasLt.CUBLASLT_MATMUL_DESC_TRANSA(),
        gemm.transposeB() ? CublasLt.CUBLAS_OP_T() : CublasLt.CUBLAS_OP_N());
    setInt(
        CublasLt.CUBLASLT_MATMUL_DESC_TRANSB(),
        gemm.transposeA() ? CublasLt.CUBLAS_OP_T() : CublasLt.CUBLAS_OP_N());
    if (matmul.bias()) {
      setInt(CublasLt.CUBLASLT_MATMUL_DESC_EPILOGUE(), CublasLt.CUBLASLT_EPILOGUE_BIAS());
    }
    if (matmul.scaling() == LtMatmul.Scaling.PER_ROW) {
      int mode = CublasLt.CUBLASLT_MATMUL_MATRIX_SCALE_OUTER_VEC_32F();
      setInt(CublasLt.CUBLASLT_MATMUL_DESC_A_SCALE_MODE(), mode);
      setInt(CublasLt.CUBLASLT_MATMUL_DESC_B_SCALE_MODE(), mode);
    }
    int input = gemm.inputType().code();
    layoutA =
        gemm.transposeB()
            ? layout(input, gemm.k(), gemm.n(), gemm.strideB())
            : layout(input, gemm.n(), gemm.k(), gemm.strideB());
    layoutB =
        gemm.transposeA()
            ? layout(input, gemm.m(), gemm.k(), gemm.strideA())
            : layout(input, gemm.k(), gemm.m(), gemm.strideA());
    layoutC = layout(gemm.outputType().code(), gemm.n(), gemm.m(), gemm.strideC());
  }

  private MemorySegment layout(int type, long rows, long columns, long columnStride) {
    MemorySegment pointer = arena.allocate(ADDRESS);
    check(
        CublasLt.cublasLtMatrixLayoutCreate(pointer, type, rows, columns, columnStride),
        "cublasLtMatrixLayoutCreate");
    return pointer.get(ADDRESS, 0);
  }

  private void chooseAlgorithm(MemorySegment handle, long workspaceBytes) {
    // Without a workspace, blocks that share an element have nowhere to meet.
    long workspace = inOnePiece() ? 0 : workspaceBytes;
    MemorySegment offered = offers(handle, workspace);
    for (long i = 0; i * OFFER_BYTES < offered.byteSize(); i++) {
      MemorySegment offer = cublasLtMatmulHeuristicResult_t.asSlice(offered, i);
      if (cublasLtMatmulHeuristicResult_t.state(offer) == CublasLt.CUBLAS_STATUS_SUCCESS()
          && servesItsRows(handle, cublasLtMatmulHeuristicResult_t.algo(offer), workspace)) {
        algorithm = cublasLtMatmulHeuristicResult_t.algo(offer);
        return;
      }
    }
    throw new CudaException(
        "cublasLtMatmulAlgoGetHeuristic",
        CublasLt.CUBLAS_STATUS_NOT_SUPPORTED(),
        "cublasLt has no algorithm on %s, compute capability %d.%d, for %s"
            .formatted(
                context.label(),
                context.device().computeMajor(),
                context.device().computeMinor(),
                matmul));
  }

  /// Algorithms, the best first; there may be none.
  private MemorySegment offers(MemorySegment handle, long workspace) {
    MemorySegment offered = cublasLtMatmulHeuristicResult_t.allocateArray(MAX_OFFERS, arena);
    MemorySegment preference = preference(workspace);
    try {
      MemorySegment count = arena.allocate(JAVA_INT);
      int status =
          CublasLt.cublasLtMatmulAlgoGetHeuristic(
              handle,
              description,
              layoutA,
              layoutB,
              layoutC,
              layoutC,
              preference,
              MAX_OFFERS,
              offered,
              count);
      if (status == CublasLt.CUBLAS_STATUS_NOT_SUPPORTED()) {
        return MemorySegment.NULL;
      }
      check(status, "cublasLtMatmulAlgoGetHeuristic");
      return offered.asSlice(0, count.get(JAVA_INT, 0) * OFFER_BYTES);
    } finally {
      CublasLt.cublasLtMatmulPreferenceDestroy(preference);
    }
  }

  private MemorySegment preference(long workspace) {
    MemorySegment pointer = arena.allocate(ADDRESS);
    check(CublasLt.cublasLtMatmulPreferenceCreate(pointer), "cublasLtMatmulPreferenceCreate");
    MemorySegment preference = pointer.get(ADDRESS, 0);
    try {
      slot.set(JAVA_LONG, 0, workspace);
      prefer(preference, CublasLt.CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES(), Long.BYTES);
      if (inOnePiece()) {
        slot.set(JAVA_INT, 0, CublasLt.CUBLASLT_REDUCTION_SCHEME_NONE());
        prefer(preference, CublasLt.CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK(), Integer.BYTES);
      }
      slot.set(JAVA_INT, 0, LtMatmul.ALIGNMENT);
      prefer(preference, CublasLt.CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES(), Integer.BYTES);
      prefer(preference, CublasLt.CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES(), Integer.BYTES);
      slot.set(JAVA_INT, 0, matmul.alignment());
      prefer(preference, CublasLt.CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES(), Integer.BYTES);
      prefer(preference, CublasLt.CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES(), Integer.BYTES);
      return preference;
    } catch (RuntimeException e) {
      CublasLt.cublasLtMatmulPreferenceDestroy(preference);
      throw e;
    }
  }

  /// Whether an algorithm that was chosen for m rows runs with all others, too: cublasLt does not
  /// promise it, but can be asked.
  private boolean servesItsRows(MemorySegment handle, MemorySegment candidate, long workspace) {
    MemorySegment answer = cublasLtMatmulHeuristicResult_t.allocate(arena);
    try {
      for (int number : matmul.rowsToAskFor()) {
        setRows(number);
        int status =
            CublasLt.cublasLtMatmulAlgoCheck(
                handle, description, layoutA, layoutB, layoutC, layoutC, candidate, answer);
        if (status != CublasLt.CUBLAS_STATUS_SUCCESS()
            || cublasLtMatmulHeuristicResult_t.workspaceSize(answer) > workspace) {
          return false;
        }
      }
      return true;
    } finally {
      setRows(matmul.gemm().m());
    }
  }

  private boolean inOnePiece() {
    return matmul.rows() == LtMatmul.Rows.ANY_WITH_SAME_RESULTS;
  }

  private void prefer(MemorySegment preference, int attribute, long numBytes) {
    check(
        CublasLt.cublasLtMatmulPreferenceSetAttribute(preference, attribute, slot, numBytes),
        "cublasLtMatmulPreferenceSetAttribute");
  }

  void run(
      MemorySegment handle,
      float alphaValue,
      LtMatmul.Operands operands,
      float betaValue,
      CudaStream stream,
      DeviceBuffer workspace) {
    if (operands.bias() != bias) {
      setPointer(CublasLt.CUBLASLT_MATMUL_DESC_BIAS_POINTER(), operands.bias());
      bias = operands.bias();
    }
    setScales(operands.scaleA(), operands.scaleB());
    alpha.set(JAVA_FLOAT, 0, alphaValue);
    beta.set(JAVA_FLOAT, 0, betaValue);
    multiply(handle, operands.a(), operands.b(), operands.c(), workspace, stream);
  }

  /// Any number of rows; see [LtMatmul.Rows].
  void run(
      MemorySegment handle,
      int numRows,
      long a,
      long b,
      float betaValue,
      long c,
      CudaStream stream,
      DeviceBuffer workspace) {
    setRows(numRows);
    alpha.set(JAVA_FLOAT, 0, 1);
    beta.set(JAVA_FLOAT, 0, betaValue);
    multiply(handle, a, b, c, workspace, stream);
  }

  private void setRows(int numRows) {
    if (numRows != rows) {
      // The rows of A and C are columns to cublasLt.
      slot.set(JAVA_LONG, 0, numRows);
      setColumns(layoutB);
      setColumns(layoutC);
      rows = numRows;
    }
  }

  private void setColumns(MemorySegment layout) {
    check(
        CublasLt.cublasLtMatrixLayoutSetAttribute(
            layout, CublasLt.CUBLASLT_MATRIX_LAYOUT_COLS(), slot, Long.BYTES),
        "cublasLtMatrixLayoutSetAttribute");
  }

  private void multiply(
      MemorySegment handle, long a, long b, long c, DeviceBuffer workspace, CudaStream stream) {
    MemorySegment result = pointers.of(c);
    boolean scratch = !inOnePiece();
    check(
        CublasLt.cublasLtMatmul(
            handle,
            description,
            alpha,
            pointers.of(b),
            layoutA,
            pointers.of(a),
            layoutB,
            beta,
            result,
            layoutC,
            result,
            layoutC,
            algorithm,
            scratch ? pointers.of(workspace.address()) : MemorySegment.NULL,
            scratch ? workspace.numBytes() : 0,
            stream.handle()),
        "cublasLtMatmul");
  }

  /// The descriptor holds the addresses; they are set when they change.
  void setScales(long newScaleA, long newScaleB) {
    if (newScaleB != scaleB) {
      setPointer(CublasLt.CUBLASLT_MATMUL_DESC_A_SCALE_POINTER(), newScaleB);
      scaleB = newScaleB;
    }
    if (newScaleA != scaleA) {
      setPointer(CublasLt.CUBLASLT_MATMUL_DESC_B_SCALE_POINTER(), newScaleA);
      scaleA = newScaleA;
    }
  }

  private void setPointer(int attribute, long address) {
    slot.set(JAVA_LONG, 0, address);
    set(attribute, Long.BYTES);
  }

  private void setInt(int attribute, int value) {
    slot.set(JAVA_INT, 0, value);
    set(attribute, Integer.BYTES);
  }

  private void set(int attribute, long numBytes) {
    check(
        CublasLt.cublasLtMatmulDescSetAttribute(description, attribute, slot, numBytes),
        "cublasLtMatmulDescSetAttribute");
  }

  private void check(int status, String call) {
    Status.checkCublasLt(status, call, context.label());
  }

  /// Frees the descriptors; failures are of no use to anybody any more.
  void destroy() {
    for (MemorySegment layout : new MemorySegment[] {layoutA, layoutB, layoutC}) {
      if (!layout.equals(MemorySegment.NULL)) {
        CublasLt.cublasLtMatrixLayoutDestroy(layout);
      }
    }
    if (!description.equals(MemorySegment.NULL)) {
      CublasLt.cublasLtMatmulDescDestroy(description);
    }
  }
}
