package io.cusco.llama.cuda.standin;

import io.cusco.llama.cuda.bindings.cublaslt.CublasLt;
import java.util.HashMap;
import java.util.Map;

/// What cublasLtMatmulDescCreate gives: how to multiply.
record LtDescriptor(LtAttributes attributes) {
  private static final int[] INTS = {
    CublasLt.CUBLASLT_MATMUL_DESC_COMPUTE_TYPE(),
    CublasLt.CUBLASLT_MATMUL_DESC_SCALE_TYPE(),
    CublasLt.CUBLASLT_MATMUL_DESC_POINTER_MODE(),
    CublasLt.CUBLASLT_MATMUL_DESC_TRANSA(),
    CublasLt.CUBLASLT_MATMUL_DESC_TRANSB(),
    CublasLt.CUBLASLT_MATMUL_DESC_EPILOGUE(),
    CublasLt.CUBLASLT_MATMUL_DESC_SM_COUNT_TARGET(),
    CublasLt.CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE(),
    CublasLt.CUBLASLT_MATMUL_DESC_A_SCALE_MODE(),
    CublasLt.CUBLASLT_MATMUL_DESC_B_SCALE_MODE()
  };

  private static final int[] LONGS = {
    CublasLt.CUBLASLT_MATMUL_DESC_BIAS_POINTER(),
    CublasLt.CUBLASLT_MATMUL_DESC_A_SCALE_POINTER(),
    CublasLt.CUBLASLT_MATMUL_DESC_B_SCALE_POINTER()
  };

  static LtDescriptor create(int computeType, int scaleType) {
    Map<Integer, Integer> sizes = new HashMap<>();
    for (int attribute : INTS) {
      sizes.put(attribute, Integer.BYTES);
    }
    for (int attribute : LONGS) {
      sizes.put(attribute, Long.BYTES);
    }
    sizes.put(CublasLt.CUBLASLT_MATMUL_DESC_FAST_ACCUM(), 1);
    LtAttributes attributes = new LtAttributes(sizes);
    attributes.put(CublasLt.CUBLASLT_MATMUL_DESC_COMPUTE_TYPE(), computeType);
    attributes.put(CublasLt.CUBLASLT_MATMUL_DESC_SCALE_TYPE(), scaleType);
    attributes.put(CublasLt.CUBLASLT_MATMUL_DESC_EPILOGUE(), CublasLt.CUBLASLT_EPILOGUE_DEFAULT());
    attributes.put(CublasLt.CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE(), -1);
    return new LtDescriptor(attributes);
  }

  int get(int attribute) {
    return (int) attributes.get(attribute);
  }

  long pointer(int attribute) {
    return attributes.get(attribute);
  }

  @Override
  public String toString() {
    return "a cublasLt product descriptor";
  }
}
