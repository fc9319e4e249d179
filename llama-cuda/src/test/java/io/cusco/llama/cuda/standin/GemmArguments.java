package io.cusco.llama.cuda.standin;

import static io.cusco.llama.cuda.standin.CublasStatus.CUBLAS_STATUS_INVALID_VALUE;
import static io.cusco.llama.cuda.standin.CublasStatus.CUBLAS_STATUS_NOT_SUPPORTED;

import io.cusco.llama.cuda.bindings.cublas.Cublas;
import java.lang.foreign.MemorySegment;

/// What the three cublasGemm...Ex calls have in common, checked as cuBLAS checks it (cuBLAS
/// documentation, "cublasGemmEx": parameters and the table of supported types).
record GemmArguments(
    boolean transposeA,
    boolean transposeB,
    int m,
    int n,
    int k,
    ElementFormat inputs,
    int lda,
    int ldb,
    ElementFormat outputs,
    int ldc,
    boolean tensorFloat32) {

  static GemmArguments of(
      int transposeA,
      int transposeB,
      int m,
      int n,
      int k,
      int typeA,
      int lda,
      int typeB,
      int ldb,
      int typeC,
      int ldc,
      int computeType) {
    StandInFault.require(
        m >= 0 && n >= 0 && k >= 0, CUBLAS_STATUS_INVALID_VALUE, "m %s, n %s, k %s", m, n, k);
    ElementFormat inputs = ElementFormat.of(typeA);
    ElementFormat outputs = ElementFormat.of(typeC);
    StandInFault.require(
        typeA == typeB && !inputs.isFp8() && (outputs == inputs || outputs == ElementFormat.F32),
        CUBLAS_STATUS_NOT_SUPPORTED,
        "cublasGemmEx has no product of types %s and %s with result %s",
        typeA,
        typeB,
        typeC);
    return new GemmArguments(
        isTransposed(transposeA),
        isTransposed(transposeB),
        m,
        n,
        k,
        inputs,
        lda,
        ldb,
        outputs,
        ldc,
        isTensorFloat32(computeType, inputs));
  }

  static boolean isTransposed(int operation) {
    StandInFault.require(
        operation == Cublas.CUBLAS_OP_N() || operation == Cublas.CUBLAS_OP_T(),
        CUBLAS_STATUS_INVALID_VALUE,
        "operation %s",
        operation);
    return operation == Cublas.CUBLAS_OP_T();
  }

  /// Whether the compute type rounds float32 inputs.
  static boolean isTensorFloat32(int computeType, ElementFormat inputs) {
    boolean tensorFloat32 = computeType == Cublas.CUBLAS_COMPUTE_32F_FAST_TF32();
    StandInFault.require(
        computeType == Cublas.CUBLAS_COMPUTE_32F()
            || computeType == Cublas.CUBLAS_COMPUTE_32F_PEDANTIC()
            || (tensorFloat32 && inputs == ElementFormat.F32),
        CUBLAS_STATUS_NOT_SUPPORTED,
        "compute type %s is not emulated for %s inputs",
        computeType,
        inputs);
    return tensorFloat32;
  }

  /// The product for these operands; alpha and beta are read now.
  MatrixProduct product(
      CublasHandle handle, long a, long b, long c, MemorySegment alpha, MemorySegment beta) {
    return product(
        handle.tensorFloat32,
        a,
        b,
        c,
        HostMemory.getFloat(alpha, "alpha"),
        HostMemory.getFloat(beta, "beta"));
  }

  MatrixProduct product(
      boolean tensorFloat32Mode, long a, long b, long c, float alpha, float beta) {
    DeviceMatrix left =
        transposeA
            ? new DeviceMatrix("A", a, inputs, k, m, lda)
            : new DeviceMatrix("A", a, inputs, m, k, lda);
    DeviceMatrix right =
        transposeB
            ? new DeviceMatrix("B", b, inputs, n, k, ldb)
            : new DeviceMatrix("B", b, inputs, k, n, ldb);
    DeviceMatrix result = new DeviceMatrix("C", c, outputs, m, n, ldc);
    return new MatrixProduct(
        left,
        transposeA,
        right,
        transposeB,
        result,
        result,
        alpha,
        beta,
        tensorFloat32 || (tensorFloat32Mode && inputs == ElementFormat.F32),
        MatrixProduct.Extras.NONE);
  }
}
