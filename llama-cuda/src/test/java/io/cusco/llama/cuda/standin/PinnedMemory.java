package io.cusco.llama.cuda.standin;

import static io.cusco.llama.cuda.standin.CuResult.CUDA_ERROR_HOST_MEMORY_ALREADY_REGISTERED;
import static io.cusco.llama.cuda.standin.CuResult.CUDA_ERROR_HOST_MEMORY_NOT_REGISTERED;
import static io.cusco.llama.cuda.standin.CuResult.CUDA_ERROR_INVALID_VALUE;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/// Host memory that a device may copy from and to by itself: what cuMemHostAlloc gave and what was
/// registered.
///
/// New memory holds 0xFF, and so does memory that was freed, of which the last [#KEPT_BYTES] are
/// kept: a program that reads too early or too late sees NaN and not what it hoped for.
final class PinnedMemory {
  private static final byte POISON = (byte) 0xff;

  private static final long KEPT_BYTES = 64 << 20;

  private final TreeMap<Long, Long> registered = new TreeMap<>();
  private final TreeMap<Long, MemorySegment> allocated = new TreeMap<>();
  private final LinkedHashMap<Long, MemorySegment> freed = new LinkedHashMap<>();
  private long freedBytes;

  MemorySegment allocate(long numBytes) {
    StandInFault.require(
        numBytes > 0, CUDA_ERROR_INVALID_VALUE, "an allocation of %s bytes", numBytes);
    // Page-aligned, as the driver's is.
    MemorySegment memory = Arena.ofAuto().allocate(numBytes, 4096).fill(POISON);
    allocated.put(memory.address(), memory);
    return memory;
  }

  void free(MemorySegment pointer) {
    MemorySegment memory = allocated.remove(pointer.address());
    StandInFault.require(
        memory != null,
        CUDA_ERROR_INVALID_VALUE,
        freed.containsKey(pointer.address())
            ? "0x%x has been freed already"
            : "0x%x did not come from cuMemHostAlloc",
        pointer.address());
    memory.fill(POISON);
    freed.put(pointer.address(), memory);
    freedBytes += memory.byteSize();
    Iterator<MemorySegment> oldest = freed.values().iterator();
    while (freedBytes > KEPT_BYTES) {
      freedBytes -= oldest.next().byteSize();
      oldest.remove(); // for the garbage collector
    }
  }

  void register(MemorySegment pointer, long numBytes) {
    StandInFault.require(
        pointer.address() != 0 && numBytes > 0,
        CUDA_ERROR_INVALID_VALUE,
        "%s bytes at 0x%x cannot be registered",
        numBytes,
        pointer.address());
    StandInFault.require(
        !contains(pointer.address(), 1) && !contains(pointer.address() + numBytes - 1, 1),
        CUDA_ERROR_HOST_MEMORY_ALREADY_REGISTERED,
        "0x%x",
        pointer.address());
    registered.put(pointer.address(), numBytes);
  }

  void unregister(MemorySegment pointer) {
    StandInFault.require(
        registered.remove(pointer.address()) != null,
        CUDA_ERROR_HOST_MEMORY_NOT_REGISTERED,
        "0x%x",
        pointer.address());
  }

  /// Whether the whole range is pinned.
  boolean contains(long address, long numBytes) {
    Map.Entry<Long, MemorySegment> block = allocated.floorEntry(address);
    if (block != null && address - block.getKey() <= block.getValue().byteSize() - numBytes) {
      return true;
    }
    Map.Entry<Long, Long> range = registered.floorEntry(address);
    return range != null && address - range.getKey() <= range.getValue() - numBytes;
  }

  /// Whether the range begins in memory that was pinned and freed.
  boolean wasFreed(long address) {
    return freed.values().stream()
        .anyMatch(block ->
            address - block.address() >= 0 && address - block.address() < block.byteSize());
  }

  /// Gives up what is left, at the end of the context.
  void abandon() {
    freed.putAll(allocated);
    allocated.clear();
    registered.clear();
  }

  /// One line for each piece that is still held.
  List<String> leaks() {
    List<String> lines = new ArrayList<>();
    allocated.forEach((address, memory) ->
        lines.add(
            "%s bytes of pinned host memory at 0x%x were not freed"
                .formatted(memory.byteSize(), address)));
    registered.forEach((address, numBytes) ->
        lines.add(
            "%s bytes of host memory at 0x%x are still registered".formatted(numBytes, address)));
    return lines;
  }
}
