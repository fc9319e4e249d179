package io.cusco.llama.cuda.driver;

import io.cusco.llama.LlamaException;

/// A CUDA driver, cuBLAS or cublasLt call that failed: which call, the code with its name and text,
/// and the device.
public class CudaException extends LlamaException {
  private static final long serialVersionUID = 1L;

  private final String call;
  private final int code;

  CudaException(String call, int code, String message) {
    super(message);
    this.call = call;
    this.code = code;
  }

  /// The C function that failed.
  public final String call() {
    return call;
  }

  /// The `CUresult` or `cublasStatus_t` that it returned.
  public final int code() {
    return code;
  }
}
