package io.cusco.llama.cuda.standin;

import static io.cusco.llama.cuda.standin.CublasStatus.CUBLAS_STATUS_INVALID_VALUE;

/// The version that the stand-in for both cuBLAS libraries claims: 12.9.1, which fits the driver
/// that [StandInSettings] claims and was the first with scales per row of FP8 matrices.
final class CublasVersion {
  static final int NUMBER = 120901;

  private static final int[] PARTS = {12, 9, 1};

  private CublasVersion() {}

  /// Part 0, 1 or 2 of the version (libraryPropertyType).
  static int property(int property) {
    StandInFault.require(
        property >= 0 && property < PARTS.length,
        CUBLAS_STATUS_INVALID_VALUE,
        "library property %s",
        property);
    return PARTS[property];
  }
}
