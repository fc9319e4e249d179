package io.cusco.llama.cuda.standin;

import static io.cusco.llama.cuda.standin.CuResult.CUDA_ERROR_INVALID_VALUE;
import static java.nio.charset.StandardCharsets.UTF_8;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/// Reads and writes what C pointers in the arguments of a call point to.
///
/// The pointers come from the caller without a size, so nothing here can be checked but null; a
/// wrong size is as fatal as with the real driver.
final class HostMemory {
  private HostMemory() {}

  /// The bytes at a pointer, refused if it is null.
  static MemorySegment at(MemorySegment pointer, long numBytes, String what) {
    StandInFault.require(pointer.address() != 0, CUDA_ERROR_INVALID_VALUE, "%s is NULL", what);
    return pointer.reinterpret(numBytes);
  }

  static void putInt(MemorySegment pointer, int value) {
    at(pointer, 4, "the pointer to the result").set(ValueLayout.JAVA_INT_UNALIGNED, 0, value);
  }

  static void putLong(MemorySegment pointer, long value) {
    at(pointer, 8, "the pointer to the result").set(ValueLayout.JAVA_LONG_UNALIGNED, 0, value);
  }

  static void putPointer(MemorySegment pointer, MemorySegment value) {
    putLong(pointer, value.address());
  }

  static void putFloat(MemorySegment pointer, float value) {
    at(pointer, 4, "the pointer to the result").set(ValueLayout.JAVA_FLOAT_UNALIGNED, 0, value);
  }

  static int getInt(MemorySegment pointer, String what) {
    return at(pointer, 4, what).get(ValueLayout.JAVA_INT_UNALIGNED, 0);
  }

  static long getLong(MemorySegment pointer, String what) {
    return at(pointer, 8, what).get(ValueLayout.JAVA_LONG_UNALIGNED, 0);
  }

  static float getFloat(MemorySegment pointer, String what) {
    return at(pointer, 4, what).get(ValueLayout.JAVA_FLOAT_UNALIGNED, 0);
  }

  /// Element `index` of an array of 64-bit integers or pointers.
  static long getLong(MemorySegment array, int index, String what) {
    return at(array, 8L * (index + 1), what).get(ValueLayout.JAVA_LONG_UNALIGNED, 8L * index);
  }

  /// Element `index` of an array of 32-bit integers.
  static int getInt(MemorySegment array, int index, String what) {
    return at(array, 4L * (index + 1), what).get(ValueLayout.JAVA_INT_UNALIGNED, 4L * index);
  }

  /// The text up to the terminating zero.
  static String getString(MemorySegment pointer, String what) {
    return at(pointer, Long.MAX_VALUE, what).getString(0);
  }

  /// Writes as much of a text as fits, always with a terminating zero; as cuDeviceGetName does.
  static void putString(MemorySegment pointer, long capacity, String text) {
    StandInFault.require(
        capacity > 0,
        CUDA_ERROR_INVALID_VALUE,
        "a text buffer of %s bytes cannot hold a zero",
        capacity);
    byte[] bytes = text.getBytes(UTF_8);
    int length = (int) Math.min(bytes.length, capacity - 1);
    MemorySegment target = at(pointer, length + 1L, "the text buffer");
    MemorySegment.copy(bytes, 0, target, ValueLayout.JAVA_BYTE, 0, length);
    target.set(ValueLayout.JAVA_BYTE, length, (byte) 0);
  }
}
