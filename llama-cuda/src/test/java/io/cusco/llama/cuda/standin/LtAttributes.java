package io.cusco.llama.cuda.standin;

import static io.cusco.llama.cuda.standin.CublasStatus.CUBLAS_STATUS_INVALID_VALUE;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.HashMap;
import java.util.Map;

/// The attributes of one cublasLt descriptor: integers and pointers of 1, 4 or 8 bytes, set through
/// a pointer and a size.
final class LtAttributes {
  private final Map<Integer, Integer> sizes;
  private final Map<Integer, Long> values = new HashMap<>();

  /// @param sizes the attributes that exist, with their sizes in bytes
  LtAttributes(Map<Integer, Integer> sizes) {
    this.sizes = sizes;
  }

  void set(int attribute, MemorySegment buffer, long numBytes) {
    requireSize(attribute, numBytes);
    MemorySegment source = HostMemory.at(buffer, numBytes, "buf");
    values.put(
        attribute,
        switch ((int) numBytes) {
          case 1 -> (long) source.get(ValueLayout.JAVA_BYTE, 0);
          case 4 -> (long) source.get(ValueLayout.JAVA_INT_UNALIGNED, 0);
          default -> source.get(ValueLayout.JAVA_LONG_UNALIGNED, 0);
        });
  }

  void get(int attribute, MemorySegment buffer, long numBytes, MemorySegment written) {
    requireSize(attribute, numBytes);
    MemorySegment target = HostMemory.at(buffer, numBytes, "buf");
    long value = get(attribute);
    switch ((int) numBytes) {
      case 1 -> target.set(ValueLayout.JAVA_BYTE, 0, (byte) value);
      case 4 -> target.set(ValueLayout.JAVA_INT_UNALIGNED, 0, (int) value);
      default -> target.set(ValueLayout.JAVA_LONG_UNALIGNED, 0, value);
    }
    if (written.address() != 0) {
      HostMemory.putLong(written, numBytes);
    }
  }

  private void requireSize(int attribute, long numBytes) {
    Integer size = sizes.get(attribute);
    StandInFault.require(
        size != null, CUBLAS_STATUS_INVALID_VALUE, "attribute %s is not emulated", attribute);
    StandInFault.require(
        size == numBytes,
        CUBLAS_STATUS_INVALID_VALUE,
        "attribute %s has %s bytes, not %s",
        attribute,
        size,
        numBytes);
  }

  void put(int attribute, long value) {
    values.put(attribute, value);
  }

  /// The value, or zero if it was never set.
  long get(int attribute) {
    return values.getOrDefault(attribute, 0L);
  }
}
