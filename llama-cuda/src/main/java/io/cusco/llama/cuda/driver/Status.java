package io.cusco.llama.cuda.driver;

import io.cusco.llama.cuda.bindings.cublas.Cublas;
import io.cusco.llama.cuda.bindings.cublaslt.CublasLt;
import io.cusco.llama.cuda.bindings.driver.CudaDriver;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/// Turns return codes into exceptions.
final class Status {
  /// Longer than any error text of the libraries; a bound for reading C strings.
  private static final long MAX_TEXT_BYTES = 4096;

  private Status() {}

  /// @param device where the call went, "device 0 (NVIDIA H200)"; empty before there is a device
  static void checkDriver(int result, String call, String device) {
    if (result != CudaDriver.CUDA_SUCCESS()) {
      throw driverFailure(result, call, device, "");
    }
  }

  static CudaException driverFailure(int result, String call, String device, String detail) {
    String message =
        message(call, driverErrorName(result), result, driverErrorText(result), device) + detail;
    if (losesContext(result)) {
      message += "; the device cannot be used any more by this process: restart it";
    }
    return result == CudaDriver.CUDA_ERROR_OUT_OF_MEMORY()
        ? new CudaOutOfMemoryException(call, result, message)
        : new CudaException(call, result, message);
  }

  static void checkCublas(int status, String call, String device) {
    if (status != Cublas.CUBLAS_STATUS_SUCCESS()) {
      throw new CudaException(
          call,
          status,
          message(
              call,
              string(Cublas.cublasGetStatusName(status)),
              status,
              string(Cublas.cublasGetStatusString(status)),
              device));
    }
  }

  static void checkCublasLt(int status, String call, String device) {
    if (status != CublasLt.CUBLAS_STATUS_SUCCESS()) {
      throw new CudaException(
          call,
          status,
          message(
              call,
              string(CublasLt.cublasLtGetStatusName(status)),
              status,
              string(CublasLt.cublasLtGetStatusString(status)),
              device));
    }
  }

  /// "CUDA_ERROR_INVALID_VALUE", or "error 1234" for a code that this driver does not know.
  static String driverErrorName(int result) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment pointer = arena.allocate(ValueLayout.ADDRESS);
      return CudaDriver.cuGetErrorName(result, pointer) == CudaDriver.CUDA_SUCCESS()
          ? string(pointer.get(ValueLayout.ADDRESS, 0))
          : "error " + result;
    }
  }

  static String driverErrorText(int result) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment pointer = arena.allocate(ValueLayout.ADDRESS);
      return CudaDriver.cuGetErrorString(result, pointer) == CudaDriver.CUDA_SUCCESS()
          ? string(pointer.get(ValueLayout.ADDRESS, 0))
          : "no text for it";
    }
  }

  /// The text of a C string that a library owns.
  static String string(MemorySegment pointer) {
    return pointer.equals(MemorySegment.NULL)
        ? "no text"
        : pointer.reinterpret(MAX_TEXT_BYTES).getString(0);
  }

  private static String message(String call, String name, int code, String text, String device) {
    return "%s failed with %s (%d): %s%s"
        .formatted(call, name, code, text, device.isEmpty() ? "" : "; " + device);
  }

  /// Errors of running kernels after which every call on the context fails with the same code.
  private static boolean losesContext(int result) {
    return result == CudaDriver.CUDA_ERROR_ILLEGAL_ADDRESS()
        || result == CudaDriver.CUDA_ERROR_MISALIGNED_ADDRESS()
        || result == CudaDriver.CUDA_ERROR_INVALID_ADDRESS_SPACE()
        || result == CudaDriver.CUDA_ERROR_INVALID_PC()
        || result == CudaDriver.CUDA_ERROR_ILLEGAL_INSTRUCTION()
        || result == CudaDriver.CUDA_ERROR_HARDWARE_STACK_ERROR()
        || result == CudaDriver.CUDA_ERROR_LAUNCH_TIMEOUT()
        || result == CudaDriver.CUDA_ERROR_LAUNCH_FAILED()
        || result == CudaDriver.CUDA_ERROR_ECC_UNCORRECTABLE()
        || result == CudaDriver.CUDA_ERROR_ASSERT();
  }
}
