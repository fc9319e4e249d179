package io.cusco.llama.cuda.standin;

import static io.cusco.llama.cuda.bindings.cublaslt.CublasLt.CUBLASLT_EPILOGUE_BIAS;
import static io.cusco.llama.cuda.bindings.cublaslt.CublasLt.CUBLASLT_EPILOGUE_DEFAULT;
import static io.cusco.llama.cuda.bindings.cublaslt.CublasLt.CUBLASLT_MATMUL_DESC_A_SCALE_MODE;
import static io.cusco.llama.cuda.bindings.cublaslt.CublasLt.CUBLASLT_MATMUL_DESC_A_SCALE_POINTER;
import static io.cusco.llama.cuda.bindings.cublaslt.CublasLt.CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE;
import static io.cusco.llama.cuda.bindings.cublaslt.CublasLt.CUBLASLT_MATMUL_DESC_BIAS_POINTER;
import static io.cusco.llama.cuda.bindings.cublaslt.CublasLt.CUBLASLT_MATMUL_DESC_B_SCALE_MODE;
import static io.cusco.llama.cuda.bindings.cublaslt.CublasLt.CUBLASLT_MATMUL_DESC_B_SCALE_POINTER;
import static io.cusco.llama.cuda.bindings.cublaslt.CublasLt.CUBLASLT_MATMUL_DESC_COMPUTE_TYPE;
import static io.cusco.llama.cuda.bindings.cublaslt.CublasLt.CUBLASLT_MATMUL_DESC_EPILOGUE;
import static io.cusco.llama.cuda.bindings.cublaslt.CublasLt.CUBLASLT_MATMUL_DESC_POINTER_MODE;
import static io.cusco.llama.cuda.bindings.cublaslt.CublasLt.CUBLASLT_MATMUL_DESC_SCALE_TYPE;
import static io.cusco.llama.cuda.bindings.cublaslt.CublasLt.CUBLASLT_MATMUL_DESC_TRANSA;
import static io.cusco.llama.cuda.bindings.cublaslt.CublasLt.CUBLASLT_MATMUL_DESC_TRANSB;
import static io.cusco.llama.cuda.bindings.cublaslt.CublasLt.CUBLASLT_MATMUL_MATRIX_SCALE_OUTER_VEC_32F;
import static io.cusco.llama.cuda.bindings.cublaslt.CublasLt.CUBLASLT_MATMUL_MATRIX_SCALE_SCALAR_32F;
import static io.cusco.llama.cuda.bindings.cublaslt.CublasLt.CUBLASLT_POINTER_MODE_HOST;
import static io.cusco.llama.cuda.standin.CublasStatus.CUBLAS_STATUS_INVALID_VALUE;
import static io.cusco.llama.cuda.standin.CublasStatus.CUBLAS_STATUS_NOT_SUPPORTED;

import io.cusco.llama.cuda.bindings.cublaslt.CublasLt;

/// One cublasLt product as its descriptors have it, checked after the cuBLAS documentation,
/// "cublasLtMatmul": shapes that do not fit are invalid, combinations without an algorithm are not
/// supported.
record LtProduct(LtDescriptor descriptor, LtLayout a, LtLayout b, LtLayout c, LtLayout d) {
  /// What FP8 kernels ask of dimensions and addresses.
  private static final int FP8_MULTIPLE = 16;

  /// Addresses of the matrices and the factors.
  record Operands(long a, long b, long c, long d, float alpha, float beta) {}

  private boolean transposeA() {
    return GemmArguments.isTransposed(descriptor.get(CUBLASLT_MATMUL_DESC_TRANSA()));
  }

  private boolean transposeB() {
    return GemmArguments.isTransposed(descriptor.get(CUBLASLT_MATMUL_DESC_TRANSB()));
  }

  private boolean hasBias() {
    return descriptor.get(CUBLASLT_MATMUL_DESC_EPILOGUE()) == CUBLASLT_EPILOGUE_BIAS();
  }

