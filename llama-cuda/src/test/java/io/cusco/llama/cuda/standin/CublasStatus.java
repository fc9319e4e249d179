package io.cusco.llama.cuda.standin;

/// The cublasStatus_t codes, with the texts of cublasGetStatusString.
enum CublasStatus implements Status {
  CUBLAS_STATUS_SUCCESS(0, "success"),
  CUBLAS_STATUS_NOT_INITIALIZED(1, "the library was not initialized"),
  CUBLAS_STATUS_ALLOC_FAILED(3, "the resource allocation failed"),
  CUBLAS_STATUS_INVALID_VALUE(7, "an invalid parameter was passed"),
  CUBLAS_STATUS_ARCH_MISMATCH(8, "the architecture of the device does not support the function"),
  CUBLAS_STATUS_MAPPING_ERROR(11, "an access to GPU memory space failed"),
  CUBLAS_STATUS_EXECUTION_FAILED(13, "the function failed to launch on the GPU"),
  CUBLAS_STATUS_INTERNAL_ERROR(14, "an internal operation failed"),
  CUBLAS_STATUS_NOT_SUPPORTED(15, "the functionality is not supported");

  private final int code;
  private final String text;

  CublasStatus(int code, String text) {
    this.code = code;
    this.text = text;
  }

  @Override
  public int code() {
    return code;
  }

  @Override
  public String text() {
    return text;
  }

  /// What cuBLAS returns when it runs into this error, its own or the driver's.
  static CublasStatus from(Status status) {
    return switch (status) {
      case CublasStatus own -> own;
      case CuResult driver ->
          switch (driver) {
            case CUDA_ERROR_INVALID_HANDLE,
                CUDA_ERROR_INVALID_CONTEXT,
                CUDA_ERROR_NOT_INITIALIZED ->
                CUBLAS_STATUS_NOT_INITIALIZED;
            case CUDA_ERROR_INVALID_VALUE -> CUBLAS_STATUS_INVALID_VALUE;
            default -> CUBLAS_STATUS_EXECUTION_FAILED;
          };
    };
  }
}
