package io.cusco.llama.cuda.driver;

/// The device has too little free memory; the message tells what was asked for, what is free and
/// what to lower.
public final class CudaOutOfMemoryException extends CudaException {
  private static final long serialVersionUID = 1L;

  CudaOutOfMemoryException(String call, int code, String message) {
    super(call, code, message);
  }
}
