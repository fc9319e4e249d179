package io.cusco.llama.cuda.standin;

import io.cusco.llama.cuda.bindings.cublaslt.CublasLt;
import java.util.Map;

/// What cublasLtMatmulPreferenceCreate gives: limits for the choice of an algorithm. There is one
/// algorithm here and it needs no workspace, so they are kept and not asked.
record LtPreference(LtAttributes attributes) {
  static LtPreference create() {
    return new LtPreference(
        new LtAttributes(
            Map.of(
                CublasLt.CUBLASLT_MATMUL_PREF_SEARCH_MODE(), Integer.BYTES,
                CublasLt.CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES(), Long.BYTES,
                CublasLt.CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK(), Integer.BYTES,
                CublasLt.CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES(), Integer.BYTES,
                CublasLt.CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES(), Integer.BYTES,
                CublasLt.CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES(), Integer.BYTES,
                CublasLt.CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES(), Integer.BYTES,
                CublasLt.CUBLASLT_MATMUL_PREF_MAX_WAVES_COUNT(), Float.BYTES,
                CublasLt.CUBLASLT_MATMUL_PREF_IMPL_MASK(), Long.BYTES)));
  }

  @Override
  public String toString() {
    return "a cublasLt preference";
  }
}
