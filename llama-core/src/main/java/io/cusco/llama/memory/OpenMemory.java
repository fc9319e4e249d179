package io.cusco.llama.memory;

import java.lang.foreign.MemorySegment;
import java.util.Objects;

/// All of memory as one segment, for the innermost loops.
///
/// A kernel asks [#address] once for what it is about to touch: that range is checked against its
/// segment there, and the loop then reads [#MEMORY] at absolute addresses. Because that segment is
/// a constant, and an address from [#address] cannot be negative, the compiler proves every access
/// to be inside it. With the segments themselves it re-checks bounds and lifetime in the loop,
/// which costs a third of the speed of streaming weights, and compiles a loop again with all checks
/// inside once it has met a second kind of segment.
///
/// The price: memory freed while a kernel runs is not noticed. A model's memory therefore lives
/// until its last step has ended. Nothing keeps an access to [#MEMORY] from hitting memory that is
/// not there: it is for addresses from here only.
public final class OpenMemory {
  /// Everything, from address 0.
  @SuppressWarnings("restricted")
  public static final MemorySegment MEMORY = MemorySegment.NULL.reinterpret(Long.MAX_VALUE);

  /// Every address of a process; tells the compiler that an address is not negative.
  private static final long ADDRESSES = Long.MAX_VALUE >>> 1;

  private OpenMemory() {}

  /// The address of `numBytes` at `offset` of an off-heap segment.
  ///
  /// @throws IndexOutOfBoundsException if they are not inside the segment
  /// @throws IllegalStateException if the segment's memory was freed
  /// @throws IllegalArgumentException if it is an array
  public static long address(MemorySegment segment, long offset, long numBytes) {
    Objects.checkFromIndexSize(offset, numBytes, segment.byteSize());
    if (!segment.isNative() || !segment.scope().isAlive()) {
      throw unusable(segment);
    }
    return within(segment.address() + offset);
  }

  /// The same address, known not to be negative: for steps that are a variable number of bytes,
  /// where the compiler cannot see it.
  public static long within(long address) {
    return address & ADDRESSES;
  }

  private static RuntimeException unusable(MemorySegment segment) {
    return segment.isNative()
        ? new IllegalStateException("the memory of weights or activations was freed: " + segment)
        : new IllegalArgumentException("kernels work on off-heap memory only, not on " + segment);
  }
}