  private int scaleMode() {
    return descriptor.get(CUBLASLT_MATMUL_DESC_A_SCALE_MODE());
  }

  int batchCount() {
    return d.batchCount();
  }

  void check(StandInSettings device) {
    checkShapes();
    checkEpilogue();
    checkTypes();
    if (a.format().isFp8() || b.format().isFp8()) {
      checkFp8(device);
    } else {
      StandInFault.require(
          descriptor.pointer(CUBLASLT_MATMUL_DESC_A_SCALE_POINTER()) == 0
              && descriptor.pointer(CUBLASLT_MATMUL_DESC_B_SCALE_POINTER()) == 0,
          CUBLAS_STATUS_NOT_SUPPORTED,
          "scales are for FP8 inputs, these are %s",
          a.format());
    }
  }

  private void checkShapes() {
    int m = transposeA() ? a.columns() : a.rows();
    int k = transposeA() ? a.rows() : a.columns();
    int n = transposeB() ? b.rows() : b.columns();
    int depthB = transposeB() ? b.columns() : b.rows();
    StandInFault.require(
        k == depthB && d.rows() == m && d.columns() == n && c.rows() == m && c.columns() == n,
        CUBLAS_STATUS_INVALID_VALUE,
        "op(A) is %s x %s, op(B) %s x %s, C %s x %s, D %s x %s",
        m,
        k,
        depthB,
        n,
        c.rows(),
        c.columns(),
        d.rows(),
        d.columns());
    StandInFault.require(
        a.batchCount() == d.batchCount()
            && b.batchCount() == d.batchCount()
            && c.batchCount() == d.batchCount(),
        CUBLAS_STATUS_INVALID_VALUE,
        "the layouts have batches of %s, %s, %s and %s",
        a.batchCount(),
        b.batchCount(),
        c.batchCount(),
        d.batchCount());
    StandInFault.require(
        !a.rowMajor() && !b.rowMajor() && !c.rowMajor() && !d.rowMajor(),
        CUBLAS_STATUS_NOT_SUPPORTED,
        "layouts other than CUBLASLT_ORDER_COL are not emulated");
  }

  private void checkEpilogue() {
    int epilogue = descriptor.get(CUBLASLT_MATMUL_DESC_EPILOGUE());
    StandInFault.require(
        epilogue == CUBLASLT_EPILOGUE_DEFAULT() || hasBias(),
        CUBLAS_STATUS_NOT_SUPPORTED,
        "epilogue %s is not emulated",
        epilogue);
    StandInFault.require(
        descriptor.get(CUBLASLT_MATMUL_DESC_POINTER_MODE()) == CUBLASLT_POINTER_MODE_HOST(),
        CUBLAS_STATUS_NOT_SUPPORTED,
        "alpha and beta on the device are not emulated");
    int biasType = descriptor.get(CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE());
    StandInFault.require(
        !hasBias() || biasType == -1 || ElementFormat.of(biasType) == d.format(),
        CUBLAS_STATUS_NOT_SUPPORTED,
        "a bias of type %s for a result of %s is not emulated",
        biasType,
        d.format());
  }

  private void checkTypes() {
    GemmArguments.isTensorFloat32(descriptor.get(CUBLASLT_MATMUL_DESC_COMPUTE_TYPE()), a.format());
    StandInFault.require(
        descriptor.get(CUBLASLT_MATMUL_DESC_SCALE_TYPE()) == CublasLt.CUDA_R_32F(),
        CUBLAS_STATUS_NOT_SUPPORTED,
        "alpha and beta of another type than CUDA_R_32F are not emulated");
    boolean inputsFit = a.format() == b.format() || (a.format().isFp8() && b.format().isFp8());
    boolean outputFits =
        a.format().isFp8()
            ? !d.format().isFp8()
            : d.format() == a.format() || d.format() == ElementFormat.F32;
    StandInFault.require(
        inputsFit && outputFits && c.format() == d.format(),
        CUBLAS_STATUS_NOT_SUPPORTED,
        "no product of %s and %s with C %s and D %s",
        a.format(),
        b.format(),
        c.format(),
        d.format());
  }

