package io.cusco.llama.cuda.standin;

import io.cusco.llama.cuda.bindings.driver.CudaDriver;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/// The log buffers among the options of a module load. A size option holds the capacity, and the
/// number of bytes written when the call returns.
final class JitLogs {
  private final MemorySegment values;
  private int errorBuffer = -1;
  private int errorSize = -1;
  private int infoBuffer = -1;
  private int infoSize = -1;

  private JitLogs(MemorySegment values) {
    this.values = values;
  }

  static JitLogs of(int numOptions, MemorySegment options, MemorySegment values) {
    JitLogs logs = new JitLogs(values);
    for (int i = 0; i < numOptions; i++) {
      int option = HostMemory.getInt(options, i, "options");
      if (option == CudaDriver.CU_JIT_ERROR_LOG_BUFFER()) {
        logs.errorBuffer = i;
      } else if (option == CudaDriver.CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES()) {
        logs.errorSize = i;
      } else if (option == CudaDriver.CU_JIT_INFO_LOG_BUFFER()) {
        logs.infoBuffer = i;
      } else if (option == CudaDriver.CU_JIT_INFO_LOG_BUFFER_SIZE_BYTES()) {
        logs.infoSize = i;
      }
    }
    return logs;
  }

  void writeError(String text) {
    write(errorBuffer, errorSize, text);
  }

  void writeInfo(String text) {
    write(infoBuffer, infoSize, text);
  }

  private void write(int buffer, int size, String text) {
    if (buffer < 0 || size < 0) {
      return;
    }
    // The size travels in the pointer itself, as 32 bits.
    long capacity = Integer.toUnsignedLong((int) HostMemory.getLong(values, size, "optionValues"));
    long address = HostMemory.getLong(values, buffer, "optionValues");
    if (capacity > 0 && address != 0) {
      HostMemory.putString(MemorySegment.ofAddress(address), capacity, text);
      MemorySegment sizes = HostMemory.at(values, 8L * (size + 1), "optionValues");
      sizes.set(ValueLayout.JAVA_LONG, 8L * size, Math.min(capacity, text.length() + 1L));
    }
  }
}
