package io.cusco.llama.cuda.standin;

/// The CUresult codes of cuda.h that the stand-in returns or that a test may want to see described,
/// with the texts of cuGetErrorString.
public enum CuResult implements Status {
  CUDA_SUCCESS(0, "no error"),
  CUDA_ERROR_INVALID_VALUE(1, "invalid argument"),
  CUDA_ERROR_OUT_OF_MEMORY(2, "out of memory"),
  CUDA_ERROR_NOT_INITIALIZED(3, "initialization error"),
  CUDA_ERROR_STUB_LIBRARY(34, "CUDA driver is a stub library"),
  CUDA_ERROR_NO_DEVICE(100, "no CUDA-capable device is detected"),
  CUDA_ERROR_INVALID_DEVICE(101, "invalid device ordinal"),
  CUDA_ERROR_INVALID_IMAGE(200, "device kernel image is invalid"),
  CUDA_ERROR_INVALID_CONTEXT(201, "invalid device context"),
  CUDA_ERROR_NO_BINARY_FOR_GPU(209, "no kernel image is available for execution on the device"),
  CUDA_ERROR_INVALID_PTX(218, "a PTX JIT compilation failed"),
  CUDA_ERROR_UNSUPPORTED_PTX_VERSION(
      222, "the provided PTX was compiled with an unsupported toolchain."),
  CUDA_ERROR_OPERATING_SYSTEM(304, "OS call failed or operation not supported on this OS"),
  CUDA_ERROR_INVALID_HANDLE(400, "invalid resource handle"),
  CUDA_ERROR_ILLEGAL_STATE(401, "the operation cannot be performed in the present state"),
  CUDA_ERROR_NOT_FOUND(500, "named symbol not found"),
  CUDA_ERROR_NOT_READY(600, "device not ready"),
  CUDA_ERROR_ILLEGAL_ADDRESS(700, "an illegal memory access was encountered"),
  CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES(701, "too many resources requested for launch"),
  CUDA_ERROR_LAUNCH_TIMEOUT(702, "the launch timed out and was terminated"),
  CUDA_ERROR_PRIMARY_CONTEXT_ACTIVE(708, "cannot set while device is active in this process"),
  CUDA_ERROR_CONTEXT_IS_DESTROYED(709, "context is destroyed"),
  CUDA_ERROR_ASSERT(710, "device-side assert triggered"),
  CUDA_ERROR_HOST_MEMORY_ALREADY_REGISTERED(
      712, "part or all of the requested memory range is already mapped"),
  CUDA_ERROR_HOST_MEMORY_NOT_REGISTERED(
      713, "pointer does not correspond to a registered memory region"),
  CUDA_ERROR_ILLEGAL_INSTRUCTION(715, "an illegal instruction was encountered"),
  CUDA_ERROR_MISALIGNED_ADDRESS(716, "misaligned address"),
  CUDA_ERROR_INVALID_ADDRESS_SPACE(717, "operation not supported on global/shared address space"),
  CUDA_ERROR_INVALID_PC(718, "invalid program counter"),
  CUDA_ERROR_LAUNCH_FAILED(719, "unspecified launch failure"),
  CUDA_ERROR_NOT_PERMITTED(800, "operation not permitted"),
  CUDA_ERROR_NOT_SUPPORTED(801, "operation not supported"),
  CUDA_ERROR_SYSTEM_DRIVER_MISMATCH(
      803, "system has unsupported display driver / cuda driver combination"),
  CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED(900, "operation not permitted when stream is capturing"),
  CUDA_ERROR_STREAM_CAPTURE_INVALIDATED(
      901, "operation failed due to a previous error during capture"),
  CUDA_ERROR_STREAM_CAPTURE_MERGE(
      902, "operation would result in a merge of separate capture sequences"),
  CUDA_ERROR_STREAM_CAPTURE_UNMATCHED(903, "capture was not ended in the same stream as it began"),
  CUDA_ERROR_STREAM_CAPTURE_UNJOINED(904, "capturing stream has unjoined work"),
  CUDA_ERROR_STREAM_CAPTURE_ISOLATION(
      905, "dependency created on uncaptured work in another stream"),
  CUDA_ERROR_STREAM_CAPTURE_IMPLICIT(
      906, "operation would make the legacy stream depend on a capturing blocking stream"),
  CUDA_ERROR_CAPTURED_EVENT(
      907, "operation not permitted on an event last recorded in a capturing stream"),
  CUDA_ERROR_STREAM_CAPTURE_WRONG_THREAD(
      908, "attempt to terminate a thread-local capture sequence from another thread"),
  CUDA_ERROR_GRAPH_EXEC_UPDATE_FAILURE(
      910,
      "the graph update was not performed because it included changes which violated constraints"),
  CUDA_ERROR_UNKNOWN(999, "unknown error");

  private final int code;
  private final String text;

  CuResult(int code, String text) {
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

  /// Whether the context is lost with this error: every later call that needs the context returns
  /// it again.
  boolean sticky() {
    return code >= 700
        && code < 720
        && this != CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES
        && this != CUDA_ERROR_PRIMARY_CONTEXT_ACTIVE
        && this != CUDA_ERROR_CONTEXT_IS_DESTROYED
        && this != CUDA_ERROR_HOST_MEMORY_ALREADY_REGISTERED
        && this != CUDA_ERROR_HOST_MEMORY_NOT_REGISTERED;
  }

  /// The constant of a code, or null if this list does not have it.
  static CuResult of(int code) {
    for (CuResult result : values()) {
      if (result.code == code) {
        return result;
      }
    }
    return null;
  }
}