  private void checkFp8(StandInSettings device) {
    StandInFault.require(
        10 * device.computeMajor() + device.computeMinor() >= 89,
        CUBLAS_STATUS_NOT_SUPPORTED,
        "FP8 needs compute capability 8.9, this is %s.%s",
        device.computeMajor(),
        device.computeMinor());
    StandInFault.require(
        transposeA() && !transposeB(),
        CUBLAS_STATUS_NOT_SUPPORTED,
        "FP8 needs A transposed and B not");
    StandInFault.require(
        !(a.format() == ElementFormat.E5M2 && b.format() == ElementFormat.E5M2),
        CUBLAS_STATUS_NOT_SUPPORTED,
        "two E5M2 inputs are not supported");
    StandInFault.require(
        a.rows() % FP8_MULTIPLE == 0 && a.columns() % FP8_MULTIPLE == 0,
        CUBLAS_STATUS_NOT_SUPPORTED,
        "FP8 needs m and k to be multiples of %s, they are %s and %s",
        FP8_MULTIPLE,
        a.columns(),
        a.rows());
    int modeB = descriptor.get(CUBLASLT_MATMUL_DESC_B_SCALE_MODE());
    boolean perVector = scaleMode() == CUBLASLT_MATMUL_MATRIX_SCALE_OUTER_VEC_32F();
    StandInFault.require(
        scaleMode() == modeB && (perVector || modeB == CUBLASLT_MATMUL_MATRIX_SCALE_SCALAR_32F()),
        CUBLAS_STATUS_NOT_SUPPORTED,
        "scale modes %s and %s are not emulated",
        scaleMode(),
        modeB);
    StandInFault.require(
        !perVector || device.computeMajor() == 9,
        CUBLAS_STATUS_NOT_SUPPORTED,
        "scales per row are for compute capability 9.x, this is %s.%s",
        device.computeMajor(),
        device.computeMinor());
  }

  /// Product number `index` of the batch.
  MatrixProduct of(Operands operands, int index) {
    if (a.format().isFp8()) {
      requireFp8Address("A", operands.a());
      requireFp8Address("B", operands.b());
    }
    boolean tensorFloat32 =
        GemmArguments.isTensorFloat32(
            descriptor.get(CUBLASLT_MATMUL_DESC_COMPUTE_TYPE()), a.format());
    long bias = hasBias() ? descriptor.pointer(CUBLASLT_MATMUL_DESC_BIAS_POINTER()) : 0;
    StandInFault.require(
        !hasBias() || bias != 0, CUBLAS_STATUS_INVALID_VALUE, "the pointer to the bias is NULL");
    MatrixProduct.Extras extras =
        new MatrixProduct.Extras(
            descriptor.pointer(CUBLASLT_MATMUL_DESC_A_SCALE_POINTER()),
            descriptor.pointer(CUBLASLT_MATMUL_DESC_B_SCALE_POINTER()),
            scaleMode() == CUBLASLT_MATMUL_MATRIX_SCALE_OUTER_VEC_32F(),
            bias);
    return new MatrixProduct(
            a.at("A", operands.a()),
            transposeA(),
            b.at("B", operands.b()),
            transposeB(),
            c.at("C", operands.c()),
            d.at("D", operands.d()),
            operands.alpha(),
            operands.beta(),
            tensorFloat32,
            extras)
        .shifted(
            index * a.batchStride(),
            index * b.batchStride(),
            index * c.batchStride(),
            index * d.batchStride());
  }

  private static void requireFp8Address(String name, long address) {
    StandInFault.require(
        address % FP8_MULTIPLE == 0,
        CUBLAS_STATUS_INVALID_VALUE,
        "%s: FP8 needs addresses that are multiples of %s, this is 0x%x",
        name,
        FP8_MULTIPLE,
        address);
  }
}
